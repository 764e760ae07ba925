import gzip
import io
from contextlib import ExitStack
from pathlib import Path

import pytest

from iris_app.bulk.job import Job, make_pool, run_job
from iris_app.bulk.storage.sources import Source
from iris_app.exceptions import MalformedDocument
from iris_app.iris import SCHEMA
from iris_app.model.classifier import Model, load
from tests.bulk.conftest import flowers


@pytest.fixture(scope="module")
def model(trained_path: Path) -> Model:
    return load(trained_path)


def run(job: Job, model: Model) -> int:
    with make_pool() as pool, ExitStack() as stack:
        return run_job(job, model, lambda _rows, _share: None, pool, stack).summary.read


def test_a_part_of_a_parquet_file_is_classified_alone(model: Model, tmp_path: Path) -> None:
    path, output = tmp_path / "in.parquet", tmp_path / "out.csv"
    flowers(9).write_parquet(path, row_group_size=3)
    job = Job(Source(str(path), "parquet", path.name, rows=(3, 6)), str(output), "csv", "report", None, None)
    assert run(job, model) == 3
    assert [line.split(",")[0] for line in output.read_text().splitlines()] == ["3", "4", "5"]


def test_a_long_file_that_is_compressed_but_not_whole_is_refused(model: Model, tmp_path: Path) -> None:
    path, output = tmp_path / "in.csv.gz", tmp_path / "out.csv"
    written = io.BytesIO()
    flowers(400_000).select(["flower", *SCHEMA.features_by_name]).write_csv(written)
    path.write_bytes(gzip.compress(written.getvalue(), 1)[:-100_000])
    with pytest.raises(MalformedDocument, match="compressed, but not whole"):
        run(Job(Source(str(path), "csv", path.name), str(output), "csv", "report", None, None), model)
    assert not output.exists()
