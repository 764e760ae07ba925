"""Tables, read piece by piece, against the reader of the API, which reads them whole."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.bulk import csv_file, pieces
from iris_app.bulk.csv_file import CsvFile
from iris_app.bulk.rows import Rows
from iris_app.codecs import csv_rows
from iris_app.exceptions import InputError, MalformedDocument

HEADER = "sepal_length,sepal_width,petal_length,petal_width"
ROW = [5.1, 3.5, 1.4, 0.2]


@pytest.fixture
def sizes() -> Iterator[Callable[[int, int], None]]:
    """Set how long a piece is, and how long one that is read row by row; both are as they were afterwards."""
    with pytest.MonkeyPatch.context() as patch:

        def set_sizes(piece: int, small: int) -> None:
            patch.setattr(pieces, "PIECE", piece)
            patch.setattr(csv_file, "SMALL", small)

        yield set_sizes


def read(content: bytes, *, keep: bool = False) -> tuple[CsvFile, Rows]:
    reader = CsvFile(io.BytesIO(content), len(content), keep=keep)
    return reader, Rows.joined([reader.read(piece) for piece in reader.pieces()])


def cells(rows: Rows) -> list[list[str]]:
    return [[cell or "" for cell in row] for row in rows.frame.rows()]


def complaints(rows: Rows) -> list[tuple[int | None, str | None, str]]:
    return [(error.line, error.column, error.detail) for reject in rows.rejects for error in reject.errors]


def agrees_with_the_api(content: bytes) -> None:
    """Hold that a table is read as the API reads it, or refused as the API refuses it."""
    try:
        table = csv_rows.read(content, 1_000_000, skip_bad_rows=True)
    except InputError as refused:
        with pytest.raises(type(refused)):
            read(content)
        return
    reader, rows = read(content)
    assert (reader.columns, reader.delimiter) == (table.header, table.delimiter)
    assert cells(rows) == list(table.rows)
    assert rows.measurements.tobytes() == table.measurements.tobytes()
    wrong = table.skipped.errors if table.skipped else ()
    assert complaints(rows)[:100] == [(error.line, error.column, error.detail) for error in wrong]
    assert rows.read == len(rows.measurements) + len(rows.rejects)


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


@given(content=tables(), piece=st.sampled_from([1, 2, 7, 64, 1000, 2**20]), small=st.sampled_from([0, 40, 2**20]))
def test_any_table_is_read_as_the_api_reads_it(content: bytes, piece: int, small: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", piece)
        patch.setattr(csv_file, "SMALL", small)
        agrees_with_the_api(content)


def test_the_spelling_and_the_order_of_columns_are_free() -> None:
    reader, rows = read(b"Id;Petal.Width;swid;sepal length (cm);petalLength\n7;0,2;3,5;5,1;1,4\n")
    assert (rows.measurements.tolist(), reader.places, reader.decimal_comma) == ([ROW], [3, 2, 4, 1], True)


@pytest.mark.parametrize(
    ("row", "comma"), [("5,1;3,5;1,4;0,2", True), ("5.1;3.5;1.4;0.2", False), ('5;3;1;1\n5;3;1;"', False)]
)
def test_a_decimal_comma_is_known_by_the_first_rows(row: str, comma: bool) -> None:
    reader = CsvFile(io.BytesIO(f"{HEADER.replace(',', ';')}\n{row}\n".encode()))
    assert reader.decimal_comma == comma


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_most_tables_are_read_at_once(newline: str) -> None:
    reader = CsvFile(io.BytesIO((HEADER + f"{newline}5.1,3.5,1.4,0.2" * 3).encode()))
    assert all(reader._parse(piece.content) is not None for piece in reader.pieces())
    assert reader.done() == 0


def test_quoted_cells_and_an_empty_last_column_are_read_at_once() -> None:
    content = f'{HEADER},note\n5.1,3.5,1.4,"0.2",""\n5.1,3.5,1.4,"0.2",\n5.1,3.5,1.4,"0.2","a\nb"\n'.encode()
    reader = CsvFile(io.BytesIO(content))
    (piece,) = reader.pieces()
    frame = reader._parse(piece.content)
    assert frame is not None
    assert frame.to_series(4).to_list() == [None, None, "a\nb"]


def test_a_cell_that_the_api_would_refuse_for_its_length_is_refused() -> None:
    with pytest.raises(MalformedDocument, match="Line 2 is not CSV: field larger than field limit"):
        read(f"{HEADER},note\n5.1,3.5,1.4,0.2,{'x' * 200_000}\n".encode())


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_header_alone_is_a_table_without_rows(end: str) -> None:
    _, rows = read((HEADER + end).encode())
    assert (rows.read, rows.frame.columns) == (0, HEADER.split(","))


def test_quotes_within_cells_are_no_quotes_in_a_file_of_many_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1000)
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


@pytest.mark.parametrize("small", [0, 2**20])
def test_rows_that_are_kept_have_as_many_cells_as_the_others_and_no_measurements(
    sizes: Callable[[int, int], None], small: int
) -> None:
    sizes(40, small)
    content = f"{HEADER}\n5.1,3.5,1.4,0.2\n5.1\n5.1,3.5,1.4,0.2,9,9\n5.1,x,1.4,0.2\n5.1,3.5,1.4,0.2".encode()
    _, rows = read(content, keep=True)
    assert np.isnan(rows.measurements).any(axis=1).tolist() == [False, True, True, True, False]
    assert cells(rows)[1:4] == [["5.1", "", "", ""], ["5.1", "3.5", "1.4", "0.2"], ["5.1", "x", "1.4", "0.2"]]
    assert [reject.row for reject in rows.rejects] == ["5.1", "5.1,3.5,1.4,0.2,9,9", "5.1,x,1.4,0.2"]


def test_a_row_that_is_rejected_is_written_as_one_that_can_be_read() -> None:
    _, rows = read(f'note,{HEADER}\n"a\n""b""\r",x,3.5,1.4,0.2\n'.encode())
    assert [reject.row for reject in rows.rejects] == ['"a\n""b""\r",x,3.5,1.4,0.2']


def test_what_the_file_says_of_the_species_is_passed_on() -> None:
    _, rows = read(f"{HEADER},Class\n5.1,3.5,1.4,0.2,a\n0,0,0,0,b\n5.1,3.5,1.4,0.2,\n".encode())
    assert rows.given is not None
    assert rows.given.to_list() == ["a", None]


@pytest.mark.parametrize("piece", [10, 2**20])
@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (b"5.1,3.5,1.4,0.2\r\n5.1,\xff", "Line 3 is not UTF-8. A spreadsheet saves it as “CSV UTF-8”."),
        (b'"5.1\n",3.5,1.4,0.2\n5.1,\0', "Line 4 holds a NUL character, as no table does; is it saved as CSV?"),
        (b'5.1,3.5,1.4,0.2\n\n5.1,"3.5', "Line 4 is not CSV: unexpected end of data."),
        (b'5.1,3.5,1.4,0.2\n5.1,"3"5', "Line 3 is not CSV: ',' expected after '\"'."),
    ],
)
def test_what_is_no_csv_is_malformed_and_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch, rows: bytes, sentence: str, piece: int
) -> None:
    monkeypatch.setattr(pieces, "PIECE", piece)
    with pytest.raises(MalformedDocument) as refused:
        read(HEADER.encode() + b"\n" + rows)
    assert str(refused.value) == sentence


def test_a_quote_that_is_never_closed_in_a_long_file_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 100)
    monkeypatch.setattr(pieces, "LONGEST_ROW", 1000)
    with pytest.raises(MalformedDocument) as refused:
        read((f'{HEADER}\n5.1,3.5,1.4,"0.2\n' + "5.1,3.5,1.4,0.2\n" * 100).encode())
    assert str(refused.value) == "Line 2 begins a row that does not end; is a quote never closed?"


def test_a_table_without_an_end_is_not_read_for_its_header_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "AHEAD", 100)
    monkeypatch.setattr(pieces, "LONGEST_ROW", 1000)
    stream = io.BytesIO(b'"' + b"x" * 5000)
    with pytest.raises(MalformedDocument):
        CsvFile(stream)
    assert stream.tell() <= 1200


@given(content=st.binary())
def test_no_bytes_are_a_fault_of_ours(content: bytes) -> None:
    for body in (content, HEADER.encode() + b"\n" + content):
        try:
            assert read(body)[1].measurements.shape[1] == 4
        except InputError:
            continue


def test_a_byte_order_mark_and_a_nul_are_text_where_a_piece_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1)
    _, rows = read(f"note,{HEADER}\n\ufeffa,5.1,3.5,1.4,0.2\n".encode())
    assert cells(rows)[0][0] == "\ufeffa"
