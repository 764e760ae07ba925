"""The errors in a schema that its types cannot show."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iris_app.schema import Class, Feature, Schema

# Characters that msgspec cannot have in the name of a JSON field.
NOT_IN_NAMES = re.compile(r'["\\\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028\u2029]')


def find_errors(schema: "Schema") -> Iterator[str]:
    """Yield a sentence for each error in a schema."""
    yield from _repeated("feature", [feature.name for feature in schema.features])
    yield from _repeated("form name", [feature.form_name for feature in schema.features])
    yield from _repeated("class", [class_.name for class_ in schema.classes])
    yield from _repeated("class value", [str(class_.value) for class_ in schema.classes])
    named = [feature.name for feature in schema.features] + [class_.name for class_ in schema.classes]
    for name in [*named, schema.target]:
        if NOT_IN_NAMES.search(name):
            yield f"{name!r} holds a quote, a backslash or a control character, which no name may."
    for feature in schema.features:
        yield from _feature_errors(feature)
    for class_ in schema.classes:
        yield from _class_errors(schema, class_)
    for title, across, up in schema.panels:
        if not {across, up} <= {index for index, one in enumerate(schema.features) if one.is_numeric} or across == up:
            yield f"The panel {title!r} needs the indices of two features that are numbers."


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"The {what} {name!r} is there {count} times."


def _feature_errors(feature: "Feature") -> Iterator[str]:
    if (feature.kind == "category") != bool(feature.categories):
        yield f"{feature.name} must have categories if it is a category, and only then."
    yield from _repeated(f"category of {feature.name}", map(str, feature.categories))
    if feature.above is not None and feature.at_least is not None:
        yield f"{feature.name} has both above and at_least; one of them is enough."
    if feature.limits[0] > feature.limits[1]:
        yield f"{feature.name} accepts nothing: its lower bound is above its upper one."
    if feature.example is not None and (error := feature.validate(feature.example)):
        yield f"The example of {feature.name} is refused: {error}"


def _class_errors(schema: "Schema", class_: "Class") -> Iterator[str]:
    if not class_.typical:
        return
    if len(class_.typical) != len(schema.features):
        yield f"The typical row of {class_.name} has {len(class_.typical)} values, not {len(schema.features)}."
        return
    for feature, value in zip(schema.features, class_.typical, strict=True):
        if error := feature.validate(value):
            yield f"The typical row of {class_.name} is refused: {error}"
