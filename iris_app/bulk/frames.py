"""The classifier as a function of data frames, for Dask, Ray Data, Spark and notebooks."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from iris_app.bulk.readers.values import read_rows
from iris_app.bulk.rows import find_known, predict_columns
from iris_app.codecs.csv_rows import answer_columns
from iris_app.codecs.names import find_features
from iris_app.model.artifact import Packed, pack, read_manifest, unpack
from iris_app.model.classifier import Model


def classifier(path: str | Path) -> Callable[[Any], Any]:
    """Make a picklable function that classifies data frames.

    Parameters
    ----------
    path : str or Path
        The model's artifact, beside its manifest.

    Returns
    -------
    function
        It takes a polars or pandas frame of n rows, whose columns name the features in any usual spelling, and returns
        it with the columns that ``flask classify`` writes; null in rows that cannot be classified.

    Raises
    ------
    ModelUnavailable
        If the digest of the artifact is not that in its manifest.
    """
    path = Path(path)
    return Classifier(pack(path, read_manifest(path)))


class Classifier:
    """A packed model that can be called with data frames."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed

    def __call__(self, frame: Any) -> Any:
        """Return the frame with the columns of the predictions."""
        model, names = load_packed(self._packed), [str(name) for name in frame.columns]
        places = find_features(model.schema, names)
        columns = [None if place is None else _series(frame[frame.columns[place]]) for place in places]
        rows = read_rows(model.schema, columns, len(frame))
        answers = predict_columns(model, rows, find_known(model.schema.accepted(rows))).columns
        named = dict(zip(answer_columns(model.schema, names), answers, strict=True))
        if isinstance(frame, pl.DataFrame):
            return frame.with_columns(**named)
        return frame.assign(**{name: column.to_list() for name, column in named.items()})


@lru_cache(maxsize=4)
def load_packed(packed: Packed) -> Model:
    """Load a packed model, once in a process."""
    return Model(*unpack(packed))


def _series(column: Any) -> pl.Series:
    """Return a column of polars or pandas as numbers, booleans or text."""
    if isinstance(column, pl.Series):
        return column.cast(pl.String) if isinstance(column.dtype, pl.Categorical | pl.Enum) else column
    if column.dtype.kind in "iufb":
        return pl.Series(column.to_numpy(np.float64, na_value=np.nan))
    texts = [None if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
    return pl.Series(texts, dtype=pl.String)
