"""Bad cells of every kind in the API's table, in each form: named with file, line and column, and counted."""

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from flask.testing import FlaskClient

from tests.bulk.conftest import Classify
from tests.support import FLOWER

LABEL = "Petal width"
NUMBER = f"{LABEL} must be a number in cm, not "
BOUNDS = f"{LABEL} must be greater than 0 and at most 30 cm, not "
MISSING = f"{LABEL} is missing."

# What stands in a cell of CSV, and what is said of it.
CELLS = {
    "wide": f'{NUMBER}"wide".',
    "": MISSING,
    " ": MISSING,
    "null": MISSING,
    "NA": MISSING,
    "true": f'{NUMBER}"true".',
    "[0.2]": f'{NUMBER}"[0.2]".',
    "1_0": f'{NUMBER}"1_0".',
    "0x1": f'{NUMBER}"0x1".',
    "0.2 kg": f'{NUMBER}"0.2 kg".',
    '"0,2,1"': f'{NUMBER}"0,2,1".',
    "nan": MISSING,
    "inf": f'{NUMBER}"inf".',
    "1e999": f'{NUMBER}"1e999".',
    "9" * 400: f'{NUMBER}"{"9" * 40}…".',
    "0": f"{BOUNDS}0.",
    "-0.2": f"{BOUNDS}-0.2.",
    "30.1": f"{BOUNDS}30.1. In millimetres? Then it is 3.01 cm.",
    "301": f"{BOUNDS}301.",
    "x" * 100: f'{NUMBER}"{"x" * 40}…".',
}

# What is said of a value in JSON.
VALUES = {
    '"wide"': f"{NUMBER}text.",
    '"0.2"': f"{NUMBER}text.",
    '""': f"{NUMBER}text.",
    "null": f"{NUMBER}null.",
    "true": f"{NUMBER}true or false.",
    "false": f"{NUMBER}true or false.",
    "[0.2]": f"{NUMBER}a list.",
    "{}": f"{NUMBER}an object.",
    "0": f"{BOUNDS}0.",
    "-0.2": f"{BOUNDS}-0.2.",
    "20e0": "",
    "30.1": f"{BOUNDS}30.1. In millimetres? Then it is 3.01 cm.",
    "1e999": f"{BOUNDS}a number that is too large.",
    "9" * 400: f"{BOUNDS}a number that is too large.",
    "NaN": f"{NUMBER}null.",
    "-Infinity": f"{BOUNDS}a number that is too large.",
}

# Lines of NDJSON that are no flowers, and what is said of them.
LINES = {
    "{": "is not JSON: ",
    "flower": "is not JSON: ",
    json.dumps(FLOWER).replace("0.2", "01"): "is not JSON: ",
    json.dumps(FLOWER).replace("0.2", "1_0"): "is not JSON: ",
    f"{json.dumps(FLOWER)} {json.dumps(FLOWER)}": "is not JSON: ",
    "[5.1, 3.5, 1.4, 0.2]": "is no object with the features of a flower.",
    "5.1": "is no object with the features of a flower.",
    "null": "is no object with the features of a flower.",
    "[" * 100_000: "is nested too deeply to be read.",
}

# Rows of CSV that are of another length than the header.
LENGTHS = {"5.1,3.5,1.4": 3, "5.1": 1, "5.1,3.5,1.4,0.2,": 5, "5.1,3.5,1.4,0.2,1,2": 6, "-": 1}

# Values of columns that hold numbers, and of such that hold text.
FLOATS = {
    None: MISSING,
    math.nan: MISSING,
    math.inf: f"{BOUNDS}a number that is too large.",
    -math.inf: f"{BOUNDS}a number that is too large.",
    0.0: f"{BOUNDS}0.",
    -0.2: f"{BOUNDS}-0.2.",
    30.1: f"{BOUNDS}30.1. In millimetres? Then it is 3.01 cm.",
    1e300: f"{BOUNDS}1e+300.",
}
TEXTS = {text.strip('"'): said for text, said in CELLS.items()}


def name(value: object) -> str:
    return str(value)[:12]


@pytest.fixture
def complaints(classify: Classify, tmp_path: Path) -> Iterator[Any]:
    """Classify a file with one bad row, hold that nothing is written, and return what is said of it."""

    def run(path: Path) -> list[str]:
        result = classify(path, "-o", tmp_path / "out.ndjson")
        assert result.exit_code == 1
        assert not (tmp_path / "out.ndjson").exists()
        counts = dict(line.split() for line in result.stdout.splitlines()[:3])
        assert int(counts["read"]) == 3
        assert (int(counts["classified"]), int(counts["rejected"])) == (2, 1)
        lines: list[str] = result.stderr.splitlines()
        assert all(line.startswith(f"{path}: ") for line in lines)
        return [line.removeprefix(f"{path}: ") for line in lines[:-1]]

    return run


def csv_file(tmp_path: Path, row: str, delimiter: str = ",") -> Path:
    lines = [delimiter.join(FLOWER), delimiter.join(map(str, FLOWER.values())), row]
    path = tmp_path / "flowers.csv"
    path.write_text("\n".join([*lines, lines[1]]))
    return path


@pytest.mark.parametrize("cell", CELLS, ids=name)
def test_a_bad_cell_of_csv_is_named_as_the_api_names_it(
    complaints: Any, client: FlaskClient, tmp_path: Path, cell: str
) -> None:
    path = csv_file(tmp_path, f"5.1,3.5,1.4,{cell}")
    said = f"Line 3, column petal_width: {CELLS[cell]}"
    assert complaints(path) == [said]
    answer = client.post("/api/classify", data=path.read_bytes(), content_type="text/csv")
    assert [error["detail"] for error in json.loads(answer.text)["errors"]] == [said]


@pytest.mark.parametrize("row", LENGTHS, ids=name)
def test_a_row_of_csv_of_another_length_is_named(complaints: Any, tmp_path: Path, row: str) -> None:
    count = LENGTHS[row]
    assert complaints(csv_file(tmp_path, row)) == [f"Line 3 has {count} cells where the header has 4."]


@pytest.mark.parametrize("row", [" ", '""', '" \t"'])
def test_a_blank_row_of_csv_is_named_as_such(complaints: Any, tmp_path: Path, row: str) -> None:
    assert complaints(csv_file(tmp_path, row)) == ["Line 3 is empty: take it out, or fill it in."]


def test_two_decimal_commas_are_no_number(complaints: Any, tmp_path: Path) -> None:
    said = complaints(csv_file(tmp_path, "5,1;3,5;1,4;0,2,1", ";"))
    assert said == [f'Line 3, column petal_width: {NUMBER}"0,2,1".']


def test_every_bad_cell_of_a_row_is_named(complaints: Any, tmp_path: Path) -> None:
    assert [line.split(":")[0] for line in complaints(csv_file(tmp_path, "x,0,,0.2"))] == [
        f"Line 3, column {column}" for column in list(FLOWER)[:3]
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"5.1,3.5,1.4,\xff", "Line 3 is not UTF-8. Save it"),
        (b"5.1,3.5,1.4,0\0", "Line 3 holds a NUL character"),
        (b'5.1,3.5,1.4,"0.2', "Line 3 is not CSV: unexpected end of data."),
    ],
)
@pytest.mark.parametrize("bad_rows", ["report", "skip", "null"])
def test_what_is_no_csv_costs_its_row_and_is_named_with_its_line(
    classify: Classify, tmp_path: Path, content: bytes, sentence: str, bad_rows: str
) -> None:
    path = tmp_path / "flowers.csv"
    path.write_bytes(",".join(FLOWER).encode() + b"\n5.1,3.5,1.4,0.2\n" + content + b"\n5.1,3.5,1.4,0.2\n")
    result = classify(path, "-o", tmp_path / "out.csv", "--bad-rows", bad_rows)
    said = result.stderr if bad_rows == "report" else (tmp_path / "out.csv.rejected").read_text()
    assert sentence in said
    assert dict(line.split() for line in result.stdout.splitlines()[:3])["classified"] == "2"


def ndjson_file(tmp_path: Path, line: str) -> Path:
    path = tmp_path / "flowers.ndjson"
    path.write_text("\n".join([json.dumps(FLOWER), "", line, json.dumps(FLOWER)]))
    return path


@pytest.mark.parametrize("value", [value for value, said in VALUES.items() if said], ids=name)
def test_a_bad_value_of_ndjson_is_named_as_the_api_names_it(
    complaints: Any, client: FlaskClient, tmp_path: Path, value: str
) -> None:
    path = ndjson_file(tmp_path, json.dumps(FLOWER).replace("0.2", value))
    assert complaints(path) == [f"Line 3, column petal_width: {VALUES[value]}"]
    answer = client.post("/api/classify", data=path.read_bytes(), content_type="application/x-ndjson")
    ((line, detail),) = [(error["line"], error["detail"]) for error in json.loads(answer.text)["errors"]]
    assert (line, detail) == (3, VALUES[value])


@pytest.mark.parametrize("line", LINES, ids=name)
def test_a_line_that_is_no_flower_is_named(complaints: Any, tmp_path: Path, line: str) -> None:
    (said,) = complaints(ndjson_file(tmp_path, line))
    assert said.startswith(f"Line 3 {LINES[line]}")


def test_a_line_that_is_not_utf_8_is_named(complaints: Any, tmp_path: Path) -> None:
    path = ndjson_file(tmp_path, '{"a": "?"}')
    path.write_bytes(path.read_bytes().replace(b"?", b"\xff"))
    assert complaints(path) == ["Line 3 is not UTF-8: byte 7 cannot be read."]


def test_a_field_that_is_missing_is_named(complaints: Any, tmp_path: Path) -> None:
    path = ndjson_file(tmp_path, json.dumps({**FLOWER, "petal_width": 1}).replace("petal_width", "petal_wide"))
    assert complaints(path) == [f"Line 3, column petal_width: {MISSING}"]


def test_a_field_that_is_given_twice_and_wrong_once_is_named(complaints: Any, tmp_path: Path) -> None:
    path = ndjson_file(tmp_path, json.dumps(FLOWER)[:-1] + ', "petal_width": 0}')
    assert complaints(path) == [
        f"Line 3, column petal_width: {BOUNDS}0.",
        "Line 3, column petal_width: petal_width is given more than once.",
    ]


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("dtype", "value", "said"),
    [
        *[(pl.Float64, value, said) for value, said in FLOATS.items()],
        *[(pl.String, value, said) for value, said in TEXTS.items()],
    ],
    ids=name,
)
def test_a_bad_value_of_a_typed_column_is_named(
    complaints: Any, tmp_path: Path, form: str, dtype: Any, value: object, said: str
) -> None:
    column = pl.Series([0.2] * 2).cast(dtype).append(pl.Series([value], dtype=dtype))
    table = pl.DataFrame({name: [number] * 3 for name, number in FLOWER.items()} | {"petal_width": column})
    path = tmp_path / f"flowers.{form}"
    (table.write_parquet if form == "parquet" else table.write_ipc)(path)
    assert complaints(path) == [f"Row 3, column petal_width: {said}"]


@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("bad_rows", ["skip", "null"])
def test_bad_rows_are_skipped_or_kept_and_written_with_their_reasons(
    classify: Classify, tmp_path: Path, form: str, to: str, bad_rows: str
) -> None:
    widths = [0.2, 31.0, 0.3, 0.0, 0.4]
    table = pl.DataFrame({name: [number] * 5 for name, number in FLOWER.items()} | {"petal_width": widths})
    path, output = tmp_path / f"flowers.{form}", tmp_path / f"out.{to}"
    getattr(table, f"write_{form}")(path)
    result = classify(path, "-o", output, "--bad-rows", bad_rows)
    assert result.exit_code == 0, result.output
    answers = getattr(pl, f"read_{to}")(output)
    kept = widths if bad_rows == "null" else [0.2, 0.3, 0.4]
    assert answers["petal_width"].to_list() == kept
    assert answers["species"].to_list() == ["setosa" if 0 < width <= 30 else None for width in kept]
    assert answers["probability_setosa"].null_count() == len(kept) - 3
    rejected = list(csv.DictReader(io.StringIO((tmp_path / f"out.{to}.rejected").read_text(), newline="")))
    assert [(row["file"], row["columns"]) for row in rejected] == [(str(path), "petal_width")] * 2
    first = 3 if form == "csv" else 2
    assert [int(row["line"]) for row in rejected] == [first, first + 2]
    assert BOUNDS in rejected[0]["reasons"]
    assert "31.0" in rejected[0]["row"]
