"""The classifier as a function of frames, for whatever splits a table into such: Dask, Ray Data, Spark, notebooks."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from iris_app.bulk.readers.values import read_numbers
from iris_app.bulk.rows import find_wrong, predict_columns
from iris_app.codecs.csv_rows import answer_columns, find_features
from iris_app.model.artifact import Packed, pack, read_manifest, unpack
from iris_app.model.classifier import Model
from iris_app.schema import Floats


def classifier(path: str | Path) -> Callable[[Any], Any]:
    """Make a function that classifies frames and can be sent to other processes and machines.

    Parameters
    ----------
    path : str or Path
        The model's artifact, as ``scripts/train_model.py`` saves it, with its manifest beside it.

    Returns
    -------
    function
        It takes a polars or pandas frame of n rows, whose columns name the features in any usual spelling, and returns
        it with the columns that ``flask classify`` writes; null in rows that cannot be classified.

    Raises
    ------
    ModelUnavailable
        Where the artifact is not the one that its manifest describes, here or where the function is called first.
    """
    place = Path(path)
    return Classifier(pack(place, read_manifest(place)))


class Classifier:
    """A packed model, to be called with frames."""

    def __init__(self, packed: Packed) -> None:
        self._packed = packed

    def __call__(self, frame: Any) -> Any:
        """Return a frame with the answers' columns, of its own kind."""
        columns = [str(name) for name in frame.columns]
        places = find_features(columns)
        numbers = [_numbers(frame[frame.columns[place]]) for place in places]
        measurements = np.column_stack(numbers)
        measurements[find_wrong(measurements)[:, 0]] = np.nan
        answers = predict_columns(_model(self._packed), measurements).columns
        named = dict(zip(answer_columns(columns), answers, strict=True))
        if isinstance(frame, pl.DataFrame):
            return frame.with_columns(**named)
        return frame.assign(**{name: column.to_list() for name, column in named.items()})


@lru_cache(maxsize=4)
def _model(packed: Packed) -> Model:
    return Model(*unpack(packed))


def _numbers(column: Any) -> Floats:
    """Read a column of polars or pandas as numbers."""
    if isinstance(column, pl.Series):
        return read_numbers(column)
    if column.dtype.kind in "iufb":
        return read_numbers(pl.Series(column.to_numpy(np.float64, na_value=np.nan)))
    texts = [None if missing else str(value) for value, missing in zip(column, column.isna(), strict=True)]
    return read_numbers(pl.Series(texts, dtype=pl.String))
