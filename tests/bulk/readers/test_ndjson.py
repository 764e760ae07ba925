"""Objects of JSON, one a line or in an array, against the reader of the API."""

import io
import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iris_app.bulk.readers import chunks, ndjson
from iris_app.bulk.readers.ndjson import NdjsonFile
from iris_app.bulk.readers.options import Reading
from iris_app.codecs.json_rows import JsonRows
from iris_app.exceptions import InputError, InvalidValues, MalformedDocument
from iris_app.iris import SCHEMA
from tests.bulk.readers.reading import Rows, read_all
from tests.support import FLOWER

ROW = list(FLOWER.values())
FIRST = json.dumps(FLOWER)


def read(text: str | bytes, **options: Any) -> tuple[NdjsonFile, Rows]:
    content = text.encode() if isinstance(text, str) else text
    reader = NdjsonFile(io.BytesIO(content), Reading(SCHEMA, **options), len(content))
    return reader, read_all(reader)


def complaints(rows: Rows) -> list[tuple[int | None, str | None, str]]:
    return [(error.line, error.column, error.detail) for reject in rows.rejects for error in reject.errors]


def with_note(note: object, **more: object) -> str:
    return json.dumps(FLOWER | {"note": note} | more)


values = st.one_of(
    st.floats(0, 30).map(repr),
    st.sampled_from(
        ["5", "0", "-0.0", "-1", "31", "300", "1e999", "1" + "0" * 400, "1e-400", "5.10", "NaN", "Infinity"]
    ),
    st.sampled_from(["null", "true", '"5.1"', "[]", "[5.1]", "{}", '{"a": 1}', '""', "5.", "01", "1_0", "+5", "x", ""]),
)
fields = st.lists(st.tuples(st.sampled_from([*SCHEMA.features_by_name]), values), max_size=6)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Make lines, most of them a flower's, or nearly so."""
    if draw(st.booleans()):
        flower = [(name, draw(st.floats(0.1, 30).map(repr))) for name in FLOWER]
        pairs = draw(st.permutations(flower)) if draw(st.booleans()) else flower + draw(fields)
    elif draw(st.booleans()):
        pairs = draw(fields)
    else:
        return draw(
            st.sampled_from([b"5", b"[]", b"null", b"{", b"}", b"\xff", b'"', b"{}x", b"[" * 10_000, b"\0", b"{,}"])
        )
    space = draw(st.sampled_from(["", " ", "\t", "\r"]))
    return ("{" + ",".join(f'"{name}"{space}:{space}{text}' for name, text in pairs) + "}" + space).encode()


@settings(max_examples=int(os.environ.get("IRIS_EXAMPLES", "60")))
@given(
    content=st.lists(st.one_of(lines(), st.sampled_from([b"", b" ", b"\r"])), max_size=20),
    chunk=st.sampled_from([1, 10, 100, 2**20]),
    end=st.sampled_from([b"", b"\n", b"\r\n"]),
)
def test_each_line_is_read_as_the_api_reads_it(content: list[bytes], chunk: int, end: bytes) -> None:
    text = b"\n".join([FIRST.encode(), *content]) + end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_SIZE", chunk)
        _, rows = read(text)
    measurements: list[list[float]] = []
    wrong: list[str] = []
    for at, line in enumerate(text.split(b"\n"), 1):
        try:
            measurements += SCHEMA.derive(JsonRows).read_lines(line, 10_000).tolist()
        except InvalidValues as refused:
            wrong += [_as_told(at, error.pointer or "", error.detail) for error in refused.errors]
        except MalformedDocument as refused:
            wrong.append(str(refused).replace("Line 1 ", f"Line {at} "))
    assert rows.values.tolist() == measurements
    assert [detail for _, _, detail in complaints(rows)] == wrong
    assert rows.read == len(measurements) + len(rows.rejects) == sum(bool(line.strip()) for line in text.split(b"\n"))


def _as_told(at: int, pointer: str, detail: str) -> str:
    """Say what the API says of a line, as it is said of a file's."""
    return (
        f"Line {at}, column {pointer[1:]}: {detail}"
        if pointer
        else f"Line {at} is no object with the features of a flower."
    )


def test_a_feature_that_is_given_twice_costs_its_line() -> None:
    _, rows = read("\n".join([FIRST, FIRST[:-1] + ', "sepal_width": 1}', with_note("sepal_width")]))
    assert rows.values.tolist() == [ROW] * 2
    assert complaints(rows) == [(2, "sepal_width", "Line 2, column sepal_width: sepal_width is given more than once.")]


def test_a_feature_that_is_given_twice_is_known_by_escaped_letters_too() -> None:
    twice = FIRST[:-1] + ', "sepal_l\\u0065ngth": 1}'
    note = FIRST[:-1] + ', "note": "\\u0041"}'
    for lines in ([twice], [FIRST, twice, note], [note, FIRST]):
        _, rows = read("\n".join(lines))
        assert len(complaints(rows)) == lines.count(twice)
        assert rows.values.tolist() == [ROW] * (len(lines) - lines.count(twice))


@given(flowers=st.lists(st.lists(st.floats(0.1, 30), min_size=4, max_size=4), min_size=1, max_size=9), data=st.data())
def test_an_array_is_read_as_lines_are(flowers: list[list[float]], data: st.DataObject) -> None:
    note = st.one_of(st.text(st.sampled_from('a"\\,{}[]\n')), st.lists(st.dictionaries(st.text(), st.text())))
    objects = [dict(zip(FLOWER, row, strict=True)) | {"note": data.draw(note)} for row in flowers]
    text = json.dumps(objects, indent=data.draw(st.sampled_from([None, 0, 2])))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_SIZE", data.draw(st.sampled_from([1, 10, 100, 2**20])))
        reader, rows = read(
            data.draw(st.sampled_from(["", "\ufeff", " \n"])) + text + data.draw(st.sampled_from(["", "\n"]))
        )
    assert reader.done() == 1
    assert rows.values.tolist() == flowers
    assert list(map(json.loads, rows.lines)) == objects
    assert not any(b"\n" in line for line in rows.lines)


def test_what_is_wrong_in_an_array_is_named_with_its_line() -> None:
    _, rows = read(f'\n[\n{FIRST},\n5,\n{{"sepal_length":\n1}}\n, {FIRST}\n, {FIRST}]')
    assert rows.values.tolist() == [ROW] * 3
    assert [(reject.line, reject.errors[0].detail.split(":")[0]) for reject in rows.rejects] == [
        (4, "Line 4 is no object with the features of a flower."),
        (5, "Line 5, column sepal_width"),
    ]


@pytest.mark.parametrize("text", [f"[{FIRST}", f"[{FIRST}\n]\n{FIRST}", f"[{FIRST}]]", f"[{FIRST} {FIRST}]"])
def test_an_array_that_is_not_json_is_malformed(text: str) -> None:
    with pytest.raises(MalformedDocument, match="It is an array that is not JSON: "):
        read(text)


def test_an_array_is_read_whole_and_no_longer_than_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_ARRAY_SIZE", 1000)
    monkeypatch.setattr(ndjson, "ELEMENTS", 2)
    _, rows = read(f"[{FIRST}, {FIRST}, {FIRST}]")
    assert len(rows.lines) == 3
    with pytest.raises(MalformedDocument, match="It is an array of more than 0 MiB; as NDJSON, it can be of any size"):
        read(f"[{','.join([FIRST] * 100)}]")


@pytest.mark.parametrize("text", ["", "\n", "[]", "[", "5\n6", "\ufeff", "{}", "[5]", "[{}]", "[" * 100_000])
def test_what_holds_no_object_is_malformed(text: str) -> None:
    with pytest.raises(MalformedDocument, match="It holds no object; each line is one"):
        read(text)


def test_a_row_without_an_end_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 100)
    monkeypatch.setattr(chunks, "MAX_ROW_SIZE", 1000)
    with pytest.raises(MalformedDocument, match="Line 2 is longer than"):
        read(FIRST + "\n" + with_note("x" * 2000))


def test_the_features_are_understood_in_any_usual_spelling() -> None:
    reader, rows = read('{"Petal.Width": 0.2, "note": 1, "sepalLength": 5.1, "swid": 3.5, "petal_length": 1.4}\n')
    assert (rows.values.tolist(), reader.feature_columns) == ([ROW], [2, 3, 4, 0])


def test_a_feature_that_is_missing_or_there_twice_in_the_first_row_is_named() -> None:
    with pytest.raises(InvalidValues) as refused:
        read('{"Sepal.Length": 1, "sepal length": 1, "sepal_width": 1, "petal_width": 1}')
    assert [error.column for error in refused.value.errors] == ["sepal_length", "petal_length"]


def test_other_fields_may_differ_from_line_to_line() -> None:
    lines = [FIRST, with_note(1), with_note([1, {"a": None}]), with_note("x", more=True)]
    reader, rows = read("\n".join(lines))
    assert [line.decode() for line in rows.lines] == lines
    assert reader.columns == [*FLOWER, "note", "more"]


def test_a_late_field_that_is_called_as_an_answer_is_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PEEK_SIZE", 200)
    late = [
        with_note(1, species="setosa"),
        with_note(1, species=1, given_species=2),
        with_note(1, warnings=1, petal_width=0),
    ]
    _, rows = read("\n".join([FIRST] * 20 + late), keep=True)
    assert [json.loads(line) for line in rows.lines[-3:]] == [
        FLOWER | {"note": 1, "given_species": "setosa"},
        FLOWER | {"note": 1, "given_given_species": 1, "given_species": 2},
        FLOWER | {"note": 1, "given_warnings": 1, "petal_width": 0},
    ]
    assert [reject.line for reject in rows.rejects] == [23]


def test_a_species_that_the_file_names_is_passed_on() -> None:
    _, rows = read("\n".join([with_note(1, species="setosa"), FIRST, with_note(1, species=2)]))
    assert rows.actual is not None
    assert rows.actual.to_list() == ["setosa", None, "2"]


@pytest.mark.parametrize("note", ['"\\ud800"', '"\\ud800abcdefgh"', "[" * 5000 + "]" * 5000])
def test_what_the_api_cannot_read_is_wrong_in_any_field(note: str) -> None:
    _, rows = read(FIRST + "\n" + FIRST[:-1] + f', "note": {note}}}')
    ((line, column, detail),) = complaints(rows)
    assert (line, column) == (2, None)
    assert detail.startswith("Line 2 is ")


def test_what_is_no_utf_8_is_wrong_in_any_field() -> None:
    _, rows = read(FIRST.encode() + b"\n" + FIRST[:-1].encode() + b', "note": "\xff"}')
    assert complaints(rows) == [(2, None, "Line 2 is not UTF-8: byte 92 cannot be read.")]
    assert rows.rejects[0].row.endswith('"note": "\ufffd"}')


def test_rows_that_are_kept_are_not_known() -> None:
    lines = [FIRST, with_note(1, petal_width=0), "{", "5", "{}", FIRST]
    _, rows = read("\n".join(lines), keep=True)
    assert rows.known is not None
    assert rows.known.tolist() == [True, False, False, False, False, True]
    assert [line.decode() for line in rows.lines] == [*lines[:2], "{}", "{}", "{}", FIRST]
    assert [reject.line for reject in rows.rejects] == [2, 3, 4, 5]


def typed(*lines: str, keep: bool = False) -> tuple[dict[str, list[Any]], Rows]:
    _, rows = read("\n".join(lines), typed=True, keep=keep)
    return rows.frame.to_dict(as_series=False), rows


def test_fields_become_columns_of_the_type_that_they_have_in_the_first_rows() -> None:
    columns, rows = typed(
        with_note(1, text="a", on=True), with_note(None, ratio=1.5), with_note(3, many=[1], one={"a": 1})
    )
    assert columns["note"] == [1, None, 3]
    assert columns["text"] == ["a", None, None]
    assert columns["on"] == [True, None, None]
    assert columns["ratio"] == [None, 1.5, None]
    assert columns["many"] == [None, None, "[1]"]
    assert columns["one"] == [None, None, '{"a": 1}']
    assert columns["sepal_length"] == [5.1] * 3
    assert not rows.rejects


def test_a_field_of_several_types_becomes_text() -> None:
    columns, _ = typed(with_note(1, on=1), with_note({"a": 1}, on=2), with_note([1], on="x"), with_note(None, on=4))
    assert columns["note"] == ["1", '{"a": 1}', "[1]", None]
    assert columns["on"] == ["1", "2", "x", "4"]


def test_columns_without_others_are_the_features() -> None:
    columns, _ = typed(FIRST, FIRST)
    assert columns == {name: [value] * 2 for name, value in FLOWER.items()}


def test_no_row_is_lost_to_the_types_of_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PEEK_SIZE", 200)
    columns, rows = typed(
        *[with_note(None, temp=20, id=1, on=True)] * 20,
        with_note("late", temp=20.75, id=9007199254740993, on="x", more=1),
        with_note("late", temp=None, id=1.5, on=[1]),
    )
    assert not rows.rejects
    assert columns["temp"] == [20] * 20 + [20.75, None]
    assert columns["note"] == [None] * 20 + ["late"] * 2
    assert columns["id"] == ["1"] * 20 + ["9007199254740993", "1.5"]
    assert columns["on"] == ["true"] * 20 + ["x", "[1]"]
    assert columns["more"] == [None] * 20 + [1, None]


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**53, 2**53 + 1])
def test_long_integers_stay_as_they_are(number: int) -> None:
    columns, _ = typed(with_note(1), with_note(number))
    assert columns["note"] == [1, number]


def test_integers_that_are_too_long_become_text() -> None:
    columns, _ = typed(with_note(1), with_note(2**63))
    assert columns["note"] == ["1", str(2**63)]


@pytest.mark.parametrize("as_columns", [False, True])
def test_the_first_object_may_lack_a_feature(as_columns: bool) -> None:
    _, rows = read(f'{{"sepal_length": 1}}\n{FIRST}\n', typed=as_columns)
    assert (rows.values.tolist(), [reject.line for reject in rows.rejects]) == ([ROW], [1])


def test_a_feature_that_is_spelt_otherwise_later_is_another_field() -> None:
    columns, rows = typed(FIRST, FIRST.replace("petal_width", "Petal.Width"), keep=True)
    assert (columns["petal_width"], columns["Petal.Width"]) == ([0.2, None], [None, 0.2])
    assert [reject.line for reject in rows.rejects] == [2]


def test_more_fields_than_a_table_has_columns_are_refused() -> None:
    with pytest.raises(MalformedDocument, match="columns are more than"):
        typed(FIRST, json.dumps({str(at): 1 for at in range(1001)}))


def test_what_cannot_be_read_twice_is_held() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    reader = NdjsonFile(Pipe(f"{FIRST}\n{with_note(1)}".encode()), Reading(SCHEMA, typed=True))
    assert read_all(reader).frame["note"].to_list() == [None, 1]


def test_rows_that_are_kept_keep_what_can_be_read_of_them() -> None:
    columns, rows = typed(
        with_note(1),
        with_note(2, petal_width=0),
        with_note(3, petal_width="x"),
        "{",
        FIRST[:-1] + ', "note": 1e999}',
        keep=True,
    )
    assert columns["note"] == [1, 2, 3, None, None]
    assert columns["petal_width"] == [0.2, 0.0, None, None, None]
    assert columns["sepal_length"] == [5.1] * 3 + [None] * 2
    assert [reject.line for reject in rows.rejects] == [2, 3, 4, 5]


def test_utf_16_is_read() -> None:
    reader = NdjsonFile(io.BytesIO(f"{FIRST}\n{with_note('é')}".encode("utf-16")), Reading(SCHEMA))
    assert json.loads(read_all(reader).lines[1])["note"] == "é"


def test_no_rows_have_the_columns_all_the_same() -> None:
    _, rows = read(FIRST + "\n")
    reader = NdjsonFile(io.BytesIO((with_note(1) + "\n").encode()), Reading(SCHEMA, typed=True))
    assert reader.read(chunks.Chunk(1, b"\n")).frame.schema == reader.read(next(reader.chunks())).frame.schema
    assert len(rows.lines) == 1


@given(body=st.binary())
def test_no_bytes_are_a_fault_of_ours(body: bytes) -> None:
    for content in (body, FIRST.encode() + b"\n" + body, b"[" + FIRST.encode() + body):
        try:
            assert read(content)[1].values.shape[1] == 4
        except InputError:
            continue
