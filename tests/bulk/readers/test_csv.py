"""Tables, read piece by piece, against the reader of the API, which reads them whole."""

import io
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iris_app.bulk.readers import chunks, records
from iris_app.bulk.readers.csv import CsvFile
from iris_app.bulk.readers.options import Reading, ReadOptions
from iris_app.codecs import csv_rows
from iris_app.exceptions import InputError, MalformedDocument
from iris_app.iris import SCHEMA
from tests.bulk.readers.reading import Rows, details, read_all

HEADER = "sepal_length,sepal_width,petal_length,petal_width"
ROW = [5.1, 3.5, 1.4, 0.2]


def read(content: bytes, *, keep: bool = False, **options: Any) -> tuple[CsvFile, Rows]:
    reader = CsvFile(io.BytesIO(content), Reading(SCHEMA, ReadOptions(**options), keep), len(content))
    return reader, read_all(reader)


def cells(rows: Rows) -> list[list[str]]:
    return [[cell or "" for cell in row] for row in rows.frame.rows()]


def complaints(rows: Rows) -> list[tuple[int | None, str | None, str]]:
    return [(error.line, error.column, error.detail) for reject in rows.rejects for error in reject.errors]


def agrees_with_the_api(content: bytes) -> None:
    """Hold that a table is read as the API reads it, and that no row is lost or invented where the API refuses it."""
    try:
        reader, rows = read(content)
    except InputError:
        with pytest.raises(InputError):
            csv_rows.read(SCHEMA, content, 1_000_000, skip_bad_rows=True)
        return
    _, kept = read(content, keep=True)
    assert rows.read == len(rows.values) + len(rows.rejects) == len(kept.values) == len(kept.frame)
    assert [reject.line for reject in kept.rejects] == sorted({reject.line for reject in rows.rejects})
    assert all(reject.errors for reject in rows.rejects)
    try:
        table = csv_rows.read(SCHEMA, content, 1_000_000, skip_bad_rows=True)
    except InputError:
        return
    assert (reader.columns, reader.delimiter) == (table.header, table.delimiter)
    assert cells(rows) == list(table.rows)
    assert rows.values.tobytes() == table.values.tobytes()
    wrong = table.skipped.errors if table.skipped else ()
    assert complaints(rows)[:100] == [(error.line, error.column, error.detail) for error in wrong]


numbers = st.one_of(
    st.sampled_from(["5.1", " 3.5", "1.4\t", "+0.2", "1e0", ".5", "5.", "5,1", '"5.1"', '"5,1"', "29.999999999999996"]),
    st.floats(0, 30).map(repr),
    st.sampled_from(
        ["", "x", "1_0", "nan", "inf", "-1", "0", "31", "1e999", "5 1", '""', '" "', "\u0663.\u0665", "0x1p1", "\x1c5"]
    ),
)
notes = st.one_of(
    st.sampled_from(
        ["", "a", '""', '"a\nb"', '"a\r\nb"', '"a\rb"', '"a,b"', '"say ""hm"""', '5" pot', 'a "b" c', ' "b"']
    ),
    st.sampled_from(
        ['"\n\n"', '"', '"a"b', "\ufeffa", "é", "\u2028", "\x0b", '""""', '"\n""\n"', "a;b", "#", "'", "\\"]
    ),
    st.text(st.sampled_from('a",;\n\r \t')),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
)
newlines = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\r\n", "\n\r"])


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """Make tables of all kinds, most of them nearly right."""
    delimiter = draw(st.sampled_from(",;\t"))
    newline = draw(newlines)
    note = draw(st.sampled_from(["note", '"a\nnote"', "", '"a\rb"', '"no ""te"""']))
    columns = [note, *HEADER.split(","), *draw(st.sampled_from([[], ["note"], ["species"]]))]
    usual = draw(st.booleans())
    lines = [delimiter.join(columns)]
    for _ in range(draw(st.integers(0, 12))):
        features = [draw(numbers) for _ in range(4)] if draw(st.integers(0, 3)) == 0 else list(map(repr, ROW))
        others = [draw(notes) if not usual or draw(st.booleans()) else "a" for _ in columns[4:]]
        row = [others[0], *features, *others[1:]]
        if draw(st.integers(0, 9)) == 0:
            row = draw(st.sampled_from([row[:-1], [*row, ""], [], [""] * len(row), row[:1], [" "], ['""']]))
        lines.append(delimiter.join(row))
    text = draw(st.sampled_from(["", "\ufeff", "sep=" + delimiter + "\n", "\n", "\r\n\n"]))
    text += "".join(line + (newline if draw(st.integers(0, 9)) else draw(newlines)) for line in lines[:-1]) + lines[-1]
    return (text + draw(st.sampled_from(["", newline, newline * 2, "\r", " "]))).encode()


sizes = st.sampled_from([1, 2, 7, 64, 1000, 2**20])

# Many more for scripts/soak.
EXAMPLES = int(os.environ.get("IRIS_EXAMPLES", "60"))


@settings(max_examples=EXAMPLES)
@given(content=tables(), chunk=sizes, ahead=sizes)
def test_any_table_is_read_as_the_api_reads_it(content: bytes, chunk: int, ahead: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_SIZE", chunk)
        patch.setattr(chunks, "PEEK_SIZE", ahead)
        agrees_with_the_api(content)


@settings(max_examples=EXAMPLES)
@given(content=tables(), chunk=sizes, limit=st.sampled_from([5, 20, 60]))
def test_rows_are_the_same_in_pieces_of_any_size(content: bytes, chunk: int, limit: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "LIMIT", limit)
        try:
            _, whole = read(content, keep=True)
        except InputError:
            return
        patch.setattr(chunks, "CHUNK_SIZE", chunk)
        patch.setattr(chunks, "PEEK_SIZE", 1)
        _, parts = read(content, keep=True)
    assert parts.frame.equals(whole.frame)
    assert parts.values.tobytes() == whole.values.tobytes()
    assert list(parts.rejects) == list(whole.rejects)


def test_the_spelling_and_the_order_of_columns_are_free() -> None:
    reader, rows = read(b"Id;Petal.Width;swid;sepal length (cm);petalLength\n7;0,2;3,5;5,1;1,4\n")
    assert (rows.values.tolist(), reader.feature_columns, reader.decimal_comma) == ([ROW], [3, 2, 4, 1], True)


@pytest.mark.parametrize(
    ("row", "comma"),
    [
        ("5,1;3,5;1,4;0,2", True),
        ("5.1;3.5;1.4;0.2", False),
        ('5;3;1;1\n5;3;1;"', False),
        (f"5;3;1;{'1' * 200_000}", False),
    ],
)
def test_a_decimal_comma_is_known_by_the_first_rows(row: str, comma: bool) -> None:
    reader = CsvFile(io.BytesIO(f"{HEADER.replace(',', ';')}\n{row}\n".encode()), Reading(SCHEMA))
    assert reader.decimal_comma == comma


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_may_end_in_any_way(newline: str) -> None:
    reader, rows = read((HEADER + f"{newline}5.1,3.5,1.4,0.2" * 3).encode())
    assert rows.values.tolist() == [ROW] * 3
    assert reader.done() == 1


def test_an_empty_cell_is_null_in_quotes_and_without() -> None:
    _, rows = read(f'{HEADER},note\n5.1,3.5,1.4,"0.2",""\n5.1,3.5,1.4,"0.2",\n5.1,3.5,1.4,"0.2","a\nb"\n'.encode())
    assert rows.frame["note"].to_list() == [None, None, "a\nb"]


def test_a_cell_that_the_api_would_refuse_for_its_length_costs_its_row() -> None:
    _, rows = read(f"{HEADER},note\n5.1,3.5,1.4,0.2,{'x' * 200_000}\n5.1,3.5,1.4,0.2,{'é' * 130_000}\n".encode())
    assert details(rows) == ["Line 2 is not CSV: field larger than field limit (131072)."]
    assert rows.values.tolist() == [ROW]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_header_alone_is_a_table_without_rows(end: str) -> None:
    _, rows = read((HEADER + end).encode())
    assert (rows.read, rows.frame.columns) == (0, HEADER.split(","))


def test_quotes_within_cells_are_no_quotes_in_a_file_of_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 1000)
    lines = [f'5" pot {at},5.1,3.5,1.4,{"x" if at == 700 else 0.2},"a\nb"\n' for at in range(1000)]
    _, rows = read(f"pot,{HEADER},note\n{''.join(lines)}".encode())
    assert rows.read == 1000
    assert complaints(rows) == [
        (1402, "petal_width", 'Line 1402, column petal_width: Petal width must be a number in cm, not "x".')
    ]
    assert rows.frame["pot"][0] == '5" pot 0'


def test_two_columns_of_one_name_stay_two() -> None:
    _, rows = read(f"note,{HEADER},note\na,5.1,3.5,1.4,0.2,b\n".encode())
    assert cells(rows) == [["a", "5.1", "3.5", "1.4", "0.2", "b"]]


def test_rows_that_are_kept_have_as_many_cells_as_the_others_and_are_not_known() -> None:
    content = f"{HEADER}\n5.1,3.5,1.4,0.2\n5.1\n5.1,3.5,1.4,0.2,9,9\n5.1,x,1.4,0.2\n5.1,3.5,1.4,0.2".encode()
    _, rows = read(content, keep=True)
    assert rows.known is not None
    assert rows.known.tolist() == [True, False, False, False, True]
    assert cells(rows)[1:4] == [["5.1", "", "", ""], ["5.1", "3.5", "1.4", "0.2"], ["5.1", "x", "1.4", "0.2"]]
    assert [reject.row for reject in rows.rejects] == ["5.1", "5.1,3.5,1.4,0.2,9,9", "5.1,x,1.4,0.2"]


def test_a_row_that_is_rejected_is_written_as_one_that_can_be_read() -> None:
    _, rows = read(f'note,{HEADER}\n"a\n""b""\r",x,3.5,1.4,0.2\n'.encode())
    assert [reject.row for reject in rows.rejects] == ['"a\n""b""\r",x,3.5,1.4,0.2']


def test_what_the_file_says_of_the_species_is_passed_on() -> None:
    _, rows = read(f"{HEADER},Class\n5.1,3.5,1.4,0.2,a\n0,0,0,0,b\n5.1,3.5,1.4,0.2,\n".encode())
    assert rows.actual is not None
    assert rows.actual.to_list() == ["a", None]


NOT_UTF_8 = "is not UTF-8. Save it as “CSV UTF-8”, or use --encoding cp1252 where it is of Windows."


@pytest.mark.parametrize("chunk", [1, 10, 2**20])
@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (b"5.1,3.5,1.4,\xff", NOT_UTF_8),
        (b'"5.1",3.5,1.4,"0.2\xc3"', NOT_UTF_8),
        (b"5.1,3.5,1.4,0.2\0", "holds a NUL character, which text never does."),
        (b'5.1,"3.5,1.4,0.2', "is not CSV: unexpected end of data."),
        (b'5.1,3.5,1.4,"0"2', "is not CSV: ',' expected after '\"'."),
        (b'5.1,3.5,1.4,"', "is not CSV: unexpected end of data."),
        (b"5.1,3.5,1.4", "has 3 cells where the header has 4."),
        (b"5.1,3.5,1.4,0.2,", "has 5 cells where the header has 4."),
    ],
)
def test_what_cannot_be_read_costs_its_row(monkeypatch: pytest.MonkeyPatch, row: bytes, wrong: str, chunk: int) -> None:
    monkeypatch.setattr(chunks, "CHUNK_SIZE", chunk)
    good = b'5.1,3.5,"1.4",0.2\n"5.1",3.5,1.4,0.2\n'
    _, rows = read(HEADER.encode() + b"\n" + good + row + b"\n" + good)
    assert details(rows) == [f"Line 4 {wrong}"]
    assert rows.values.tolist() == [ROW] * 4
    assert rows.rejects[0].row == row.decode(errors="replace")


def test_a_quote_that_is_never_closed_costs_its_line_in_a_long_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 100)
    monkeypatch.setattr(records, "LIMIT", 300)
    _, rows = read((f'{HEADER}\n5.1,3.5,1.4,"0.2\n' + "5.1,3.5,1.4,0.2\n" * 100).encode())
    assert (rows.read, [reject.line for reject in rows.rejects]) == (101, [2])


def test_a_line_without_an_end_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 100)
    monkeypatch.setattr(chunks, "MAX_ROW_SIZE", 1000)
    with pytest.raises(MalformedDocument, match="Line 2 is longer than"):
        read(f"{HEADER}\n{'x' * 2000}\n".encode())


def test_a_table_without_an_end_is_not_read_for_its_header_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PEEK_SIZE", 100)
    monkeypatch.setattr(chunks, "MAX_ROW_SIZE", 2000)
    stream = io.BytesIO(b'"' + b"x" * 5000)
    with pytest.raises(MalformedDocument):
        CsvFile(stream, Reading(SCHEMA))
    assert stream.tell() <= 2200


@given(content=st.binary())
def test_no_bytes_are_a_fault_of_ours(content: bytes) -> None:
    for body in (content, HEADER.encode() + b"\n" + content):
        try:
            assert read(body)[1].values.shape[1] == 4
        except InputError:
            continue


def test_a_byte_order_mark_and_a_nul_are_text_where_a_piece_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 1)
    _, rows = read(f"note,{HEADER}\n\ufeffa,5.1,3.5,1.4,0.2\n".encode())
    assert cells(rows)[0][0] == "\ufeffa"
