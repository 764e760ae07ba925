"""The spellings by which the names of clients mean a feature."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from iris_app.schema.feature import Feature

NOT_ALPHANUMERIC = re.compile(r"[\W_]+")

# Words of letters, each with the point behind it that marks an abbreviation, and numbers.
WORD = re.compile(r"([^\W\d_]+\.?)|(\d+)")
CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")

# The letters of an abbreviation without a point, and the characters of a name that may be one.
MIN_ABBREVIATION = 3
MAX_ABBREVIATED = 100

Words = tuple[str, ...]


class Spellings:
    """Find the feature that a name means, by its letters and digits.

    A unit may be at the end, also behind "in". In a name of several words, all but one may be abbreviated.

    Parameters
    ----------
    features : iterable of Feature
    """

    def __init__(self, features: Iterable[Feature]) -> None:
        self._features: dict[str, Feature | None] = {}
        self._by_initials: defaultdict[Words, list[tuple[Words, Feature]]] = defaultdict(list)
        features = list(features)
        for spell in (_exact_spellings, _spellings_by_unit):
            self._add((feature, spell(feature)) for feature in features)
        for feature in features:
            for words in {_words(name) for name in _names(feature)}:
                if len(words) > 1:
                    self._by_initials[_initials(words)].append((words, feature))

    def _add(self, spelt: Iterable[tuple[Feature, set[str]]]) -> None:
        """Add spellings that are not known yet; None marks those of several features."""
        found: defaultdict[str, list[Feature]] = defaultdict(list)
        for feature, spellings in spelt:
            for spelling in spellings:
                found[spelling].append(feature)
        for spelling, features in found.items():
            self._features.setdefault(spelling, features[0] if len(features) == 1 else None)

    def find(self, name: str) -> Feature | None:
        """Return the feature that a name means, or None if there is none, or more than one."""
        spelling = _spell(name)
        return self._features[spelling] if spelling in self._features else self._find_abbreviated(name)

    def _find_abbreviated(self, name: str) -> Feature | None:
        if len(name) > MAX_ABBREVIATED or not any(map(str.isalpha, name)):
            return None
        words = _words(name)
        found = {
            feature.name: feature
            for full, feature in self._by_initials.get(_initials(words), ())
            if all(map(_abbreviates, words, full)) and any(map(_is_same, words, full))
        }
        return next(iter(found.values())) if len(found) == 1 else None


def _spell(name: str) -> str:
    return NOT_ALPHANUMERIC.sub("", name.casefold())


def _names(feature: Feature) -> Iterator[str]:
    yield from (feature.name, feature.form_name, feature.label, *feature.spellings)


def _exact_spellings(feature: Feature) -> set[str]:
    return {_spell(name) for name in (*_names(feature), feature.title)} - {""}


def _spellings_by_unit(feature: Feature) -> set[str]:
    """Return the spellings with the unit at the end, and without it."""
    unit = _spell(feature.unit)
    exact = _exact_spellings(feature)
    if not unit:
        return set()
    with_unit = {f"{spelling}{between}{unit}" for spelling in exact for between in ("", "in")}
    return (with_unit | {spelling.removesuffix(unit) for spelling in exact}) - {""}


def _words(name: str) -> Words:
    """Return the words of a name, in lower case."""
    return tuple(match[0].casefold() for match in WORD.finditer(CAMEL_CASE.sub(" ", name)))


def _initials(words: Words) -> Words:
    """Return the first letter of each word, and each number."""
    return tuple(word if word.isdigit() else word[:1] for word in words)


def _is_same(word: str, full: str) -> bool:
    return word.removesuffix(".") == full


def _abbreviates(word: str, full: str) -> bool:
    is_marked = word.endswith(".") or len(word) >= MIN_ABBREVIATION
    return _is_same(word, full) or (is_marked and full.startswith(word.removesuffix(".")) and not word[0].isdigit())
