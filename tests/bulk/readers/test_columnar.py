"""Files of typed columns: Parquet and Arrow."""

import datetime as dt
import decimal
import io
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from iris_app.bulk.readers import columnar
from iris_app.bulk.readers.columnar import FrameFile
from iris_app.bulk.readers.options import Reading
from iris_app.exceptions import InvalidValues, MalformedDocument
from iris_app.iris import SCHEMA
from tests.bulk.readers.reading import Rows, read_all
from tests.support import FLOWER

ROW = list(FLOWER.values())


def table(**columns: Any) -> pl.DataFrame:
    """Make a table of as many equal flowers as there are values, with other columns or with these."""
    count = len(next(iter(columns.values()))) if columns else 1
    return pl.DataFrame({name: [value] * count for name, value in FLOWER.items()} | columns)


def packed(frame: pl.DataFrame, form: str = "parquet", **options: Any) -> io.BytesIO:
    content = io.BytesIO()
    (frame.write_parquet if form == "parquet" else frame.write_ipc)(content, **options)
    content.seek(0)
    return content


def read(frame: pl.DataFrame, *, keep: bool = False) -> Rows:
    reader = FrameFile(packed(frame), Reading(SCHEMA, keep=keep))
    rows = read_all(reader)
    assert reader.done() == 1
    return rows


@pytest.mark.parametrize(
    "dtype", [pl.Float64, pl.Float32, pl.Int8, pl.UInt64, pl.Decimal(10, 2), pl.String, pl.Categorical]
)
def test_numbers_of_any_type_are_read(dtype: Any) -> None:
    column = pl.Series([1, 2]).cast(pl.String).cast(dtype) if dtype == pl.Categorical else pl.Series([1, 2]).cast(dtype)
    assert read(table(petal_width=column)).values[:, 3].tolist() == [1, 2]


@pytest.mark.parametrize("values", [[True], [dt.date(2000, 1, 1)], [dt.timedelta(1)], [b"1"], [[1.0]], [{"a": 1}]])
def test_a_feature_of_a_type_that_holds_no_numbers_is_named(values: list[object]) -> None:
    with pytest.raises(InvalidValues) as refused:
        read(table(petal_width=values))
    ((column, detail),) = [(error.column, error.detail) for error in refused.value.errors]
    assert column == "petal_width"
    assert detail.startswith("Column petal_width holds ")


def test_a_column_of_nulls_is_missing_in_each_row() -> None:
    assert [reject.line for reject in read(table(petal_width=[None, None])).rejects] == [1, 2]


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_rows_are_numbered_over_pieces(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    monkeypatch.setattr(columnar, "CHUNK_ROWS", rows)
    read_rows = read(table(petal_width=[0.2, 0, 0.3, 99, 0.4]))
    assert [reject.line for reject in read_rows.rejects] == [2, 4]
    assert read_rows.values[:, 3].tolist() == [0.2, 0.3, 0.4]
    assert read_rows.frame["petal_width"].to_list() == [0.2, 0.3, 0.4]


def test_rows_that_are_kept_are_not_known() -> None:
    rows = read(table(petal_width=[0.2, 0, 0.3]), keep=True)
    assert rows.known is not None
    assert rows.known.tolist() == [True, False, True]
    assert rows.frame["petal_width"].to_list() == [0.2, 0, 0.3]


def test_a_table_without_rows_has_its_columns_all_the_same() -> None:
    rows = read(table(note=[1]).clear())
    assert (rows.read, rows.frame.columns) == (0, [*FLOWER, "note"])


def test_what_the_file_says_of_the_species_is_passed_on() -> None:
    rows = read(table(petal_width=[0.2, 0], species=pl.Series(["a", "b"], dtype=pl.Categorical)))
    assert rows.actual is not None
    assert rows.actual.to_list() == ["a"]


def test_a_row_that_is_rejected_is_written_as_json_without_what_that_cannot_hold() -> None:
    others = {"raw": [b"\xff"], "raws": [[b"\xff"]], "one": [{"raw": b"\xff"}], "many": [[1]], "on": [True]}
    (reject,) = read(table(petal_width=[0.0], **others)).rejects
    assert reject.row == (
        '{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.0,"many":[1],"on":true}'
    )


def test_a_decimal_is_told_as_a_number() -> None:
    (reject,) = read(table(petal_width=[decimal.Decimal("99.5")])).rejects
    assert reject.errors[0].detail.endswith("not 99.5. In millimetres? Then it is 9.95 cm.")


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_files_are_read_a_batch_at_a_time_and_in_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    monkeypatch.setattr(columnar, "CHUNK_ROWS", 1000)
    (tmp_path / "flowers").write_bytes(packed(table(number=range(10_000)), form).getvalue())
    chunks = list(FrameFile(str(tmp_path / "flowers"), Reading(SCHEMA), form).chunks())
    assert pl.concat([frame for _, frame in chunks])["number"].to_list() == list(range(10_000))
    assert [first for first, _ in chunks] == list(range(1, 10_001, 1000))


def test_groups_of_rows_are_read_and_numbered_as_in_the_whole() -> None:
    content = packed(table(petal_width=[0.2, 0.2, 0.3, 0, 0.5, 0.6]), row_group_size=2)
    rows = read_all(FrameFile(content, Reading(SCHEMA), rows=(2, 4)))
    assert (rows.values[:, 3].tolist(), [reject.line for reject in rows.rejects]) == ([0.3], [4])


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_what_is_not_of_the_form_is_malformed(form: str) -> None:
    with pytest.raises(MalformedDocument, match="It cannot be read: "):
        FrameFile(io.BytesIO(b"5.1,3.5,1.4,0.2"), Reading(SCHEMA), form)


def test_a_decimal_comma_is_read_in_text() -> None:
    assert read(table(petal_width=["0,2"])).values.tolist() == [ROW]
