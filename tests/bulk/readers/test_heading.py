"""How a table begins: what is detected, what can be stated, and what is advised where no columns are found."""

import io
from typing import Any

import pytest

from iris_app.bulk.readers import chunks
from iris_app.bulk.readers.csv import CsvFile
from iris_app.bulk.readers.options import Reading, ReadOptions
from iris_app.exceptions import InputError, InvalidValues, MalformedDocument
from iris_app.iris import SCHEMA
from tests.bulk.readers.reading import Rows, details, read_all

HEADER = "sepal_length,sepal_width,petal_length,petal_width"
ROW = [5.1, 3.5, 1.4, 0.2]
NAMED = "Sepal.Length,Sepal.Width,Petal.Length,Petal.Width"
UNNAMED = "5.1,3.5,1.4,0.2,Iris-setosa\n"


def read(content: str | bytes, **options: Any) -> tuple[CsvFile, Rows]:
    body = content.encode() if isinstance(content, str) else content
    reader = CsvFile(io.BytesIO(body), Reading(SCHEMA, ReadOptions(**options)), len(body))
    return reader, read_all(reader)


def refused(content: str) -> str:
    with pytest.raises(InputError) as error:
        read(content)
    return error.value.errors[0].detail if isinstance(error.value, InvalidValues) else str(error.value)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_usual_delimiters_are_detected(delimiter: str) -> None:
    reader, rows = read(f"{HEADER}\n5.1,3.5,1.4,0.2\n".replace(",", delimiter))
    assert (rows.values.tolist(), reader.guesses) == ([ROW], [f"cells are separated by {delimiter!r}"])


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"'])
def test_a_line_that_names_the_delimiter_is_passed_over(line: str) -> None:
    _, rows = read(f"{line}\r\n{HEADER}\r\nx,3.5,1.4,0.2\r\n".replace(",", ";"))
    assert [reject.line for reject in rows.rejects] == [3]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_encodings_of_unicode_are_detected(codec: str) -> None:
    reader, rows = read(f"{HEADER},Größe\n5.1,3.5,1.4,0.2,ß\n".encode(codec))
    assert (rows.values.tolist(), rows.frame["Größe"].to_list()) == ([ROW], ["ß"])
    assert (reader.guesses != []) == (codec != "utf-8-sig")


def test_characters_may_be_cut_where_a_piece_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PEEK_SIZE", 1)
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 1)
    _, rows = read((f"{HEADER}\n" + "5.1,3.5,1.4,0.2\n" * 100).encode("utf-16"))
    assert rows.values.tolist() == [ROW] * 100


def test_windows_encoding_is_detected_by_the_header() -> None:
    reader, rows = read(f"{HEADER},Größe\n5.1,3.5,1.4,0.2,ß\n".encode("cp1252"))
    assert (rows.frame["Größe"].to_list(), reader.guesses) == (["ß"], ["it is encoded in cp1252"])


def test_an_encoding_can_be_stated() -> None:
    reader, rows = read(f"{HEADER},note\n5.1,3.5,1.4,0.2,é\n".encode("latin-1"), encoding="latin-1")
    assert (rows.frame["note"].to_list(), reader.guesses) == (["é"], [])


def test_bytes_that_the_stated_encoding_has_not_cost_their_row() -> None:
    _, rows = read(f"{HEADER},note\n5.1,3.5,1.4,0.2,".encode() + b"\x81\n5.1,3.5,1.4,0.2,a\n", encoding="cp1252")
    assert (details(rows), rows.values.tolist()) == (["Line 2 holds bytes that cp1252 has not."], [ROW])


@pytest.mark.parametrize("encoding", ["klingon", "base64"])
def test_an_encoding_that_is_none_is_named(encoding: str) -> None:
    with pytest.raises(MalformedDocument, match=f"There is no encoding {encoding}"):
        read(HEADER, encoding=encoding)


def test_a_delimiter_can_be_stated() -> None:
    assert read(f"{HEADER}\n5.1,3.5,1.4,0.2\n".replace(",", "~"), delimiter="~")[1].values.tolist() == [ROW]


def test_lines_above_the_table_can_be_skipped() -> None:
    _, rows = read(f'a "title\n\n{HEADER}\nx,3.5,1.4,0.2\n', skip_lines=2)
    assert [reject.line for reject in rows.rejects] == [4]


def test_comments_can_be_left_out() -> None:
    text = f'# by "me\n#\n{HEADER},note\n# it\'s "so\n5.1,3.5,1.4,0.2,"#\n# a"\n#x\nx,3.5,1.4,0.2,\n#'
    _, rows = read(text, comment="#")
    assert (rows.read, rows.frame["note"].to_list()) == (2, ["#\n# a"])
    assert [reject.line for reject in rows.rejects] == [8]


def test_columns_can_be_named_in_place_of_the_header() -> None:
    reader, rows = read("a,b,c,d\n5.1,3.5,1.4,0.2\n", columns=tuple(HEADER.split(",")))
    assert (reader.columns, rows.values.tolist()) == (HEADER.split(","), [ROW])


@pytest.mark.parametrize("header", [None, False])
def test_columns_can_be_named_where_there_is_no_header(header: bool | None) -> None:
    _, rows = read("5.1,3.5,1.4,0.2\n" * 2, columns=tuple(HEADER.split(",")), header=header)
    assert rows.values.tolist() == [ROW] * 2


def test_four_columns_without_a_header_are_the_features_where_that_is_stated() -> None:
    assert read("5.1,3.5,1.4,0.2\n", header=False)[1].values.tolist() == [ROW]


def test_more_columns_without_a_header_must_be_named() -> None:
    with pytest.raises(MalformedDocument, match=r"Line 1 has 6 cells; without a header, they are .* Or use --columns"):
        read("1,5.1,3.5,1.4,0.2,a\n", header=False)


def test_the_table_of_uci_is_known_without_a_header() -> None:
    reader, rows = read(UNNAMED)
    assert (rows.values.tolist(), reader.columns[-1]) == ([ROW], "species")
    assert reader.guesses == [f"there is no header, and the columns are {HEADER.replace(',', ', ')}, species"]


def test_the_header_of_scikit_learn_is_known() -> None:
    reader, rows = read("150,4,setosa,versicolor,virginica\n5.1,3.5,1.4,0.2,0\n")
    assert (rows.values.tolist(), reader.columns[-1]) == ([ROW], "target")


@pytest.mark.parametrize(
    ("decimal", "row", "read_as"),
    [
        (None, '"5,1",3.5,1.4,0.2', [ROW]),
        (",", '"5,1","3,5","1,4","0,2"', [ROW]),
        (",", "5.1,3.5,1.4,0.2", []),
        (".", '"5,1",3.5,1.4,0.2', []),
    ],
)
def test_decimals_can_be_stated(decimal: str | None, row: str, read_as: list[list[float]]) -> None:
    assert read(f"{HEADER}\n{row}\n", decimal=decimal)[1].values.tolist() == read_as


def test_a_decimal_comma_may_begin_late() -> None:
    row = "5.1;3.5;1.4;0.2\n"
    _, rows = read(HEADER.replace(",", ";") + "\n" + row * 10 + row.replace(".", ","))
    assert rows.values.tolist() == [ROW] * 11


def test_values_that_stand_for_nothing_can_be_stated() -> None:
    _, rows = read(f"{HEADER}\nNA,3.5,1.4,-999\n", null_values=("NA", "-999"))
    assert details(rows) == [
        "Line 2, column sepal_length: Sepal length is missing.",
        "Line 2, column petal_width: Petal width is missing.",
    ]


def test_a_row_of_empty_cells_counts_but_at_the_end() -> None:
    _, rows = read(f'{HEADER}\n5.1,3.5,1.4,0.2\n,,,\n\n5.1,3.5,1.4,0.2\n,,,\n"",,,\n\n,,,')
    assert (rows.read, {reject.line for reject in rows.rejects}) == (4, {3, 4})


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (f"{HEADER}".replace(",", "~"), 'It seems to be a table: use --delimiter "~".'),
        (
            f"Flowers\n\n{HEADER}".replace(",", "~"),
            'Line 3 seems to be the header: use --skip-lines 2 --delimiter "~".',
        ),
        (f"# mine\n{HEADER}".replace(",", "~"), 'Line 2 seems to be the header: use --comment "#" --delimiter "~".'),
        (
            f"{HEADER}\n1,5,3,1,1".replace(",", "~"),
            f'It seems to be a table: use --delimiter "~" --columns row,{HEADER}.',
        ),
        ("5.1,3.5,1.4,0.2\n", "It seems to have no header: use --no-header --columns with the name of each column."),
        ("C1,C2,C3,C4,C5\n5.1,3.5,1.4,0.2,a\n", "Use --columns with a name for each column where they are called"),
        ("\v", "Use --columns with a name for each column"),
    ],
)
def test_what_would_help_is_named_where_columns_are_missing(content: str, advice: str) -> None:
    assert advice in refused(content)


@pytest.mark.parametrize(
    ("content", "guess"),
    [
        (f"Flowers of 1936\n\n{HEADER}\n5.1,3.5,1.4,0.2\n", "the columns are named in line 3"),
        (f"# by me\n{HEADER}\n5.1,3.5,1.4,0.2\n", "the columns are named in line 2"),
        (f"Flowers,,,\nof 1936,,,\n,,,\n{HEADER}\n5.1,3.5,1.4,0.2\n", "the columns are named in line 4"),
        (f"{HEADER}\n5.1,3.5,1.4,0.2\n".replace(",", " "), "cells are separated by ' '"),
        (f"{HEADER}\na,5.1,3.5,1.4,0.2\n", "the first column, which has no name, holds the names of the rows"),
        (
            '"Sepal.Length" "Sepal.Width" "Petal.Length" "Petal.Width"\n"1" 5.1 3.5 1.4 0.2\n',
            "the first column, which has no name, holds the names of the rows",
        ),
    ],
)
def test_the_headers_that_circulate_are_read(content: str, guess: str) -> None:
    reader, rows = read(content)
    assert rows.values.tolist() == [ROW]
    assert guess in reader.guesses


def test_the_columns_and_the_first_line_are_shown_where_columns_are_missing() -> None:
    names = [f"column{at}" for at in range(12)]
    found = ", ".join(f"“{name}”" for name in names[:10])
    assert refused(",".join(names)).startswith(
        "There is no column sepal_length and none sepal_width and none petal_length and none petal_width; "
        f"the columns are {found} and 2 more. The file begins with “{','.join(names)[:80]}…”. "
    )


def test_a_feature_with_two_columns_is_named() -> None:
    assert "sepal_length" in refused(f"{HEADER},sepal_length\n5,3,1,1,5\n")


@pytest.mark.parametrize("content", ['"', '"a" "b', "a" * 200_000])
def test_a_header_that_cannot_be_read_is_refused(content: str) -> None:
    with pytest.raises(InputError):
        read(content)
