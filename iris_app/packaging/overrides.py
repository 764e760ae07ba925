"""The file that overrides what was inferred of a schema, in TOML."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import tomli_w

from iris_app.exceptions import PackagingRefused
from iris_app.formatting import find_nearest, format_number, truncate
from iris_app.packaging.inference.infer import refuse
from iris_app.schema import About, Class, Feature, Schema

# A table of TOML.
Table = Mapping[str, Any]

MAX_FILE_SIZE = 1024 * 1024

HEADING = """\
# What {name} takes and gives, as it was inferred. Change what should read otherwise, take away what may stay as it is,
# and package again with --schema and the name of this file.
"""

# The types of TOML in the words of a person.
TYPES = {
    " | null": "",
    "`str`": "text",
    "`int`": "a whole number",
    "`float`": "a number",
    "`bool`": "true or false",
    "`array`": "a list",
    "`object`": "a table",
}


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A scatter plot of a prediction: its title, and the features on its axes."""

    title: str
    x: str
    y: str


def _types(struct: Any, without: Iterable[str] = ()) -> dict[str, Any]:
    return {one.name: one.type for one in msgspec.structs.fields(struct) if one.name not in without}


# What features of other kinds have not.
NUMBERS_ONLY = ("unit", "above", "at_least", "at_most")

FEATURE = _types(Feature, without=("name", "categories"))
CLASS = _types(Class, without=("value", "typical"))
ABOUT = _types(About)
SCHEMA = _types(Schema, without=("features", "classes", "about", "panels"))
TABLES = ("about", "features", "classes", "panels")


def read_overrides(path: Path) -> Table:
    """Read the file, or raise ``PackagingRefused``."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_SIZE + 1)
        if len(content) > MAX_FILE_SIZE:
            raise PackagingRefused(f"{path} has more than {MAX_FILE_SIZE:,} bytes.")
        return tomllib.loads(content.decode())
    except OSError as error:
        raise PackagingRefused(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # of TOML, and of Unicode
        raise PackagingRefused(f"{path} is not TOML: {error}.") from error


def class_overrides(overrides: Table) -> dict[str, Table]:
    """Return the words of the classes by the values that the classifier predicts, but for wrong ones."""
    return {
        value: {
            name: word for name, word in words.items() if name in CLASS and _convert(name, word, CLASS[name])[1] is None
        }
        for value, words in _table(overrides, "classes").items()
        if isinstance(words, dict)
    }


def apply_overrides(schema: Schema, overrides: Table) -> Schema:
    """Return a schema with the words that override its own.

    Raises
    ------
    PackagingRefused
        If names or values are wrong; all of them are named.
    """
    refuse(_find_wrong(schema, overrides))
    features = [_replace(one, FEATURE, _table(overrides, "features").get(one.name, {})) for one in schema.features]
    pairs = zip(schema.features, features, strict=True)
    refuse(error for pair in pairs for error in _find_contradictions(*pair))
    words: dict[str, Any] = {
        "features": tuple(features),
        "classes": tuple(
            _replace(one, CLASS, _table(overrides, "classes").get(str(one.value), {})) for one in schema.classes
        ),
        "about": _replace(schema.about, ABOUT, _table(overrides, "about")),
        "panels": _panels(schema, overrides["panels"]) if "panels" in overrides else schema.panels,
    }
    if "name" in overrides and "sample_name" not in overrides:
        words["sample_name"] = overrides["name"]
    try:
        changed: Schema = _replace(schema, SCHEMA, overrides, words)
    except ValueError as error:  # of the schema, which has the last word
        raise PackagingRefused(str(error)) from error
    return changed


def _table(overrides: Table, name: str) -> Table:
    found = overrides.get(name, {})
    return found if isinstance(found, dict) else {}


def _replace(struct: Any, types: Table, words: Table, others: Table | None = None) -> Any:
    """Return a struct with the words in place of its own, and with other values that have their types already."""
    own = {name: _convert(name, words[name], type_)[0] for name, type_ in types.items() if name in words}
    return msgspec.structs.replace(struct, **own, **(others or {}))


def _convert(path: str, value: object, type_: Any) -> tuple[Any, str | None]:
    """Return a value as its type has it, and the error in it if there is one."""
    try:
        return msgspec.convert(value, type_), None
    except msgspec.ValidationError as error:
        text = str(error)
        for name, word in TYPES.items():
            text = text.replace(name, word)
        return None, f"{path}: {text[:1].lower()}{text[1:]}."


def _find_wrong(schema: Schema, overrides: Table) -> Iterator[str]:
    """Yield the names that are unknown, and the values that have another type."""
    yield from _check_table("", {name: one for name, one in overrides.items() if name not in TABLES}, SCHEMA, TABLES)
    yield from _check_table("about.", _table(overrides, "about"), ABOUT)
    for name in ("about", "features", "classes"):
        if not isinstance(overrides.get(name, {}), dict):
            yield f"{name}: expected a table."
    named = {
        "features": (schema.features_by_name, FEATURE),
        "classes": ([str(one.value) for one in schema.classes], CLASS),
    }
    for kind, (known, types) in named.items():
        for name, words in _table(overrides, kind).items():
            if name not in known:
                yield _unknown(f"{kind}.", name, known)
            elif not isinstance(words, dict):
                yield f"{kind}.{truncate(name)}: expected a table."
            else:
                yield from _check_table(f"{kind}.{name}.", words, types)
    yield from _check_panels(schema, overrides.get("panels", []))


def _check_table(prefix: str, words: Table, types: Table, others: Iterable[str] = ()) -> Iterator[str]:
    for name, value in words.items():
        if name not in types:
            yield _unknown(prefix, name, [*types, *others])
        elif error := _convert(f"{prefix}{name}", value, types[name])[1]:
            yield error


def _unknown(prefix: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    nearest = find_nearest(name, names)
    suggestion = f' Did you mean "{nearest}"?' if nearest else f" Known are {', '.join(names[:30])}."
    return f"{prefix}{truncate(name)} is not known.{suggestion}"


def _check_panels(schema: Schema, panels: object) -> Iterator[str]:
    found, error = _convert("panels", panels, list[Panel])
    if error:
        yield error
        return
    for panel in found:
        for name in (panel.x, panel.y):
            feature = schema.features_by_name.get(name)
            if feature is None:
                yield _unknown("panels: ", name, schema.features_by_name)
            elif not feature.is_numeric:
                yield f"panels: {name} is no number, and has no place on an axis."


def _panels(schema: Schema, panels: object) -> tuple[tuple[str, int, int], ...]:
    names = list(schema.features_by_name)
    found, _ = _convert("panels", panels, list[Panel])
    return tuple((panel.title, names.index(panel.x), names.index(panel.y)) for panel in found)


def _find_contradictions(inferred: Feature, feature: Feature) -> Iterator[str]:
    """Yield what cannot be as it was overridden."""
    prefix = f"features.{feature.name}."
    if feature.kind != inferred.kind and not {feature.kind, inferred.kind} <= {"number", "integer"}:
        yield f"{prefix}kind: the classifier takes {inferred.kind}, not {feature.kind}."
        return
    for name in NUMBERS_ONLY:
        if not feature.is_numeric and getattr(feature, name) != getattr(inferred, name):
            yield f"{prefix}{name}: only a number has one, and this is a {feature.kind}."
    if feature.optional and not inferred.optional:
        yield f"{prefix}optional: the classifier does not answer rows without it."
    if feature.allow_unknown and not inferred.allow_unknown:
        yield f"{prefix}allow_unknown: the classifier does not answer categories that it does not know."
    if not feature.form_name.isidentifier() or not feature.form_name.isascii():
        yield f"{prefix}form_name: expected letters, digits and underscores."
    if feature.limits[0] > feature.limits[1]:
        yield f"{prefix}at_most: {format_number(feature.limits[1])} is less than the lower bound."
    elif feature.example is not None and (error := feature.validate(feature.example)):
        yield f"{prefix}example: {error}"


def to_toml(schema: Schema, comments: Mapping[str, str]) -> str:
    """Return the file that overrides nothing; ``comments`` describe the features."""
    names = list(schema.features_by_name)
    panels = [{"title": title, "x": names[x], "y": names[y]} for title, x, y in schema.panels]
    tables = [
        HEADING.format(name=schema.name) + tomli_w.dumps(_words(schema, SCHEMA) | {"panels": panels}),
        tomli_w.dumps({"about": _words(schema.about, ABOUT)}),
    ]
    for feature in schema.features:
        words = {"features": {feature.name: _words(feature, FEATURE)}}
        tables.append(f"# {comments[feature.name]}\n{tomli_w.dumps(words)}")
    tables += [tomli_w.dumps({"classes": {str(one.value): _words(one, CLASS)}}) for one in schema.classes]
    return "\n".join(tables)


def _words(struct: Any, types: Table) -> dict[str, Any]:
    """Return the words of a struct that TOML can hold: it has no null."""
    words = {name: getattr(struct, name) for name in types}
    return {name: list(one) if isinstance(one, tuple) else one for name, one in words.items() if one is not None}
