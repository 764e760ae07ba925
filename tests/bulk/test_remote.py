import gzip
import http.client
import io
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from iris_app.bulk import parts
from iris_app.bulk.compressed import zstd
from iris_app.bulk.parts import split
from iris_app.bulk.remote import RemoteLines
from iris_app.bulk.sources import Source
from tests.bulk.conftest import Classify, flowers
from tests.support import CHECKOUT, eventually

Put = Callable[[str, bytes], str]

SETTINGS = {"AWS_ACCESS_KEY_ID": "of the tests", "AWS_SECRET_ACCESS_KEY": "of the tests", "AWS_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a server like S3 listens, with a bucket."""
    path = tmp_path_factory.mktemp("s3") / "log"
    command = [CHECKOUT / ".venv" / "s3" / "bin" / "moto_server", "-H", "127.0.0.1", "-p", "0"]
    with path.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            port = int(eventually(lambda: re.search(r"127\.0\.0\.1:(\d+)", path.read_text()), process)[1])
            send(port, "PUT", "/bucket")
            yield port
        finally:
            process.terminate()


@pytest.fixture
def put(port: int, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Put a file into the bucket, and return its address."""
    for name, text in SETTINGS.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")

    def put(name: str, content: bytes) -> str:
        send(port, "PUT", f"/bucket/{name}", content)
        return f"s3://bucket/{name}"

    return put


def send(port: int, method: str, path: str, content: bytes = b"") -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    signed = (
        "AWS4-HMAC-SHA256 Credential=of the tests/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=-"
    )
    connection.request(method, path, content, {"Authorization": signed, "Content-Type": "application/octet-stream"})
    assert connection.getresponse().status == 200
    connection.close()


def as_csv() -> bytes:
    return flowers(60_000).write_csv().encode()


def written(write: Callable[[pl.DataFrame, io.BytesIO], object]) -> bytes:
    stream = io.BytesIO()
    write(flowers(60_000), stream)
    return stream.getvalue()


FILES = {
    "a.csv": as_csv,
    "a.csv.gz": lambda: gzip.compress(as_csv()),
    "a.csv.zst": lambda: zstd.compress(as_csv()),
    "a.ndjson": lambda: written(pl.DataFrame.write_ndjson),
    "a.parquet": lambda: written(pl.DataFrame.write_parquet),
    "a.arrow": lambda: written(pl.DataFrame.write_ipc),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_at_an_address_is_answered_as_one_here(name: str, classify: Classify, put: Put, tmp_path: Path) -> None:
    content = FILES[name]()
    (tmp_path / name).write_bytes(content)
    for source, answers in ((put(name, content), "there.csv"), (tmp_path / name, "here.csv")):
        assert classify(source, "-o", tmp_path / answers).exit_code == 0
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()


def test_files_at_addresses_go_to_a_folder_under_their_names(classify: Classify, put: Put, tmp_path: Path) -> None:
    addresses = [put(f"folder/{name}.csv", b"slen,swid,plen,pwid\n5.1,3.5,1.4,0.2\n") for name in "ab"]
    assert classify(*addresses, "-o", tmp_path / "out").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.csv")) == ["a.csv", "b.csv"]


def test_a_bad_row_at_an_address_is_named_with_its_line(classify: Classify, put: Put, tmp_path: Path) -> None:
    address = put("bad.csv", b'slen,swid,plen,pwid,note\r\n5.1,3.5,1.4,0.2,"two\r\nlines"\r\n\r\n5.1,3.5,1.4,x,\r\n')
    result = classify(address, "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert f"{address}: Line 5, column pwid: " in result.output
    assert not (tmp_path / "out.csv").exists()


def test_lines_from_an_address_end_with_a_line_feed_alone(put: Put) -> None:
    assert RemoteLines(put("ends.csv", b"a\r\n\r\nb\n\nc")).read(1000) == b"a\n\nb\n\nc\n"


def test_a_file_at_an_address_may_hold_nothing(put: Put) -> None:
    assert RemoteLines(put("nothing.csv", b"")).read(1000) == b""


def test_what_is_not_utf_8_at_an_address_is_refused(classify: Classify, put: Put, tmp_path: Path) -> None:
    address = put("latin.csv", b"slen,swid,plen,pwid,note\n5.1,3.5,1.4,0.2,\xe9\n")
    result = classify(address, "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert f"{address}: It cannot be read: invalid utf8." in result.output


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_what_is_not_at_an_address_is_missed_in_a_line(name: str, classify: Classify, put: Put, tmp_path: Path) -> None:
    put("another.csv", b"")
    result = classify(f"s3://bucket/{name}", "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    (line,) = (line for line in result.output.splitlines() if line.startswith("s3://"))
    assert f"Object at location {name} not found" in line
    assert "<" not in line


def test_a_large_file_at_an_address_is_parted_for_a_cluster(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 1000)
    content = written(lambda frame, stream: frame.head(3000).write_parquet(stream, row_group_size=1000))
    found = split(Source(put("large.parquet", content), "parquet", "large.parquet"))
    assert [part.rows for part in found] == [(0, 1000), (1000, 2000), (2000, 3000)]


def test_a_pattern_in_an_address_is_wrong_usage(classify: Classify, tmp_path: Path) -> None:
    result = classify("s3://bucket/*.csv", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "at an address, each is named" in result.output


def test_answers_do_not_go_to_an_address(classify: Classify, table: Path) -> None:
    result = classify(table, "-o", "s3://bucket/out.csv")
    assert result.exit_code == 2
    assert "answers go to files here" in result.output
