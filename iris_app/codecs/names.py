"""Match the names that clients give, of fields, columns or tensors, with the features."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from typing import NamedTuple

from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument
from iris_app.formatting import find_nearest, truncate
from iris_app.schema import Feature, Schema

# The names that an error lists.
NAMES_LISTED = 20

# The names that a table or an object may have, and the characters of a table's.
MAX_NAMES = 1000
MAX_CHARACTERS = 64 * 1024

# How alike a further name and that of an absent feature are for the one to be taken for the other, misspelt.
MISSPELT = 0.75


Suggest = Callable[[str], Feature | None]


class Match(NamedTuple):
    """The names of features among others.

    Attributes
    ----------
    indices : list of int or None
        The index of the name of each feature, or None if it has none; an exact name goes before other spellings.
    repeated : list of (Feature, list of int)
        The features that are named more than once, and the indices of their names.
    misspelt : list of (int, Feature)
        The indices of names that are much like that of an absent feature.
    """

    indices: list[int | None]
    repeated: list[tuple[Feature, list[int]]]
    misspelt: list[tuple[int, Feature]]

    @property
    def is_any(self) -> bool:
        """True if a feature is named."""
        return any(index is not None for index in self.indices)

    @property
    def is_clear(self) -> bool:
        """True if features are named, none of them twice or misspelt."""
        return not self.repeated and not self.misspelt and self.is_any


def match_names(schema: Schema, names: Sequence[str]) -> Match:
    """Match names of features, among any others."""
    return _match(schema, names, cache(partial(_suggest, schema)))


class NameMatcher:
    """Match the names of many rows, of which most are alike."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._suggestions: dict[str, Feature | None] = {}
        self.match = lru_cache(64)(self._match)

    def _match(self, names: tuple[str, ...]) -> Match:
        return _match(self._schema, names, self._suggest)

    def _suggest(self, name: str) -> Feature | None:
        if name not in self._suggestions:
            if len(self._suggestions) >= MAX_NAMES:
                raise MalformedDocument(f"The rows have more than {MAX_NAMES:,} different fields that are no features.")
            self._suggestions[name] = _suggest(self._schema, name)
        return self._suggestions[name]


def _match(schema: Schema, names: Sequence[str], suggest: Suggest) -> Match:
    positions = {name: index for index, name in enumerate(names)}
    if len(positions) == len(names) and schema.features_by_name.keys() <= positions.keys():
        return Match([positions[name] for name in schema.features_by_name], [], [])  # fast path
    found: dict[str, list[int]] = {name: [] for name in schema.features_by_name}
    others = []
    for index, name in enumerate(names):
        if feature := schema.match_feature(name):
            found[feature.name].append(index)
        else:
            others.append(index)
    chosen = {name: [index for index in indices if names[index] == name] or indices for name, indices in found.items()}
    absent = {name for name, indices in chosen.items() if not indices}
    similar = ((index, suggest(names[index])) for index in others) if absent else ()
    return Match(
        [indices[0] if indices else None for indices in chosen.values()],
        [(schema.features_by_name[name], indices) for name, indices in chosen.items() if len(indices) > 1],
        [(index, feature) for index, feature in similar if feature and feature.name in absent],
    )


def _suggest(schema: Schema, name: str) -> Feature | None:
    """Return the feature whose name is much like another, if there is one."""
    nearest = find_nearest(name.lower(), schema.features_by_name, MISSPELT)
    return None if nearest is None else schema.features_by_name[nearest]


def find_features(
    schema: Schema, names: Sequence[str], what: str = "column", line: int | None = None
) -> list[int | None]:
    """Return the index of the name of each feature, or None if it has none and may be missing.

    Parameters
    ----------
    schema : Schema
    names : sequence of str
    what : str
        What is named, for an error message.
    line : int, optional
        The line where the names are, for errors.

    Raises
    ------
    MalformedDocument
        If there are more names than a table may have.
    InvalidValues
        If a feature is named more than once, or not at all although it may not be missing, or if its name is misspelt.
    """
    check_size(names, what)
    match = match_names(schema, names)
    if wrong := list(describe_errors(schema, names, match, what)):
        raise InvalidValues(partial(InvalidValue, detail, line=line, column=feature.name) for feature, detail in wrong)
    return match.indices


def check_size(names: Sequence[str], what: str) -> None:
    """Raise ``MalformedDocument`` if there are more names than a table may have."""
    if len(names) > MAX_NAMES:
        raise MalformedDocument(f"{len(names):,} {what}s are more than the {MAX_NAMES:,} that a table may have.")
    if sum(map(len, names)) > MAX_CHARACTERS:
        raise MalformedDocument(
            f"The names of the {what}s have more than the {MAX_CHARACTERS:,} characters that they may."
        )


def describe_errors(schema: Schema, names: Sequence[str], match: Match, what: str) -> Iterator[tuple[Feature, str]]:
    """Yield a sentence for each feature whose name is repeated, misspelt or absent."""
    for feature, indices in match.repeated:
        yield feature, describe_repeated(feature, [names[index] for index in indices], what)
    misspelt = {feature.name: names[index] for index, feature in match.misspelt}
    absent = find_absent(schema, match)
    if absent and not match.is_any and not misspelt:
        listed = f"; the {what}s are {quote_names(names)}" if any(names) else ""
        missing = list_names([feature.name for feature in absent])
        yield absent[0], f"There is no {what} {missing}{listed}."
        return
    for feature in absent:
        meant = f' Is it "{truncate(misspelt[feature.name])}"?' if feature.name in misspelt else ""
        yield feature, f"There is no {what} {truncate(feature.name)}.{meant}"


def find_absent(schema: Schema, match: Match) -> list[Feature]:
    """Return the features that have no name and may not be missing, or are misspelt.

    Names without any feature's are those of another table, even if each may be missing.
    """
    misspelt = {feature.name for _, feature in match.misspelt}
    return [
        feature
        for feature, index in zip(schema.features, match.indices, strict=True)
        if index is None and (feature.name in misspelt or not (feature.optional and match.is_any))
    ]


def describe_unnamed(schema: Schema, indices: Sequence[int | None]) -> list[str]:
    """Return a clause about the features that no column holds, if there are any."""
    names = [feature.name for feature, index in zip(schema.features, indices, strict=True) if index is None]
    return [f"no column is {list_names(names)}, so that is missing in every row"] if names else []


def describe_repeated(feature: Feature, names: Sequence[str], what: str) -> str:
    """Describe a feature that several names mean."""
    several = " and ".join(map(truncate, names[:5]))
    return f"The {what}s {several} are each {feature.label.lower()}; there must be one."


def list_names(names: Sequence[str]) -> str:
    """List the first names for a message, and count the others."""
    omitted = len(names) - NAMES_LISTED
    return ", ".join(map(truncate, names[:NAMES_LISTED])) + (f" and {omitted} more" if omitted > 0 else "")


def list_features(schema: Schema) -> str:
    """List the names of the features, in their order."""
    return list_names(list(schema.features_by_name))


def quote_names(names: Sequence[str]) -> str:
    """List the first names in quotes for a message, and count the others."""
    omitted = len(names) - 10
    return ", ".join(f"“{truncate(name, 30)}”" for name in names[:10]) + (
        f" and {omitted:,} more" if omitted > 0 else ""
    )
