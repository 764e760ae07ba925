"""What is written is read back as it came, with the answers beside, whatever its form and in however many pieces."""

import csv
import datetime as dt
import gzip
import io
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import polars as pl
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from pyarrow.parquet import read_metadata

from iris_app.bulk import writers
from iris_app.bulk.job import Job, MaxBad, make_pool, run_job
from iris_app.bulk.outcomes import Summary
from iris_app.bulk.readers import chunks, columnar
from iris_app.bulk.storage.compression import zstd
from iris_app.bulk.storage.sources import Form, Source
from iris_app.codecs import csv_rows
from iris_app.codecs.csv_rows import answer_columns
from iris_app.iris import SCHEMA
from iris_app.model.classifier import Model, load
from tests.bulk.conftest import Classify, flowers
from tests.support import FLOWER, classify

HEADER = ",".join(FLOWER)
ROW = ",".join(map(str, FLOWER.values()))
ANSWERS = ["species", *answer_columns(SCHEMA, [])[1:-1], "warnings"]

Work = Callable[..., tuple[bytes, Summary]]


@pytest.fixture(scope="module")
def model(trained_path: Path) -> Model:
    return load(trained_path)


@pytest.fixture(scope="module")
def work(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Work:
    """Classify a file's content and return what is written."""
    folder = tmp_path_factory.mktemp("work")

    def classify(
        content: bytes, form: Form, to: Form, bad_rows: Any = "report", end: str = ""
    ) -> tuple[bytes, Summary]:
        path, output = folder / f"in.{form}", folder / f"out.{to}{end}"
        path.write_bytes(content)
        some = None if bad_rows == "report" else MaxBad(1, True)
        job = Job(
            Source(str(path), form, path.name),
            str(output),
            to,
            bad_rows,
            f"{output}.rejected",
            some,
        )
        with make_pool() as pool, ExitStack() as stack:
            summary = run_job(job, model, lambda _rows, _share: None, pool, stack).summary
        return output.read_bytes(), summary

    return classify


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def set_sizes(size: int) -> None:
        monkeypatch.setattr(chunks, "CHUNK_SIZE", size)
        monkeypatch.setattr(columnar, "CHUNK_ROWS", size)

    return set_sizes


def rows(table: str | bytes, delimiter: str = ",") -> list[list[str]]:
    text = table if isinstance(table, str) else table.decode()
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))


cells = st.one_of(
    st.text(st.sampled_from('a",;\n\r\t ')),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
)


@given(notes=st.lists(cells, min_size=1, max_size=5), name=cells, delimiter=st.sampled_from(",;\t"), data=st.data())
def test_cells_of_any_kind_are_read_back_as_they_came(
    work: Work, notes: list[str], name: str, delimiter: str, data: st.DataObject
) -> None:
    newline = data.draw(st.sampled_from(["\n", "\r\n"]))
    came = io.StringIO()
    writer = csv.writer(came, delimiter=delimiter, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerows([[name + "x", *FLOWER], *([note, *FLOWER.values()] for note in notes)])
    written, _ = work(came.getvalue().encode(), "csv", "csv")
    header, *answered = rows(written, delimiter)
    assert header == [name + "x", *FLOWER, *ANSWERS]
    assert [row[:5] for row in answered] == [[note, *map(str, FLOWER.values())] for note in notes]
    table = csv_rows.read(SCHEMA, written, 10)
    assert (table.delimiter, table.header, list(table.rows)) == (delimiter, header, answered)
    read = pd.read_csv(io.BytesIO(written), sep=delimiter, dtype=str, keep_default_na=False, lineterminator="\n")
    if newline == "\n" and not any("\r" in text for text in [name, *notes]):
        assert read.iloc[:, 0].tolist() == notes


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_keeps_its_delimiter_and_its_line_ends(work: Work, delimiter: str, newline: str) -> None:
    text = newline.join([HEADER, ROW]).replace(",", delimiter)
    lines = work(text.encode(), "csv", "csv")[0].decode().split(newline)
    assert lines[0] == (HEADER + "," + ",".join(ANSWERS)).replace(",", delimiter)
    assert lines[1].startswith(ROW.replace(",", delimiter) + delimiter + "setosa" + delimiter)
    assert lines[2:] == [""]


def test_decimal_commas_stay_decimal_commas(work: Work) -> None:
    text = HEADER.replace(",", ";") + "\n5,1;3,5;1,4;0,2\n"
    (_, row) = rows(work(text.encode(), "csv", "csv")[0], ";")
    assert row[:4] == ["5,1", "3,5", "1,4", "0,2"]
    assert sum(float(cell.replace(",", ".")) for cell in row[5:8]) == pytest.approx(1)
    assert "." not in "".join(row)


def test_no_warnings_are_an_empty_cell_and_an_empty_text(work: Work) -> None:
    content = f"{HEADER}\n{ROW}\n5.1,3.5,1.4,9\n".encode()
    _, usual, unusual = work(content, "csv", "csv")[0].decode().splitlines()
    assert usual.endswith(",")
    assert unusual.endswith(",out_of_range:petal_width")
    lines = map(json.loads, work(content, "csv", "ndjson")[0].splitlines())
    assert [line["warnings"] for line in lines] == ["", "out_of_range:petal_width"]


def test_an_empty_cell_is_empty_whether_it_was_quoted_or_not(work: Work) -> None:
    written, _ = work(f'note,{HEADER}\n"",{ROW}\n,{ROW}\n'.encode(), "csv", "csv")
    assert [line.split(",")[0] for line in written.decode().splitlines()[1:]] == ["", ""]


def test_columns_that_came_keep_their_names_and_ours_take_others(work: Work) -> None:
    content = f"species,{HEADER},warnings,species\na,{ROW},b,c\n".encode()
    header, row = rows(work(content, "csv", "csv")[0])
    assert header == [
        "species",
        *FLOWER,
        "warnings",
        "species",
        "predicted_species",
        *answer_columns(SCHEMA, [])[1:-1],
        "predicted_warnings",
    ]
    assert (row[0], row[5:8]) == ("a", ["b", "c", "setosa"])


@pytest.mark.parametrize("to", ["ndjson", "parquet"])
def test_two_columns_of_one_name_go_to_csv_alone(classify: Classify, tmp_path: Path, to: str) -> None:
    (tmp_path / "in.csv").write_text(f"note,{HEADER},note\na,{ROW},b\n")
    result = classify(tmp_path / "in.csv", "-o", tmp_path / f"out.{to}")
    assert (result.exit_code, "Two columns are called note" in result.stderr) == (1, True)


@pytest.mark.parametrize("to", ["ndjson", "parquet"])
def test_the_features_of_a_table_become_numbers_and_other_columns_stay_text(work: Work, to: Form) -> None:
    content = (HEADER.replace(",", ";") + ';note\n5,1;3,5;1,4;"0,2";01\n').encode()
    written, _ = work(content, "csv", to)
    frame = pl.read_parquet(written) if to == "parquet" else pl.read_ndjson(written)
    assert frame.row(0)[:6] == (5.1, 3.5, 1.4, 0.2, "01", "setosa")
    assert frame.columns == [*FLOWER, "note", *ANSWERS]


@pytest.mark.parametrize("to", ["ndjson", "parquet"])
def test_rows_that_are_kept_keep_the_numbers_that_they_have(work: Work, to: Form) -> None:
    content = (HEADER.replace(",", ";") + "\n5,1;x;1,4;31\n").encode()
    written, summary = work(content, "csv", to, "null")
    frame = pl.read_parquet(written) if to == "parquet" else pl.read_ndjson(written)
    assert frame.row(0) == (5.1, None, 1.4, 31.0, None, None, None, None, None)
    assert (summary.read, summary.written, summary.rejected, summary.classified) == (1, 1, 1, 0)


def test_lines_stay_as_they_came_but_for_the_answers_at_their_end(work: Work) -> None:
    lines = [
        json.dumps(FLOWER | {"id": 10**30, "note": "\u20ac }"}, indent=None),
        '  {"petal_width":2.0e-1,"swid":3.50 ,"slen": 5.1, "plen":1.4, "a":{"b":[1.10,null]} }  ',
    ]
    lines[1] = lines[1].replace("swid", "sepal_width").replace("slen", "sepal_length").replace("plen", "petal_length")
    written, _ = work("\r\n".join(lines).encode(), "ndjson", "ndjson")
    for came, line in zip(lines, written.decode().splitlines(), strict=True):
        assert line.startswith(came.rstrip().removesuffix("}").rstrip() + ',"species":"setosa","probability_setosa":')
        assert list(json.loads(line))[-5:] == ANSWERS


def test_an_empty_object_that_is_kept_has_empty_answers(work: Work) -> None:
    written, _ = work(f"{json.dumps(FLOWER)}\n{{ }}\n5\n".encode(), "ndjson", "ndjson", "null")
    assert list(map(json.loads, written.splitlines()))[1:] == [dict.fromkeys(ANSWERS)] * 2


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_the_fields_of_lines_become_columns(work: Work, to: Form) -> None:
    lines = [json.dumps(FLOWER | {"id": 1, "tags": ["a"]}), json.dumps(FLOWER | {"note": 'a "b",\n'})]
    written, _ = work("\n".join(lines).encode(), "ndjson", to)
    frame = pl.read_parquet(written) if to == "parquet" else pl.read_csv(written)
    assert frame.columns == [*FLOWER, "id", "tags", "note", *ANSWERS]
    assert frame.select("id", "tags", "note", "species").rows() == [
        (1, '["a"]', None, "setosa"),
        (None, None, 'a "b",\n', "setosa"),
    ]


def parquet(**columns: Any) -> bytes:
    content = io.BytesIO()
    pl.DataFrame({name: [value] for name, value in FLOWER.items()} | columns).write_parquet(content)
    return content.getvalue()


def test_columns_of_parquet_keep_their_types(work: Work) -> None:
    columns = {"day": [dt.date(2000, 1, 1)], "many": [[1]], "raw": [b"\xff"], "small": pl.Series([1], dtype=pl.Int8)}
    content = parquet(**columns)
    frame = pl.read_parquet(work(content, "parquet", "parquet")[0])
    assert frame[:, :-5].equals(pl.read_parquet(content))


def test_decimals_and_text_become_numbers_in_json(work: Work) -> None:
    content = parquet(petal_width=pl.Series(["0.2"]), petal_length=pl.Series([1.5]).cast(pl.Decimal(5, 2)))
    line = json.loads(work(content, "parquet", "ndjson")[0])
    assert (line["petal_width"], line["petal_length"]) == (0.2, 1.5)


@pytest.mark.parametrize(
    ("values", "to"),
    [
        ([[1]], "csv"),
        ([{"a": 1}], "csv"),
        ([b"a"], "csv"),
        ([dt.timedelta(1)], "csv"),
        ([b"a"], "ndjson"),
        ([[b"a"]], "ndjson"),
    ],
)
def test_a_column_that_a_form_cannot_hold_is_named(classify: Classify, tmp_path: Path, values: Any, to: str) -> None:
    (tmp_path / "in.parquet").write_bytes(parquet(odd=values))
    result = classify(tmp_path / "in.parquet", "-o", tmp_path / f"out.{to}")
    assert result.exit_code == 1
    assert "Column odd holds " in result.stderr
    assert not (tmp_path / f"out.{to}").exists()


CONTENTS: dict[str, bytes] = {
    "csv": f"note,{HEADER}\n".encode() + b"".join(b'"a\n%d",%s\n' % (at, ROW.encode()) for at in range(300)),
    "ndjson": b"".join(json.dumps(FLOWER | {"id": at}).encode() + b"\n" for at in range(300)),
}


@pytest.mark.parametrize("bad_rows", ["skip", "null"])
@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("bad", [False, True])
def test_many_pieces_make_what_one_makes(
    work: Work, small: Callable[[int], None], form: Form, to: Form, bad_rows: str, bad: bool
) -> None:
    content = CONTENTS.get(form) or parquet_of(300)
    content = content.replace(b"0.2", b"0.0", 1) if bad and form != "parquet" else content
    whole, summary = work(content, form, to, bad_rows)
    small(100)
    parted, counts = work(content, form, to, bad_rows)
    assert counts == summary
    assert summary.read == summary.classified + summary.rejected == 300
    if to == "parquet":
        assert pl.read_parquet(parted).equals(pl.read_parquet(whole))
    else:
        assert parted == whole


def test_parquet_is_written_in_row_groups(
    work: Work, small: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "ROW_GROUP", 150)
    small(100)
    written, _ = work(parquet_of(350), "parquet", "parquet")
    metadata = read_metadata(io.BytesIO(written))
    assert [metadata.row_group(index).num_rows for index in range(metadata.num_row_groups)] == [150, 150, 50]
    assert pl.read_parquet(written)["flower"].equals(flowers(350)["flower"])


def parquet_of(count: int) -> bytes:
    content = io.BytesIO()
    flowers(count).write_parquet(content)
    return content.getvalue()


@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_without_rows_is_answered_by_one(work: Work, form: Form, to: Form) -> None:
    content = io.BytesIO()
    getattr(flowers(1).clear(), f"write_{form}")(content)
    written, summary = work(content.getvalue(), form, to)
    assert summary.read == 0
    if to != "ndjson":
        frame = pl.read_parquet(written) if to == "parquet" else pl.read_csv(written)
        assert (frame.columns, len(frame)) == (["flower", *FLOWER, *ANSWERS], 0)


@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet"])
def test_nothing_is_written_where_the_first_row_is_bad(classify: Classify, tmp_path: Path, to: str) -> None:
    (tmp_path / "in.csv").write_text(f"{HEADER}\n0,0,0,0\n")
    result = classify(tmp_path / "in.csv", "-o", tmp_path / f"out.{to}")
    assert (result.exit_code, result.exception.__class__) == (1, SystemExit)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "out"))) == []


@pytest.mark.parametrize("to", ["csv", "ndjson"])
@pytest.mark.parametrize(("end", "unpack"), [(".gz", gzip.decompress), (".zst", zstd.decompress)])
def test_what_is_compressed_is_the_same_every_time(
    work: Work, monkeypatch: pytest.MonkeyPatch, end: str, unpack: Callable[[bytes], bytes], to: Form
) -> None:
    packed, _ = work(CONTENTS["csv"], "csv", to, end=end)
    assert unpack(packed) == work(CONTENTS["csv"], "csv", to)[0]
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert work(CONTENTS["csv"], "csv", to, end=end)[0] == packed


@pytest.mark.parametrize(("end", "pack"), [(".gz", gzip.compress), (".zst", zstd.compress)])
def test_what_is_compressed_is_read(
    classify: Classify, tmp_path: Path, end: str, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"in.csv{end}"
    half = len(CONTENTS["csv"]) // 2
    path.write_bytes(pack(CONTENTS["csv"][:half]) + pack(CONTENTS["csv"][half:]))
    assert classify(path, "-o", tmp_path / "out.csv").exit_code == 0
    assert len(pl.read_csv(tmp_path / "out.csv")) == 300
    with Source(str(path), "csv", path.name).open(SCHEMA, keep=False, typed=False) as (reader, _):
        assert list(reader.chunks())
        assert reader.done() == 1


@pytest.mark.parametrize(("end", "pack"), [(".gz", gzip.compress), (".zst", zstd.compress)])
@pytest.mark.parametrize(
    "harm", [lambda body: body[:-5], lambda body: body[:40] + b"harm" + body[44:], lambda _: b"no"]
)
def test_what_is_compressed_and_not_whole_is_malformed(
    classify: Classify, tmp_path: Path, end: str, pack: Callable[[bytes], bytes], harm: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"in.csv{end}"
    path.write_bytes(harm(pack(CONTENTS["csv"])))
    result = classify(path, "-o", tmp_path / "out.csv")
    assert (result.exit_code, "It is compressed, but not whole: " in result.stderr) == (1, True)
    assert not (tmp_path / "out.csv").exists()


measurements = st.lists(st.lists(st.floats(0, 30, exclude_min=True), min_size=4, max_size=4), min_size=1, max_size=20)


@given(rows=measurements, form=st.sampled_from(["csv", "ndjson", "parquet", "arrow"]), data=st.data())
def test_answers_are_the_models_to_the_bit(
    work: Work, model: Model, rows: list[list[float]], form: Form, data: st.DataObject
) -> None:
    frame = pl.DataFrame(rows, schema=list(FLOWER), orient="row")
    content = io.BytesIO()
    {"arrow": frame.write_ipc, "csv": frame.write_csv, "ndjson": frame.write_ndjson, "parquet": frame.write_parquet}[
        form
    ](content)
    to = data.draw(st.sampled_from(["csv", "ndjson", "parquet"]))
    written, summary = work(content.getvalue(), form, to)
    answers = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[to](written)
    expected = classify(model, np.array(rows))
    assert answers.select("species", *answer_columns(SCHEMA, [])[1:-1]).rows() == [
        (one.predicted_class, *msgspec.structs.astuple(one.probabilities)) for one in expected
    ]
    said = [" ".join(caution.label for caution in one.warnings) for one in expected]
    assert [text or "" for text in answers["warnings"]] == said
    assert answers.select(*FLOWER).rows() == list(map(tuple, rows))
    assert summary.unusual == sum(map(bool, said))


def test_answers_are_the_apis_to_the_bit(work: Work, client: FlaskClient) -> None:
    content = io.BytesIO()
    flowers(1000).write_csv(content)
    answer = client.post("/api/classify", data=content.getvalue(), content_type="text/csv").data
    assert rows_as_numbers(work(content.getvalue(), "csv", "csv")[0]) == rows_as_numbers(answer)


def rows_as_numbers(table: bytes) -> list[list[Any]]:
    header, *answered = rows(table)
    return [header, *([*row[:6], *map(float, row[6:9]), row[9]] for row in answered)]


def test_what_keeps_a_later_piece_from_being_read_keeps_parquet_from_being_written(
    classify: Classify, small: Callable[[int], None], tmp_path: Path
) -> None:
    small(100)
    path = tmp_path / "in.csv"
    path.write_bytes(CONTENTS["csv"] + b'"')
    result = classify(path, "-o", tmp_path / "out.parquet")
    assert (result.exit_code, "Line 602 is not CSV: " in result.stderr) == (1, True)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is full")
def test_a_full_disk_is_told_when_parquet_is_written(classify: Classify, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(CONTENTS["csv"])
    result = classify(tmp_path / "in.csv", "-o", "/dev/full", "--format", "parquet")
    assert (result.exit_code, "/dev/full cannot be written: " in result.stderr) == (4, True)
