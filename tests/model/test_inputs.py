import sys

import numpy as np
import pandas as pd
import pytest

from iris_app.exceptions import ModelUnavailable
from iris_app.model.inputs import Inputs, PipelineInputs
from iris_app.schema import MISSING, UNKNOWN, Class, Feature, Schema

CLASSES = (Class(name="a", label="A", value="a"), Class(name="b", label="B", value="b"))


def schema(*features: Feature) -> Schema:
    return Schema(name="test", features=features, classes=CLASSES)


def feature(kind: str, *categories: str | int) -> Feature:
    return Feature(  # type: ignore[call-arg]
        name="x", form_name="x", label="X", kind=kind, categories=categories, optional=True, allow_unknown=True
    )


def column(one: Feature, dtype: str, *values: float) -> pd.Series:
    """Return the column that a pipeline gets which was trained on a frame with one column."""
    inputs = PipelineInputs(schema(one), Inputs("frame", {"x": dtype}))
    return inputs.to_input(np.array(values)[:, None])["x"]


def array(one: Feature, *values: float) -> np.ndarray:
    return PipelineInputs(schema(one), Inputs()).to_input(np.array(values)[:, None])[:, 0]


@pytest.mark.parametrize(
    ("one", "dtype", "values", "expected"),
    [
        (feature("number"), "float64", [1.5, MISSING], [1.5, np.nan]),
        (feature("number"), "float32", [1.5], np.array([1.5], np.float32)),
        (feature("integer"), "int64", [1, 2], [1, 2]),
        (feature("integer"), "int64", [1, MISSING], [1.0, np.nan]),
        (feature("integer"), "Int64", [1, MISSING], pd.array([1, None], dtype="Int64")),
        (feature("boolean"), "bool", [1, 0], [True, False]),
        (feature("boolean"), "bool", [1, MISSING], np.array([True, np.nan], object)),
        (feature("boolean"), "object", [1, MISSING], np.array([True, np.nan], object)),
        (feature("boolean"), "boolean", [1, MISSING], pd.array([True, None], dtype="boolean")),
        (feature("boolean"), "int64", [1, 0], [1, 0]),
        (feature("category", "u", "v"), "object", [1, MISSING, 0], np.array(["v", np.nan, "u"], object)),
        (feature("category", "u", "v"), "str", [1, MISSING], pd.array(["v", None], dtype="str")),
        (feature("category", "u", "v"), "object", [UNKNOWN], np.array(["unknown"], object)),
        (feature("category", "unknown", "v"), "object", [UNKNOWN], np.array(["unknown_"], object)),
        (feature("category", 3, 5), "int64", [1, 0], [5, 3]),
        (feature("category", 3, 5), "int64", [1, MISSING], [5.0, np.nan]),
        (feature("category", 3, 5), "int64", [UNKNOWN], [6]),
        (feature("category", "0.5", "1.5"), "float64", [1, 0, MISSING], [1.5, 0.5, np.nan]),
        (feature("category", "0.5", "1.5"), "float64", [UNKNOWN], [2.5]),
        (
            feature("category", "u", "v"),
            "category",
            [1, MISSING, UNKNOWN],
            pd.Categorical(["v", None, None], ["u", "v"]),
        ),
    ],
)
def test_a_frame_has_the_types_of_the_training(one: Feature, dtype: str, values: list[float], expected: object) -> None:
    pd.testing.assert_series_equal(column(one, dtype, *values), pd.Series(expected, name="x"))


@pytest.mark.parametrize(
    ("one", "values", "expected"),
    [
        (feature("number"), [1.5, MISSING], [1.5, np.nan]),
        (feature("boolean"), [1, 0], [1.0, 0.0]),
        (feature("category", 3, 5), [1, MISSING, UNKNOWN], [5.0, np.nan, 6.0]),
    ],
)
def test_an_array_has_the_numbers_of_the_training(one: Feature, values: list[float], expected: list[float]) -> None:
    np.testing.assert_array_equal(array(one, *values), expected)


def test_an_array_with_a_category_that_is_text_holds_objects() -> None:
    two = schema(feature("category", "u", "v"), Feature(name="y", form_name="y", label="Y"))
    inputs = PipelineInputs(two, Inputs())
    assert inputs.to_input(np.array([[1, 2.5], [UNKNOWN, 3]])).tolist() == [["v", 2.5], ["unknown", 3.0]]


def test_rows_stay_as_they_are() -> None:
    rows = np.array([[1.0], [0.0]])
    PipelineInputs(schema(feature("category", 3, 5)), Inputs()).to_input(rows)
    assert rows.tolist() == [[1.0], [0.0]]


def test_without_pandas_a_model_that_takes_frames_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModelUnavailable, match="pandas is not installed here"):
        PipelineInputs(schema(feature("number")), Inputs("frame"))
