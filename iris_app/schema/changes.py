"""The changes between two schemas that break clients."""

from collections.abc import Iterator

from iris_app.schema import Feature, Schema


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """Describe how a schema refuses rows, or names its answers, unlike the one before it.

    Wider bounds, further categories and further features that may be missing break nothing.
    """
    changes = [change for feature in new.features for change in _feature_changes(old, feature)]
    changes += [f"{feature.name} is gone" for feature in old.features if feature.name not in new.features_by_name]
    if old.answer_key != new.answer_key:
        changes.append(f"the answer is called {new.answer_key} instead of {old.answer_key}")
    return changes


def _feature_changes(schema: Schema, new: Feature) -> Iterator[str]:
    old = schema.features_by_name.get(new.name)
    if old is None:
        if not new.optional:
            yield f"{new.name} is new, and may not be missing"
        return
    if old.kind != new.kind:
        yield f"{new.name} is {_article(new.kind)} instead of {_article(old.kind)}"
        return
    if old.unit != new.unit:
        yield f"{new.name} is in {new.unit or 'no unit'} instead of {old.unit or 'no unit'}"
    if old.optional and not new.optional:
        yield f"{new.name} may no longer be missing"
    if new.is_numeric and not (new.limits[0] <= old.limits[0] and new.limits[1] >= old.limits[1]):
        yield f"{new.name} must be {new.bounds}"
    if new.kind == "category" and not new.allow_unknown:
        if lost := [str(category) for category in old.categories if str(category) not in new.indices]:
            yield f"{new.name} can no longer be {', '.join(lost[:5])}{' and others' if len(lost) > 5 else ''}"
        elif old.allow_unknown:
            yield f"{new.name} must be a category that the model knows"


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "integer" else f"a {kind}"
