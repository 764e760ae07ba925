"""Corrections of the likeliest slips: values that are swapped, or in another unit."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from iris_app.formatting import format_number
from iris_app.model.outlier_detection.swaps import MAX_SHARE, SwapFinder
from iris_app.schema import Schema
from iris_app.schema.units import Conversion, find_smaller

COUNTS = (
    "",
    "",
    "Both",
    "All three",
    "All four",
    "All five",
    "All six",
    "All seven",
    "All eight",
    "All nine",
    "All ten",
)

# The values that a sentence names.
MAX_NAMED = 6

# The indices of features, and the conversion of their values.
Candidate = tuple[list[int], Conversion]


class Repair(NamedTuple):
    """A correction that makes an unusual row a usual one.

    Attributes
    ----------
    action : str
        What to do, as the text of a button.
    reason : str
        A sentence, or empty where the action says it.
    row : list of float
        The corrected row.
    """

    action: str
    reason: str
    row: list[float]


class UnitFinder:
    """Find the unit in which the values of an unusual row are usual ones.

    Parameters
    ----------
    schema : Schema
    swap_finder : SwapFinder
        It computes the squared distances of rows.
    """

    def __init__(self, schema: Schema, swap_finder: SwapFinder) -> None:
        self._schema, self._swap_finder = schema, swap_finder
        together, alone = _find_candidates(schema)
        self._candidates, self._first_alone = together + alone, len(together)

    def find(self, row: Sequence[float], square: float) -> Repair | None:
        """Return the correction of a row with this squared distance, if a unit makes it usual.

        All values of a unit are converted together, from its common units first, or else the one that this helps most.
        """
        rows = [_convert(row, columns, conversion) for columns, conversion in self._candidates]
        if not rows:
            return None
        squares = self._swap_finder.possible_squares(np.ascontiguousarray(np.array(rows).T))
        limit = np.fmin(square * MAX_SHARE, self._swap_finder.threshold)
        (found,) = np.nonzero(squares < limit)
        if not len(found):
            return None
        best = int(found[0] if found[0] < self._first_alone else found[squares[found].argmin()])
        return Repair(self._describe(*self._candidates[best], rows[best]), "", rows[best])

    def _describe(self, columns: list[int], conversion: Conversion, row: list[float]) -> str:
        features = [self._schema.features[column] for column in columns]
        count = COUNTS[len(features)] if len(features) < len(COUNTS) else f"All {len(features)}"
        unit = "" if len(features) == len(self._schema.features) else f" in {features[0].unit}"
        subject = f"{features[0].label} looks" if len(features) == 1 else f"{count}{unit} look"
        values = [format_number(row[column]) for column in columns]
        more = ", …" if len(values) > MAX_NAMED else ""
        return f"{subject} like {conversion.unit.plural}: use {', '.join(values[:MAX_NAMED])}{more}"


def _find_candidates(schema: Schema) -> tuple[list[Candidate], list[Candidate]]:
    """Return the numeric features of each unit, with each conversion to it, and each alone, with a smaller one."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for index, feature in enumerate(schema.features):
        if feature.is_numeric:
            groups[feature.unit].append(index)
    together, alone = [], []
    for unit, columns in groups.items():
        conversions: dict[Conversion, None] = dict.fromkeys(schema.features[columns[0]].conversions.values())
        together += [(columns, one) for one in conversions if one.scale != 1 or one.shift]
        if len(columns) > 1 and (smaller := find_smaller(unit)):
            alone += [([column], smaller) for column in columns]
    return together, alone


def _convert(row: Sequence[float], columns: list[int], conversion: Conversion) -> list[float]:
    converted = list(row)
    for column in columns:
        converted[column] = conversion.convert(row[column])
    return converted
