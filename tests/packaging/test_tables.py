from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iris_app.exceptions import PackagingRefused
from iris_app.packaging import tables
from iris_app.packaging.tables import read_table


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def write(content: str | bytes, name: str = "table.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_cells_stand_as_they_were_written(write: Callable[..., Path]) -> None:
    table = read_table(write('code,size,name\n001, 1.50,"a, b"\n010,,NA\n'))
    assert table.columns.tolist() == ["code", "size", "name"]
    assert table["code"].tolist() == ["001", "010"]
    assert table["size"].tolist()[0] == " 1.50"
    assert table.isna().sum().tolist() == [0, 1, 0]
    assert table["name"].tolist() == ["a, b", "NA"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["table.csv", "table.tsv", "TABLE.TXT"])
def test_the_delimiter_is_found(write: Callable[..., Path], delimiter: str, name: str) -> None:
    table = read_table(write(f"a{delimiter}b\n1{delimiter}2\n", name))
    assert table.to_dict("records") == [{"a": "1", "b": "2"}]


def test_a_byte_order_mark_is_no_part_of_a_name(write: Callable[..., Path]) -> None:
    assert read_table(write(b"\xef\xbb\xbfa,b\n1,2\n")).columns.tolist() == ["a", "b"]


def test_decimals_stand_behind_commas_where_semicolons_separate(write: Callable[..., Path]) -> None:
    table = read_table(write("a;b;c\n1,5;2;x\n-3;1,25;1,5\n"))
    assert table.to_dict("list") == {"a": ["1.5", "-3"], "b": ["2", "1.25"], "c": ["x", "1,5"]}
    assert read_table(write('a,b\n"1,5",2\n'))["a"].tolist() == ["1,5"]


def test_the_index_that_pandas_writes_is_left_out(write: Callable[..., Path]) -> None:
    assert read_table(write(",a\n0,5\n1,6\n")).columns.tolist() == ["a"]


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"a": [1, 2], "b": [True, False], "c": pd.Categorical(["x", "y"]), "d": pd.array([1, None], dtype="Int64")}
    )
    table.to_parquet(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.parquet"), table)


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        ("a,b\n", "table.csv", "has no rows"),
        ("", "table.csv", "cannot be read: No columns to parse from file"),
        (b"a,b\n\xff\xfe,1\n", "table.csv", "cannot be read: "),
        ("a,b,a\n1,2,3\n", "table.csv", 'two columns with the name "a"'),
        ('a\n"1\n', "table.csv", "cannot be read: "),
        ("no parquet", "table.parquet", "cannot be read: "),
        ("a", "table.xlsx", "neither CSV (.csv, .tsv, .txt) nor Parquet"),
    ],
)
def test_what_is_no_table_is_refused(write: Callable[..., Path], content: str, name: str, says: str) -> None:
    with pytest.raises(PackagingRefused) as refused:
        read_table(write(content, name))
    assert says in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackagingRefused, match="No such file"):
        read_table(tmp_path / "table.csv")


def test_parquet_with_two_columns_of_a_name_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "table.parquet")
    with pytest.raises(PackagingRefused, match='two columns with the name "a"'):
        read_table(tmp_path / "table.parquet")


def test_a_table_that_is_too_large_is_refused(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = write("a,b\n1,2\n")
    pd.DataFrame({"a": [1]}).to_parquet(path.with_suffix(".parquet"))
    monkeypatch.setattr(tables, "MAX_VALUES", 0)
    with pytest.raises(PackagingRefused, match="has 1 rows: give a sample"):
        read_table(path.with_suffix(".parquet"))
    monkeypatch.setattr(tables, "MAX_COLUMNS", 1)
    with pytest.raises(PackagingRefused, match="more than 1 columns"):
        read_table(path)
    monkeypatch.setattr(tables, "MAX_FILE_SIZE", 1)
    with pytest.raises(PackagingRefused, match="8 bytes, more than 1: give a sample"):
        read_table(path)


def test_parquet_needs_pyarrow(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(PackagingRefused, match=r"needs pyarrow to be read: install iris_app\[bulk\]"):
        read_table(write("", "table.parquet"))
