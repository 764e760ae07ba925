"""Find the features among names that clients give: of fields, columns or tensors."""

from collections.abc import Sequence

from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate
from iris_app.schema import Schema

# The names that an error lists.
NAMES_LISTED = 20


def match_names(schema: Schema, names: Sequence[str], what: str) -> list[int | None]:
    """Return the index of the name of each feature, or None if it has none; an exact name goes before other spellings.

    Parameters
    ----------
    schema : Schema
    names : sequence of str
        Names of features, among any others.
    what : str
        The plural of what is named, for an error message.

    Raises
    ------
    MalformedDocument
        If a feature is named more than once.
    """
    positions = {name: index for index, name in enumerate(names)}
    if len(positions) == len(names) and schema.features_by_name.keys() <= positions.keys():
        return [positions[name] for name in schema.features_by_name]  # fast path
    found: dict[str, list[int]] = {name: [] for name in schema.features_by_name}
    for index, name in enumerate(names):
        if feature := schema.match_feature(name):
            found[feature.name].append(index)
    return [_choose(schema, name, indices, names, what) for name, indices in found.items()]


def _choose(schema: Schema, feature: str, indices: list[int], names: Sequence[str], what: str) -> int | None:
    chosen = [index for index in indices if names[index] == feature] or indices
    if len(chosen) > 1:
        several = " and ".join(truncate(names[index]) for index in chosen[:5])
        label = schema.features_by_name[feature].label
        raise MalformedDocument(f"The {what} {several} are each {label}; there must be one.")
    return chosen[0] if chosen else None


def list_names(names: Sequence[str]) -> str:
    """List the first names for a message, and count the others."""
    omitted = len(names) - NAMES_LISTED
    return ", ".join(map(truncate, names[:NAMES_LISTED])) + (f" and {omitted} more" if omitted > 0 else "")
