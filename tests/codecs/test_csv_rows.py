import contextlib
import csv
import io
from unicodedata import normalize

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.codecs import csv_rows
from iris_app.codecs.csv_rows import Table, guard
from iris_app.exceptions import InputError, InvalidValues, MalformedDocument, TooManyRows
from iris_app.iris import SCHEMA
from iris_app.json_types import JsonTypes, Prediction, PredictionWarning
from tests.support import traced_memory

HEADER = "sepal_length,sepal_width,petal_length,petal_width"
ROW = [5.1, 3.5, 1.4, 0.2]

accepted_values = st.floats(min_value=0, max_value=30, exclude_min=True)


def read(body: bytes, max_rows: int, *, by_position: bool = False) -> Table:
    return csv_rows.read(SCHEMA, body, max_rows, by_position=by_position)


def read_text(text: str, max_rows: int = 1000) -> Table:
    return read(text.encode(), max_rows)


def write(table: Table, predictions: list[Prediction]) -> str:
    return "".join(csv_rows.write(SCHEMA, table, [predictions]))


def refusal(text: str) -> list[tuple[int | None, str | None, str]]:
    with pytest.raises(InvalidValues) as refused:
        read_text(text)
    return [(error.line, error.column, error.detail) for error in refused.value.errors]


def malformed(body: bytes) -> str:
    with pytest.raises(MalformedDocument) as refused:
        read(body, 1000)
    return str(refused.value)


@pytest.mark.parametrize("names", [["7", "3"], ["150", "2", "51"], ["51"], ["1"], ["0", "1"], ["a"], ["a", "b"]])
@pytest.mark.parametrize("delimiter", [" ", ",", "\t", ";"])
@pytest.mark.parametrize("further", [[], ["setosa"]])
def test_names_of_rows_as_r_writes_them_are_read(names: list[str], delimiter: str, further: list[str]) -> None:
    header = [*HEADER.split(","), *(["Species"] if further else [])]
    rows = [[name, *map(str, ROW), *further] for name in names]
    table = read_text("".join(f"{delimiter.join(row)}\n" for row in [header, *rows]))
    assert table.values.tolist() == [ROW] * len(names)
    assert table.header == ["row", *header]


@pytest.mark.parametrize(
    "rows",
    [
        ["5.1,3.5,1.4,0.2,9", "4.9,3.0,1.4,0.2,8"],  # with a cell at the end
        ["5,3.5,1.4,0.2,9"],
        ["5,3.5,1.4,0.2,9", "5,3.1,1.4,0.2,9"],
        ["5,3,1,1,9", "7,3,1,1,8"],
        ["7,5.1,3.5,1.4,0.2", "x,5.1,3.5,1.4,0.2", "3.5,5.1,3.5,1.4,0.2"],
    ],
)
def test_what_may_be_a_value_is_no_name_of_a_row(rows: list[str]) -> None:
    assert [detail for *_, detail in refusal("\n".join([HEADER, *rows, ""]))] == [
        f"Line {line} has 5 cells where the header has 4." for line in range(2, 2 + len(rows))
    ]


@pytest.mark.parametrize("blank", [" \n", " , , , \n", "\n \n", ",,,\n  ,  ,,\n"])
def test_blank_rows_at_the_end_are_nothing_and_missing_values_elsewhere(blank: str) -> None:
    row = ",".join(map(str, ROW)) + "\n"
    assert read_text(f"{HEADER}\n{row}{blank}").values.tolist() == [ROW]
    details = [detail for *_, detail in refusal(f"{HEADER}\n{row}{blank}{row}")]
    lines = range(3, 3 + blank.count("\n"))
    assert details == [f"Line {line} is empty: take it out, or fill it in." for line in lines]


@pytest.mark.parametrize("header", ["0,1,2,3", "1,2,3,4", ",0,1,2,3", "0,1,2,3,4"])
def test_numbers_of_columns_are_no_row(header: str) -> None:
    for by_position in (False, True):
        with pytest.raises(MalformedDocument, match="may be a row or the numbers of the columns"):
            read(f"{header}\n5.1,3.5,1.4,0.2\n".encode(), 10, by_position=by_position)


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm)",
        "SepalLengthCm,SepalWidthCm,PetalLengthCm,PetalWidthCm",
        "Sepal.Length,Sepal.Width,Petal.Length,Petal.Width",
        "sepalLength,sepalWidth,petalLength,petalWidth",
        "slen,swid,plen,pwid",
        "SEPAL LENGTH CM,Sepal_Width [cm], petal-length ,petalwidth",
    ],
)
def test_the_spellings_that_circulate_are_understood(header: str) -> None:
    assert read_text(f"{header}\n5.1,3.5,1.4,0.2\n").values.tolist() == [ROW]


def test_columns_may_stand_in_any_order_among_others() -> None:
    table = read_text("Id,petal_width,Species,petal_length,sepal_width,sepal_length\n7,0.2,setosa,1.4,3.5,5.1\n")
    assert table.values.tolist() == [ROW]
    assert list(table.rows) == [["7", "0.2", "setosa", "1.4", "3.5", "5.1"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
def test_separators_line_ends_and_byte_order_marks_are_as_they_come(delimiter: str, newline: str, mark: str) -> None:
    text = mark + newline.join([HEADER, "5.1,3.5,1.4,0.2", "5.0,3.4,1.5,0.2"]).replace(",", delimiter)
    assert read_text(text).values.tolist() == [ROW, [5.0, 3.4, 1.5, 0.2]]


def test_a_comma_is_a_decimal_point_where_semicolons_separate() -> None:
    assert read_text(HEADER.replace(",", ";") + "\n5,1;3,5;1,4;0.2").values.tolist() == [ROW]


def test_cells_may_be_quoted_and_hold_separators_and_line_ends() -> None:
    table = read_text(f'note,{HEADER}\n"one, two\nthree ""four""","5.1","3.5",1.4, 0.2 \n')
    assert table.values.tolist() == [ROW]
    assert next(iter(table.rows))[0] == 'one, two\nthree "four"'


@pytest.mark.parametrize("end", ["\n\n\n", ",,,\n", "\n\n,,,\n\n,,,\n", '"","","",""', '\r\n\r\n"",,,'])
def test_blank_lines_and_empty_cells_at_the_end_are_nothing(end: str) -> None:
    assert read_text(f"\n,,\n{HEADER}\n5.1,3.5,1.4,0.2\n{end}").values.tolist() == [ROW]


@pytest.mark.parametrize("empty", ["", ",,,", '"","","",""', " , , , ", '""', ",,,\n\n", "\r\n"])
def test_an_empty_row_between_others_is_named_by_its_line(empty: str) -> None:
    errors = refusal(f"{HEADER}\n5.1,3.5,1.4,0.2\n{empty}\n5.1,3.5,1.4,0.2\n")
    assert errors[0][0] == 3
    assert errors[0][2] == "Line 3 is empty: take it out, or fill it in."


def test_an_empty_row_is_a_row_where_all_may_be_missing() -> None:
    features = tuple(msgspec.structs.replace(feature, optional=True) for feature in SCHEMA.features)
    schema = msgspec.structs.replace(SCHEMA, features=features)
    for empty in ("", ",,,", '"","","",""'):
        table = csv_rows.read(schema, f"{HEADER}\n5.1,3.5,1.4,0.2\n{empty}\n5.1,3.5,1.4,0.2\n".encode(), 10)
        assert np.isnan(table.values).all(axis=1).tolist() == [False, True, False]
        assert [len(row) for row in table.rows] == [4, 4, 4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_names_may_be_quoted(delimiter: str) -> None:
    header = delimiter.join(f'"{name}"' for name in ["", "Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width"])
    row = delimiter.join(['"1"', "5.1", "3.5", "1.4", "0.2"])
    assert read_text(f"{header}\n{row}\n").values.tolist() == [ROW]


def test_a_name_may_hold_another_separator() -> None:
    assert read_text(f'{HEADER},"a\t;"\n5.1,3.5,1.4,0.2,x\n').values.tolist() == [ROW]


def test_the_line_that_excel_writes_for_itself_is_passed_over() -> None:
    text = "sep=;\n" + HEADER.replace(",", ";") + "\n5,1;3,5;1,4;0,2\n"
    assert read_text(text).values.tolist() == [ROW]


def test_a_table_that_lost_its_line_ends_is_not_taken_for_a_header() -> None:
    (error, *_) = refusal(f"{HEADER}5.1,3.5,1.4,0.2")
    assert error == (1, "petal_width", 'There is no column petal_width. Is it "petal_width5.1"?')


def test_rows_without_a_header_are_read_by_position_where_that_is_wanted() -> None:
    for delimiter in (",", ";", "\t", "|", " "):
        table = read("5.1,3.5,1.4,0.2".replace(",", delimiter).encode(), 10, by_position=True)
        assert table.values.tolist() == [ROW]
    with pytest.raises(InvalidValues) as refused:
        read(b"5.1,,1.4,0.2", 10, by_position=True)
    assert refused.value.errors[0].detail == "Line 1, column sepal_width: Sepal width is missing."


def test_a_header_alone_is_a_table_without_rows() -> None:
    assert read_text(HEADER).values.shape == (0, 4)


def test_every_bad_cell_is_named_with_its_line_and_column() -> None:
    text = f'note,{HEADER}\n"a\nb",wide,3.5,301,0.2\nc,5.1,3.5,1.4,0.2\nd,5.1,,1_0,nan\n'
    assert refusal(text) == [
        (2, "sepal_length", 'Line 2, column sepal_length: Sepal length must be a number in cm, not "wide".'),
        (
            2,
            "petal_length",
            "Line 2, column petal_length: Petal length must be greater than 0 and at most 30 cm, not 301.",
        ),
        (5, "sepal_width", "Line 5, column sepal_width: Sepal width is missing."),
        (5, "petal_length", 'Line 5, column petal_length: Petal length must be a number in cm, not "1_0".'),
        (5, "petal_width", "Line 5, column petal_width: Petal width is missing."),
    ]


def test_a_bad_cell_is_named_by_the_column_as_it_is_spelt() -> None:
    ((line, column, _),) = refusal("Sepal.Length,Sepal.Width,Petal.Length,Petal.Width\n5.1,3.5,1.4,0")
    assert (line, column) == (2, "Petal.Width")


def test_a_long_cell_is_shortened() -> None:
    ((_, _, detail),) = refusal(f"{HEADER}\n5.1,3.5,1.4,{'x' * 1000}")
    assert detail.endswith(f'not "{"x" * 40}…".')


def test_a_row_of_another_length_is_named() -> None:
    assert refusal(f"{HEADER}\n5.1,3.5,1.4,0.2\n5.1,3.5,1.4\n5.1,3.5,1.4,0.2,1\n") == [
        (3, None, "Line 3 has 3 cells where the header has 4."),
        (4, None, "Line 4 has 5 cells where the header has 4."),
    ]


def test_every_missing_column_is_named() -> None:
    assert refusal("sepal_length,petal_width,colour\n5.1,0.2,blue") == [
        (1, "sepal_width", "There is no column sepal_width."),
        (1, "petal_length", "There is no column petal_length."),
    ]


def test_an_exact_name_goes_before_another_spelling_and_two_others_are_named() -> None:
    assert read_text(f"{HEADER},Sepal.Length\n5.1,3.5,1.4,0.2,5.2").values.tolist() == [ROW]
    header = HEADER.replace("sepal_length", "Sepal Length")
    assert refusal(f"{header},Sepal.Length\n5.1,3.5,1.4,0.2,5.1") == [
        (1, "sepal_length", "The columns Sepal Length and Sepal.Length are each sepal length; there must be one.")
    ]


@pytest.mark.parametrize("body", [b"", b"\n\n", b"\xef\xbb\xbf", b" \n,,\n".replace(b" ", b"")])
def test_an_empty_body_is_malformed(body: bytes) -> None:
    assert malformed(body) == "The table is empty. Its first line should name the columns."


def test_what_is_not_utf_8_is_malformed() -> None:
    assert malformed(HEADER.encode() + b"\n5.1,3.5,1.4,\xff") == (
        "This text is not UTF-8: byte 62 cannot be read. In a spreadsheet, save it as “CSV UTF-8”."
    )


def test_a_nul_is_malformed() -> None:
    assert (
        malformed(f"{HEADER}\n5.1,3.5,1.4,0\0".encode())
        == "The table holds a NUL character, which text never does. Is it saved as CSV?"
    )


def test_a_quote_that_is_never_closed_is_malformed() -> None:
    assert malformed(f'{HEADER}\n5.1,3.5,1.4,"0.2'.encode()) == "Line 2 is not CSV: unexpected end of data."


def test_a_field_that_is_longer_than_csv_reads_is_malformed() -> None:
    assert "field larger than field limit" in malformed(f"{HEADER}\n5.1,3.5,1.4,{'0' * 200_000}".encode())


def test_ten_thousand_columns_are_malformed() -> None:
    assert malformed(",".join(map(str, range(10_000))).encode()).startswith("10,000 columns are more than the 1,000")


def test_more_rows_than_allowed_are_too_many() -> None:
    with pytest.raises(TooManyRows, match="There are more rows than the 2 that one request may hold"):
        read_text(HEADER + "\n5.1,3.5,1.4,0.2" * 3, max_rows=2)


def predicted(count: int, *warnings: PredictionWarning) -> list[Prediction]:
    types = SCHEMA.derive(JsonTypes)
    return [types.Prediction("setosa", types.Probabilities(0.75, 0.25, 0.0), warnings)] * count


OUTSIDE = PredictionWarning("out_of_range", "It is out of range.", "petal_width")
UNLIKE = PredictionWarning("unlike_training", "It is unlike.")


def test_the_answers_stand_beside_the_columns_that_came() -> None:
    text = write(read_text(f"Id,{HEADER}\n7,5.10,3.5,1.4,0.2\n"), predicted(1, OUTSIDE, UNLIKE))
    assert text == (
        f"Id,{HEADER},species,probability_setosa,probability_versicolor,probability_virginica,warnings\n"
        "7,5.10,3.5,1.4,0.2,setosa,0.75,0.25,0.0,out_of_range:petal_width unlike_training\n"
    )


def test_the_answers_are_written_as_the_table_came() -> None:
    text = write(read_text(HEADER.replace(",", ";") + "\r\n5,1;3,5;1,4;0,2\r\n"), predicted(1))
    assert text.splitlines(keepends=True)[1] == "5,1;3,5;1,4;0,2;setosa;0,75;0,25;0,0;\r\n"


def test_points_stay_points_where_semicolons_separate() -> None:
    text = write(read_text(HEADER.replace(",", ";") + "\n5.1;3.5;1.4;0.2\n"), predicted(1))
    assert text.splitlines()[1] == "5.1;3.5;1.4;0.2;setosa;0.75;0.25;0.0;"


def test_a_carriage_return_in_a_cell_stays_in_its_cell() -> None:
    text = write(read_text(f'note,{HEADER}\n"a\rb",5.1,3.5,1.4,0.2\n'), predicted(1))
    assert next(csv.reader(io.StringIO(text.split("\n", 1)[1], newline="")))[0] == "a\rb"


def test_a_long_name_is_shortened_in_errors() -> None:
    name = "sepal length" + " " * 1000
    ((_, column, detail),) = refusal(f"{HEADER.replace('sepal_length', name)}\nx,3.5,1.4,0.2")
    assert len(detail) < 200
    assert str(column).startswith("sepal length")


def test_a_column_that_came_keeps_its_name_and_ours_takes_another() -> None:
    text = write(read_text(f"species,warnings,predicted_species,{HEADER}\nx,y,z,5.1,3.5,1.4,0.2"), predicted(1))
    header = text.splitlines()[0].split(",")
    assert header[-5:] == [
        "predicted_predicted_species",
        "probability_setosa",
        "probability_versicolor",
        "probability_virginica",
        "predicted_warnings",
    ]
    assert len(set(header)) == len(header)


def test_a_table_is_made_of_rows_that_came_otherwise() -> None:
    table = csv_rows.table_of(SCHEMA, np.array([ROW]))
    assert (table.header, list(table.rows)) == (
        [feature.name for feature in SCHEMA.features],
        [["5.1", "3.5", "1.4", "0.2"]],
    )


@given(rows=st.lists(st.lists(accepted_values, min_size=4, max_size=4), max_size=20))
def test_numbers_survive_the_way_to_csv_and_back(rows: list[list[float]]) -> None:
    written = write(csv_rows.table_of(SCHEMA, np.array(rows).reshape(-1, 4)), predicted(len(rows)))
    assert read_text(written).values.tolist() == rows


@given(cells=st.lists(st.text(), min_size=1, max_size=5))
def test_other_columns_pass_through_untouched(cells: list[str]) -> None:
    cells = [cell.replace("\0", "") for cell in cells]
    came = io.StringIO()
    csv.writer(came).writerows([["note", *HEADER.split(",")]] + [[cell, *ROW] for cell in cells])
    body = came.getvalue().encode("utf-8", "replace")
    expected = [cell.encode("utf-8", "replace").decode() for cell in cells]
    written = write(read(body, 100), predicted(len(cells)))
    assert [row[0] for row in csv.reader(io.StringIO(written, newline=""))][1:] == expected


@given(body=st.binary())
def test_no_bytes_are_a_fault_of_ours(body: bytes) -> None:
    try:
        read(body, 10)
    except InputError:
        return
    raise AssertionError("random bytes are no table of flowers")


@given(tail=st.text())
def test_nothing_after_a_header_is_a_fault_of_ours(tail: str) -> None:
    with contextlib.suppress(InputError):
        assert read(f"{HEADER}\n{tail}".encode("utf-8", "replace"), 10).values.shape[1] == 4


def guarded(cell: str) -> bool:
    return guard(Table([cell], [], np.empty((0, 4)))).header[0] == f"'{cell}"


def test_all_that_unicode_takes_for_the_beginning_of_a_formula_is_guarded() -> None:
    characters = [
        character for character in map(chr, range(0x110000)) if normalize("NFKC", character)[:1] in set("=+-@")
    ]
    assert len(characters) > 15
    assert [character for character in characters if not guarded(f"{character}A1")] == []


@pytest.mark.parametrize(
    "blank", [" ", "\t", "\r", "\n", "\xa0", "\u200b", "\ufeff", "\u3000", "\x1c", "\x85", " \u200f "]
)
def test_what_is_not_seen_before_a_formula_does_not_hide_it(blank: str) -> None:
    assert guarded(f"{blank}=A1")


@pytest.mark.parametrize("cell", ["-5", "+5", "-1,5", " -1e3", "\u22125", "", "a-b", "5-3", "it's"])
def test_what_is_no_formula_stays(cell: str) -> None:
    assert not guarded(cell)


def test_a_first_line_that_is_not_csv_is_named() -> None:
    assert malformed(b'"a"b,c\n1,2\n').startswith("Line 1 is not CSV: ")


@pytest.mark.parametrize("count", [1, 2, 50])
def test_numbers_with_either_mark_are_read_where_none_can_have_it_between_thousands(count: int) -> None:
    rows = "\n".join(['"5,1",3.5,1.4,0.2'] * count)
    assert read_text(f"{HEADER}\n{rows}\n").values.tolist() == [ROW] * count


@pytest.mark.parametrize("cell", ['"1,400"', '" 1,400 "', '"14,000"', '"-1,400"'])
def test_numbers_that_may_have_a_mark_between_thousands_are_named(cell: str) -> None:
    errors = refusal(f'{HEADER}\n5.1,3.5,1.4,0.2\n5.1,3.5,{cell},0.2\n5.1,3.5,"1,500",0.2\n5.1\n')
    assert [(line, column) for line, column, _ in errors] == [(3, "petal_length")]


@pytest.mark.parametrize("cell", ["0.400", "14", "1.4000", "1.40"])
def test_numbers_of_other_lengths_have_decimals(cell: str) -> None:
    text = f'{HEADER}\n"5,1","3,5","1,4",0.2\n"5,1","3,5","1,4",{cell}\n'
    assert len(read_text(text).values) == 2


@pytest.mark.parametrize(
    ("row", "fits"), [("5.1,3.5,1.4,0.2", True), ("a1,5.1,3.5,1.4,0.2", False), ("5.1,3.5", False)]
)
def test_rows_without_a_header_are_told_how_to_send_them_where_that_can_work(row: str, fits: bool) -> None:
    ((line, _, detail),) = refusal(f"{row}\n{row}\n")
    assert (line, "put the names of the columns above it" in detail) == (1, True)
    assert ("header=absent" in detail) == fits


@pytest.mark.no_cover
@pytest.mark.parametrize("end", ['"' + "\n" * 100_000 + '"', "\n" * 100_000, "\n" + ",,,,\n" * 20])
def test_blank_lines_take_no_memory(end: str) -> None:
    body = f"{HEADER},note\n5.1,3.5,1.4,0.2,{end}".encode()
    read(body, 100_000)
    with traced_memory() as memory:
        read(body, 100_000)
    assert memory.peak < 10 * len(body) + 200_000


@pytest.mark.no_cover
def test_a_table_with_quotes_and_windows_line_ends_is_never_a_second_time_in_memory() -> None:
    body = f"{HEADER},note\r\n".encode() + b'5.1,3.5,1.4,0.2,"a note of several words"\r\n' * 50_000
    read(body, 100_000)
    with traced_memory() as memory:
        read(body, 100_000)
    assert memory.peak < 4 * len(body)


def test_blank_lines_of_every_kind_keep_their_numbers() -> None:
    blank = '\n\n,,,\n""\n , ,\t,\n\n'
    errors = refusal(f"{HEADER}\n5.1,3.5,1.4,0.2\n{blank}5.1,3.5,1.4,0.2\n5.1,3.5,1.4,x\n")
    assert [line for line, *_ in errors] == [3, 4, 5, 6, 7, 8, 10]
