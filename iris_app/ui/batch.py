"""``/batch``: a whole file at once."""

import base64
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import PurePath

from flask import current_app, render_template, request
from flask_wtf.file import FileField, FileRequired
from werkzeug.datastructures import CombinedMultiDict
from werkzeug.utils import secure_filename
from wtforms import BooleanField

from iris_app import model_service
from iris_app.codecs import csv_rows
from iris_app.codecs.csv_rows import Table
from iris_app.exceptions import InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import format_number
from iris_app.iris import SCHEMA
from iris_app.json_types import Prediction
from iris_app.observability.recorder import record_errors
from iris_app.schema import Class
from iris_app.ui.blueprint import bp, status
from iris_app.ui.forms import PageForm
from iris_app.web.response import Response

# How many rows the page shows; the file that can be downloaded has all of them.
ROWS_SHOWN = 50

# How many columns that may name the species are compared with the answers, and how much of a cell.
TARGET_COLUMNS = 3
LONGEST_SPECIES = 100

# How much of a file's name its answers keep.
LONGEST_NAME = 80


class BatchForm(PageForm):
    """A file, what to do with its bad rows and its formulas, and a token that proves that the form was ours."""

    file = FileField("A CSV file", [FileRequired("Choose a file first.")])
    skip_bad_rows = BooleanField("Leave out rows that cannot be read, and classify the others")
    keep_formulas = BooleanField("Keep cells that look like formulas as they are, without an apostrophe before them")


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often which species of a file was taken for which, how many agree, and how many names mean no species."""

    matrix: list[list[int]]
    agreeing: int
    named: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a file; ``shown`` are its first rows, as they came, with their answers."""

    table: Table
    species: list[str]
    unusual: int
    shown: list[tuple[list[str], Prediction]]
    filename: str
    download: str

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many flowers are of each species."""
        counts = Counter(self.species)
        return [(species.label, counts[species.name]) for species in SCHEMA.classes]

    @property
    def agreement(self) -> Agreement | None:
        """How the answers agree with the column that names the species, where there is one."""
        columns = [at for at, name in enumerate(self.table.header) if SCHEMA.is_target_column(name)][:TARGET_COLUMNS]
        readings: list[list[Class | None]] = [[] for _ in columns]
        for row in self.table.rows if columns else ():
            for at, reading in zip(columns, readings, strict=True):
                reading.append(SCHEMA.match_class(row[at][:LONGEST_SPECIES]))
        named = max(readings, key=lambda reading: sum(map(bool, reading)), default=[])
        pairs = Counter((one.name, two) for one, two in zip(named, self.species, strict=False) if one)
        if not pairs:
            return None
        matrix = [[pairs[actual, predicted] for predicted in SCHEMA.class_names] for actual in SCHEMA.class_names]
        return Agreement(
            matrix, sum(pairs[name, name] for name in SCHEMA.class_names), pairs.total(), named.count(None)
        )


class Gathered:
    """Blocks of predictions, of which no more is kept, as they are passed on, than the page shows."""

    def __init__(self) -> None:
        self.species: list[str] = []
        self.unusual = 0
        self.first: list[Prediction] = []

    def passing(self, blocks: Iterable[list[Prediction]]) -> Iterator[list[Prediction]]:
        """Yield each block."""
        for block in blocks:
            self.species += map(attrgetter("predicted_class"), block)
            self.unusual += sum(bool(prediction.warnings) for prediction in block)
            self.first += block[: ROWS_SHOWN - len(self.first)]
            yield block


@bp.get("/batch")
def batch() -> str:
    """Ask for a file."""
    return _page(BatchForm(formdata=None))


@bp.post("/batch")
def classify_batch() -> str | tuple[str, int]:
    """Classify the flowers in a file; nothing of it is kept."""
    form = BatchForm(CombinedMultiDict((request.files, request.form)))
    if not form.validate():
        return _page(form, expired=form.is_expired), status(400 if form.is_expired else 422)
    try:
        return _page(form, outcome=_classify(form))
    except InvalidValues as error:
        record_errors(error.errors)
        return _page(form, error=error), status(422)
    except MalformedDocument as error:
        return _page(form, error=error), status(400)
    except TooManyRows as error:
        return _page(form, error=error), status(413)


@bp.get("/batch/sample.csv")
def sample() -> Response:
    """Hand out a small file to try."""
    header = ["flower", *(feature.name for feature in SCHEMA.features), "species"]
    rows = [[str(at), *map(format_number, one.typical), one.name] for at, one in enumerate(SCHEMA.classes, start=1)]
    text = "".join(",".join(row) + "\n" for row in [header, *rows])
    answer = Response(text, mimetype="text/csv")
    answer.headers.set("Content-Disposition", "attachment", filename="irises.csv")
    return answer


def _classify(form: BatchForm) -> Outcome:
    body = form.file.data.read()
    table = csv_rows.read(body, current_app.config["MAX_BATCH_ROWS"], skip_bad_rows=form.skip_bad_rows.data)
    predicted = model_service.predict(model_service.get_model(), table.measurements)
    gathered = Gathered()
    blocks = gathered.passing(predicted.to_predictions())
    chunks = csv_rows.write(table if form.keep_formulas.data else csv_rows.guard(table), blocks)
    written = b"".join(map(str.encode, chunks))
    stem = secure_filename(PurePath(form.file.data.filename).stem)[:LONGEST_NAME] or "irises"
    return Outcome(
        table,
        gathered.species,
        gathered.unusual,
        list(zip(table.rows, gathered.first, strict=False)),
        f"{stem}-classified.csv",
        "data:text/csv;base64," + base64.b64encode(written).decode(),
    )


def _page(
    form: BatchForm,
    *,
    outcome: Outcome | None = None,
    error: Exception | None = None,
    expired: bool = False,
) -> str:
    return render_template(
        "ui/batch.html",
        form=form,
        outcome=outcome,
        error=error,
        expired=expired,
        classes=SCHEMA.classes,
        features=SCHEMA.features,
        max_rows=current_app.config["MAX_BATCH_ROWS"],
    )
