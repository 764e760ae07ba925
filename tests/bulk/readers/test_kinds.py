"""Values of every kind, in each form: as the API reads them, and as columns of their types."""

import csv
import io
import json
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from iris_app.bulk.readers import chunks
from iris_app.bulk.readers.columnar import FrameFile
from iris_app.bulk.readers.csv import CsvFile
from iris_app.bulk.readers.ndjson import NdjsonFile
from iris_app.bulk.readers.options import Reading, ReadOptions
from iris_app.codecs import csv_rows, json_errors
from iris_app.codecs.json_rows import JsonRows
from iris_app.exceptions import InvalidValues, MalformedDocument
from iris_app.schema import MISSING, UNKNOWN
from tests.bulk.readers.reading import Rows, details, read_all
from tests.schemas import MIXED, MIXED_CODES, MIXED_ROW, NAMES, WIDE

TEXTS = {name: "" if value is None else str(value) for name, value in MIXED_ROW.items()}
FIRST = json.dumps(MIXED_ROW)

# What stands in cells, and values of JSON, for any kind of feature.
CELLS = ["", " ", "NA", "nan", "null", "yes", "No", "TRUE", "f", "0", "1", "1.0", "2", "10", "41", "41.5", "-3", "1e3"]
WORDS = ["female", " Male ", "norte", "NORTE", "sud", "este: costa", "001", "010", "x", "23 kg/m²", "0.5K", "inf"]
JSON = [None, True, False, 0, 1, 1.0, 2, 10, 41, 41.5, -3, 1e300, 2**70, [], {}, "NA", "1", "1.0", *WORDS]
cells, values = st.sampled_from([*CELLS, *WORDS]), st.sampled_from(JSON)


def read_csv(text: str, *, keep: bool = False, **options: Any) -> Rows:
    content = text.encode()
    return read_all(CsvFile(io.BytesIO(content), Reading(MIXED, ReadOptions(**options), keep), len(content)))


def read_json(text: str, **options: Any) -> Rows:
    return read_all(NdjsonFile(io.BytesIO(text.encode()), Reading(MIXED, **options), len(text.encode())))


def read_table(table: pl.DataFrame | pa.Table, **options: Any) -> Rows:
    content = io.BytesIO()
    parquet.write_table(table.to_arrow() if isinstance(table, pl.DataFrame) else table, content)
    content.seek(0)
    return read_all(FrameFile(content, Reading(MIXED, **options)))


def table(**columns: Any) -> pl.DataFrame:
    """Make a table of as many equal rows as there are values, with other columns or with these."""
    count = len(next(iter(columns.values()))) if columns else 1
    return pl.DataFrame({name: [value] * count for name, value in MIXED_ROW.items()} | columns)


def write_csv(rows: list[list[str]], header: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([header, *rows])
    return written.getvalue()


def column(rows: Rows, name: str) -> list[float]:
    index = [feature.name for feature in MIXED.features].index(name)
    found: list[float] = rows.values[:, index].tolist()
    return found


def test_a_row_is_read_from_each_form() -> None:
    for rows in (read_csv(write_csv([list(TEXTS.values())], list(TEXTS))), read_json(FIRST), read_table(table())):
        assert (rows.values.tolist(), list(rows.rejects)) == ([MIXED_CODES], [])


@given(data=st.data(), size=st.sampled_from([1, 50, 2**20]), left_out=st.sets(st.sampled_from(["bmi", "sex", "zip"])))
def test_cells_of_csv_are_read_as_the_api_reads_them(data: st.DataObject, size: int, left_out: set[str]) -> None:
    header = [name for name in MIXED_ROW if name not in left_out]
    cell = st.one_of(cells, st.none())
    drawn = data.draw(st.lists(st.lists(cell, min_size=len(header), max_size=len(header)), max_size=8))
    rows = [[TEXTS[name] if cell is None else cell for name, cell in zip(header, row, strict=True)] for row in drawn]
    text = write_csv(rows, header)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_SIZE", size)
        read, kept = read_csv(text), read_csv(text, keep=True)
    expected = csv_rows.read(MIXED, text.encode(), 100, skip_bad_rows=True)
    wrong = expected.skipped.errors if expected.skipped else ()
    assert read.values.tobytes() == expected.values.tobytes()
    assert details(read) == details(kept) == [error.detail for error in wrong]
    assert read.read == kept.read == len(kept.values) == len(read.values) + len(read.rejects)
    assert kept.known is not None
    assert kept.values[kept.known].tobytes() == read.values.tobytes()


@given(data=st.data(), typed=st.booleans())
def test_objects_are_read_as_the_api_reads_them(data: st.DataObject, *, typed: bool) -> None:
    changes = data.draw(st.lists(st.dictionaries(st.sampled_from([*MIXED_ROW]), st.one_of(values, st.just(...)))))
    objects = [
        {name: value for name, value in (MIXED_ROW | change).items() if value is not ...}  # type: ignore[operator]
        for change in changes
    ]
    text = "\n".join([FIRST, *map(json.dumps, objects)])
    read, kept = read_json(text, typed=typed), read_json(text, typed=typed, keep=True)
    expected, wrong = [], []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            expected += MIXED.derive(JsonRows).read_lines(line.encode(), 10).tolist()
        except InvalidValues as refused:
            wrong += [f"Line {number}, column {error.pointer[1:]}: {error.detail}" for error in refused.errors]  # type: ignore[index]
    assert np.array_equal(read.values, expected, equal_nan=True)
    assert details(read) == details(kept) == wrong
    assert kept.known is not None
    assert np.array_equal(kept.values[kept.known], expected, equal_nan=True)
    assert len(kept.frame) == (len(objects) + 1 if typed else 0)


def test_columns_that_may_be_absent_are_missing() -> None:
    named = {name: value for name, value in MIXED_ROW.items() if name not in {"bmi", "vaccinated", "sex", "zip"}}
    content = write_csv([list(map(str, named.values()))], list(named))
    for rows in (read_csv(content), read_json(json.dumps(named)), read_table(pl.DataFrame([named]))):
        assert np.isnan(rows.values).tolist() == [[False, True, False, False, True, True, False, False, True]]
        assert not rows.rejects


def test_a_column_that_must_be_there_is_named() -> None:
    for read, content in (
        (read_csv, write_csv([["1", "female"]], ["age", "sex"])),
        (read_json, '{"age": 1, "sex": "female"}'),
        (read_table, pl.DataFrame({"age": [1], "sex": ["female"]})),
    ):
        with pytest.raises(InvalidValues) as refused:
            read(content)  # type: ignore[operator]
        assert refused.value.errors[0].detail.startswith("There is no column temperature change")


def test_a_category_that_is_not_known_is_an_error_or_unknown() -> None:
    sentence = 'Sex must be one of female or male, not "mal". Did you mean "male"?'
    rows = [list((TEXTS | {"sex": "mal"}).values()), list((TEXTS | {"región": "sud"}).values())]
    read = read_csv(write_csv(rows, list(TEXTS)))
    assert details(read) == [f"Line 2, column sex: {sentence}"]
    assert column(read, "región") == [UNKNOWN]
    objects = "\n".join(json.dumps(MIXED_ROW | change) for change in ({"sex": "mal"}, {"región": "sud"}))
    read = read_json(objects)
    assert details(read) == [f"Line 1, column sex: {sentence}"]
    assert column(read, "región") == [UNKNOWN]
    read = read_table(table(sex=["mal", "male"], región=["sur", "sud"]))
    assert details(read) == [f"Row 1, column sex: {sentence}"]
    assert column(read, "región") == [UNKNOWN]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["female", "male"])])
def test_categories_of_typed_columns_are_text_or_dictionaries(dtype: Any) -> None:
    rows = read_table(table(sex=pl.Series(["male", None, "female"], dtype=dtype)))
    assert np.array_equal(column(rows, "sex"), [1.0, MISSING, 0.0], equal_nan=True)
    assert rows.frame["sex"].to_list() == ["male", None, "female"]


@pytest.mark.parametrize("values", [[1, 10, None], [1.0, 10.0, None], ["1", "10", None]])
def test_categories_that_are_numbers_may_be_numbers_or_text(values: list[Any]) -> None:
    rows = read_table(table(ward=values), keep=True)
    assert column(rows, "ward")[:2] == [0.0, 2.0]
    assert details(rows) == ["Row 3, column ward: Ward is missing."]


def test_a_dictionary_of_numbers_is_read() -> None:
    arrow = table(ward=[1, 10, 10]).to_arrow()
    arrow = arrow.set_column(7, "ward", arrow["ward"].dictionary_encode())
    assert column(read_table(arrow), "ward") == [0.0, 2.0, 2.0]


@pytest.mark.parametrize("values", [[True, False], [1, 0], ["yes", "NO"], [1.0, 0.0]])
def test_booleans_may_be_booleans_numbers_or_text(values: list[Any]) -> None:
    assert column(read_table(table(smoker=values)), "smoker") == [1.0, 0.0]


def test_what_is_no_boolean_is_named() -> None:
    sentences = [
        "Row 1, column smoker: Smoker must be true or false, not a number.",
        "Row 2, column smoker: Smoker is missing.",
    ]
    assert details(read_table(table(smoker=[2.0, None, 1.0]))) == sentences


def test_only_what_is_wrong_in_a_row_is_named() -> None:
    assert details(read_table(table(smoker=[1], ward=[1.0], age=[130]))) == [
        "Row 1, column age: Age must be at least 0 and at most 120 years, not 130."
    ]


@pytest.mark.parametrize(
    ("name", "held"),
    [("age", "and not numbers."), ("smoker", "and not true and false."), ("sex", "and not categories.")],
)
def test_a_column_of_an_unfit_type_is_named(name: str, held: str) -> None:
    with pytest.raises(InvalidValues) as refused:
        read_table(table(**{name: [b"1"]}))
    assert [error.detail for error in refused.value.errors] == [f"Column {name} holds Binary, {held}"]


def test_texts_that_stand_for_a_missing_value_can_be_stated() -> None:
    text = write_csv([list((TEXTS | {"sex": "?", "bmi": "-", "ward": "?"}).values())], list(TEXTS))
    read = read_csv(text, null_values=("?", "-"))
    assert details(read) == ["Line 2, column ward: Ward is missing."]


def test_fields_of_objects_become_columns_of_their_types() -> None:
    rows = read_json(f"{FIRST}\n{json.dumps(MIXED_ROW | {'bmi': None, 'zip': '999', 'note': 1})}", typed=True)
    assert rows.frame.drop("note", "zip", "ward", "región", "sex").dtypes == [
        pl.Int64,
        pl.Float64,
        pl.Float64,
        pl.Boolean,
        pl.Boolean,
    ]
    assert rows.frame["zip"].to_list() == ["001", "999"]
    assert rows.frame["ward"].to_list() == [2, 2]
    assert rows.frame["bmi"].to_list() == [23.0, None]


def test_categories_of_several_types_become_text() -> None:
    lines = [json.dumps(MIXED_ROW | {"ward": ward}) for ward in (1, "2", 10.0, [1])]
    rows = read_json("\n".join(lines), typed=True, keep=True)
    assert rows.frame["ward"].to_list() == ["1", "2", "10.0", None]
    assert column(rows, "ward")[:3] == [0.0, 1.0, 2.0]


def test_a_feature_that_is_given_twice_costs_its_line_though_others_lack_it() -> None:
    lacking = json.dumps({name: value for name, value in MIXED_ROW.items() if name != "sex"})
    rows = read_json("\n".join([FIRST, lacking, FIRST[:-1] + ', "sex": "male"}']))
    assert details(rows) == ["Line 3, column sex: sex is given more than once."]


def test_a_feature_that_is_given_twice_is_found_among_many() -> None:
    line = json.dumps({feature.name: 1.5 for feature in WIDE.features})
    content = "\n".join([line, line[:-1] + ', "x7": 1}', line, line.replace('"x7": 1.5', '"x7": "x"')]).encode()
    rows = read_all(NdjsonFile(io.BytesIO(content), Reading(WIDE), len(content)))
    assert rows.values.tolist() == [[1.5] * 200] * 2
    assert details(rows) == [
        "Line 2, column x7: x7 is given more than once.",
        "Line 4, column x7: x7 must be a number, not text.",
    ]


def test_an_object_that_only_msgspec_can_read_costs_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_text: bytes, what: str) -> object:
        raise MalformedDocument(f"{what} is nested too deeply to be read.")

    monkeypatch.setattr(json_errors, "parse", refuse)
    assert details(read_json(FIRST[:-1] + ', "note": {"sex": 1}}')) == ["Line 1 is nested too deeply to be read."]


@pytest.mark.parametrize("header", [None, False])
def test_a_table_of_any_kinds_without_a_header_is_known_by_its_class(header: bool | None) -> None:
    row = [*TEXTS.values(), "No fraud"]
    rows = read_csv(write_csv([row, row], row), header=header)
    assert rows.values.tolist() == [MIXED_CODES] * 3
    assert rows.actual is not None
    assert rows.actual.to_list() == ["No fraud"] * 3


def test_a_table_without_a_header_may_lack_what_is_optional() -> None:
    row = [*(TEXTS | {"bmi": "", "sex": ""}).values(), "No fraud"]
    assert np.isnan(read_csv(write_csv([], row)).values).sum() == 2
    lacking = [*(TEXTS | {"age": ""}).values(), "No fraud"]
    assert details(read_csv(write_csv([], lacking))) == ["Line 1, column age: Age is missing."]


def test_bytes_that_are_not_utf_8_cost_their_line_alone() -> None:
    content = b"\n".join([FIRST.encode(), FIRST.encode()[:-1] + b', "note": "\xff"}', FIRST.encode()])
    rows = read_all(NdjsonFile(io.BytesIO(content), Reading(MIXED), len(content)))
    assert rows.values.tolist() == [MIXED_CODES] * 2


def test_a_row_of_categories_is_no_header_where_the_columns_are_named() -> None:
    rows = read_csv(write_csv([], list(TEXTS.values())), columns=tuple(TEXTS))
    assert rows.values.tolist() == [MIXED_CODES]


def test_a_header_that_is_a_value_of_nothing_is_replaced_by_the_columns_named() -> None:
    rows = read_csv(write_csv([list(TEXTS.values())], [*"abcdefghi"]), columns=tuple(TEXTS))
    assert rows.values.tolist() == [MIXED_CODES]


def test_a_feature_with_a_name_of_true_classes_is_none_of_these() -> None:
    header = [*(feature.name for feature in NAMES.features), "label"]
    content = write_csv([["1"] * len(header)], header).encode()
    rows = read_all(CsvFile(io.BytesIO(content), Reading(NAMES), len(content)))
    assert rows.actual is not None
    assert rows.actual.name == "label"
    without = write_csv([["1"] * len(NAMES.features)], header[:-1]).encode()
    assert read_all(CsvFile(io.BytesIO(without), Reading(NAMES), len(without))).actual is None


def test_objects_with_none_of_the_features_are_refused() -> None:
    with pytest.raises(MalformedDocument, match="It holds no object; each line is one, with the features of a visit"):
        read_json("1\n2\n")
