"""The result of a file, as its page shows it."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from iris_app.codecs.csv_rows import ParsedTable
from iris_app.formatting import truncate
from iris_app.model.agreement import Agreement
from iris_app.model.predictions import PredictionBatch
from iris_app.schema import Class, Schema
from iris_app.ui import charts
from iris_app.ui.charts import Odds

# The unusual rows that the page shows, and as many that the model is least sure of; the download has all rows.
MAX_ROWS_SHOWN = 50

# What the page shows of a row: columns, characters of a cell, and warnings.
MAX_COLUMNS_SHOWN, MAX_CELL_LENGTH, MAX_WARNINGS_SHOWN = 20, 40, 3

# The columns that are searched for the true classes, and the characters of a cell that are.
MAX_TARGET_COLUMNS = 3
MAX_LABEL_LENGTH = 100


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row that the page shows: the line where it begins, its cells, its prediction and why it is unusual."""

    line: int
    cells: list[str]
    answer: Odds
    reasons: list[str]


@dataclass(frozen=True)
class BatchResult:
    """The result of a file.

    Attributes
    ----------
    filename : str
        The name of the file, as it is shown.
    table : ParsedTable
    batch : PredictionBatch
    """

    filename: str
    table: ParsedTable
    batch: PredictionBatch

    @property
    def schema(self) -> Schema:
        """The schema of the model."""
        return self.batch.schema

    @cached_property
    def counts(self) -> list[tuple[str, int]]:
        """The label of each class and its number of rows."""
        counts = self.batch.class_counts()
        return [(class_.label, counts.get(class_.name, 0)) for class_ in self.schema.classes]

    @property
    def outliers(self) -> int:
        """The number of unusual rows."""
        return len(self.batch.outliers.rows)

    @cached_property
    def agreement(self) -> Agreement | None:
        """The agreement with the column that names most true classes, if there is one."""
        columns = [index for index, name in enumerate(self.table.header) if self.schema.is_target_column(name)]
        columns = columns[:MAX_TARGET_COLUMNS]
        candidates: list[list[Class | None]] = [[] for _ in columns]
        for row in self.table.rows if columns else ():
            for index, classes in zip(columns, candidates, strict=True):
                classes.append(self.schema.match_class(row[index][:MAX_LABEL_LENGTH]))
        actual = max(candidates, key=lambda classes: sum(map(bool, classes)), default=[])
        names = [class_.name if class_ else None for class_ in actual]
        agreement = Agreement.count(self.schema.class_names, Counter(zip(names, self.batch.labels(), strict=False)))
        return agreement if agreement.named else None

    @cached_property
    def columns(self) -> list[int]:
        """The indices of the columns that are shown: those of the features before the others."""
        header = self.table.header
        indices = sorted(range(len(header)), key=lambda index: self.schema.match_feature(header[index]) is None)
        return sorted(indices[:MAX_COLUMNS_SHOWN])

    @property
    def header(self) -> list[str]:
        """The names of the columns that are shown."""
        return [truncate(self.table.header[index], MAX_CELL_LENGTH) for index in self.columns]

    @cached_property
    def shown(self) -> tuple[list[ShownRow], list[ShownRow]]:
        """The most unusual rows, and those that the model is least sure of."""
        unusual = self.batch.outliers.most_unusual(MAX_ROWS_SHOWN)
        unsure = self.batch.least_sure(MAX_ROWS_SHOWN)
        wanted = {*unusual.tolist(), *unsure.tolist()}
        rows = {index: row for index, row in enumerate(self.table.rows.numbered()) if index in wanted}
        return self._show(unusual, rows), self._show(unsure, rows)

    def _show(self, indices: NDArray[np.int64], rows: dict[int, tuple[int, list[str]]]) -> list[ShownRow]:
        (predictions,) = self.batch.take(indices).to_predictions() if len(indices) else [[]]
        return [
            ShownRow(
                line,
                [truncate(cells[column], MAX_CELL_LENGTH) for column in self.columns],
                charts.predicted_odds(self.schema, prediction),
                [warning.detail for warning in prediction.warnings[:MAX_WARNINGS_SHOWN]],
            )
            for (line, cells), prediction in zip(map(rows.__getitem__, indices.tolist()), predictions, strict=True)
        ]
