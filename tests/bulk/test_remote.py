import gzip
import http.client
import io
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from iris_app.bulk import cluster
from iris_app.bulk.cluster import split
from iris_app.bulk.storage.addresses import filesystem
from iris_app.bulk.storage.compression import zstd
from iris_app.bulk.storage.sources import Source
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


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_what_is_not_at_an_address_is_missed_in_a_line(name: str, classify: Classify, put: Put, tmp_path: Path) -> None:
    put("another.csv", b"")
    result = classify(f"s3://bucket/{name}", "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    (line,) = (line for line in result.output.splitlines() if line.startswith("s3://"))
    assert any(part in line for part in (f"location {name} not found", f"'bucket/{name}'", f"{name}' not found"))
    assert "<" not in line


def test_a_large_file_at_an_address_is_parted_for_a_cluster(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "MIN_PART_ROWS", 1000)
    content = written(lambda frame, stream: frame.head(3000).write_parquet(stream, row_group_size=1000))
    found = split(Source(put("large.parquet", content), "parquet", "large.parquet"))
    assert [part.rows for part in found] == [(0, 1000), (1000, 2000), (2000, 3000)]


@pytest.fixture
def keys(put: Put) -> list[str]:
    """The keys of a folder in the bucket, of which three hold tables."""
    names = ["in/a.csv", "in/year=2024/b.csv", "in/year=2025/c.csv"]
    for name in names:
        put(name, b"slen,swid,plen,pwid\n5.1,3.5,1.4,0.2\n")
    for name in ("in/_delta_log/d.csv", "in/notes.md"):
        put(name, b"not ours")
    return names


@pytest.mark.parametrize("what", ["s3://bucket/in", "s3://bucket/in/", "s3://bucket/in/*.csv"])
@pytest.mark.usefixtures("keys")
def test_a_folder_or_a_pattern_at_an_address_is_read(classify: Classify, what: str, tmp_path: Path) -> None:
    result = classify(what, "-o", tmp_path / "out")
    assert result.exit_code == 0
    found = sorted(str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.csv"))
    assert found == ["a.csv", "year=2024/b.csv", "year=2025/c.csv"]
    assert (tmp_path / "out" / found[1]).read_text().splitlines()[1].startswith("5.1,3.5,1.4,0.2,2024,")
    assert "not read: s3://bucket/in/_delta_log/d.csv" in result.stderr


@pytest.mark.usefixtures("keys")
def test_a_second_run_knows_what_was_read_at_addresses(classify: Classify, put: Put, tmp_path: Path) -> None:
    classify("s3://bucket/in", "-o", tmp_path / "out")
    put("in/a.csv", b"slen,swid,plen,pwid\n5.1,3.5,1.4,0.2\n5.1,3.5,1.4,0.2\n")
    assert "2 of 3 files were classified before." in classify("s3://bucket/in", "-o", tmp_path / "out").stderr


def test_a_pattern_at_an_address_that_fits_nothing_is_wrong_usage(classify: Classify, put: Put, tmp_path: Path) -> None:
    put("a.csv", b"")
    result = classify("s3://bucket/none*.csv", "-o", tmp_path / "out")
    assert (result.exit_code, "there is no such file" in result.stderr) == (2, True)


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_answers_go_to_an_address(classify: Classify, table: Path, put: Put, tmp_path: Path, name: str) -> None:
    put("mine.csv", b"mine")
    for _ in range(2):
        assert classify(table, "-o", f"s3://bucket/{name}").exit_code == 0
    assert classify(f"s3://bucket/{name}", "-o", tmp_path / "again.csv").exit_code == 0
    assert "predicted_species" in (tmp_path / "again.csv").read_text()
    assert classify(table, "-o", "s3://bucket/mine.csv").exit_code == 2


def test_rejected_rows_of_an_address_come_and_go(classify: Classify, table: Path, bad_table: Path, put: Put) -> None:
    put("old.csv", b"")
    for source, remains in ((bad_table, True), (table, False)):
        assert classify(source, "-o", "s3://bucket/rejecting.csv", "--bad-rows", "skip").exit_code == 0
        system, key = filesystem("s3://bucket/rejecting.csv.rejected")
        assert system.get_file_info(key).is_file == remains


@pytest.mark.usefixtures("keys")
def test_a_folder_goes_to_a_folder_at_an_address(classify: Classify) -> None:
    assert classify("s3://bucket/in", "-o", "s3://bucket/answers/").exit_code == 0
    system, key = filesystem("s3://bucket/answers/year=2024/b.csv")
    assert b"setosa" in system.open_input_file(key).read()


@pytest.mark.parametrize("name", ["a.csv", "none.csv"])
@pytest.mark.usefixtures("keys")
def test_the_secrets_of_an_address_are_nowhere(classify: Classify, name: str, tmp_path: Path) -> None:
    address = f"s3://me:sesame@bucket/in/{name}?region=us-east-1"
    result = classify(address, "-o", tmp_path / "out" / "a.csv", "--report", tmp_path / "page.html")
    again = classify(address, "-o", f"{tmp_path}/folder/")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert "sesame" not in result.output + again.output + written.decode()
    assert result.exit_code == (1 if name == "none.csv" else 0)


def test_an_address_of_no_known_kind_is_refused(classify: Classify, table: Path, tmp_path: Path) -> None:
    for arguments in (("ftp://me:sesame@host/a.csv", "-o", tmp_path / "out.csv"), (table, "-o", "ftp://me@host/a.csv")):
        result = classify(*arguments)
        assert result.exit_code == 2
        assert "ftp://host: this kind of address is not known" in " ".join(result.stderr.split())


class Silent(SimpleHTTPRequestHandler):
    """A handler that logs nothing."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A web server for the folder of a test."""
    handler = partial(Silent, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_from_the_web_is_read(classify: Classify, table: Path, web: str, tmp_path: Path) -> None:
    result = classify(f"{web}/{table.name}?X-Amz-Signature=sesame", "-o", tmp_path / "out.csv")
    assert result.exit_code == 0
    assert (tmp_path / "out.csv").read_text().count("\n") == 4
    result = classify(f"{web}/none.csv?X-Amz-Signature=sesame", "-o", tmp_path / "none-out.csv")
    assert result.exit_code == 1
    assert result.stderr == f"{web}/none.csv: It cannot be read: HTTP Error 404: File not found.\n"


def test_a_folder_that_cannot_be_listed_is_named(classify: Classify, put: Put, tmp_path: Path) -> None:
    put("another.csv", b"")
    result = classify("s3://nowhere-at-all/folder/*.csv", "-o", tmp_path / "out")
    assert (result.exit_code, "s3://nowhere-at-all/folder/*.csv: It cannot be read" in result.stderr) == (1, True)
