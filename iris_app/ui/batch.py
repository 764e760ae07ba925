"""``/batch``: classify an uploaded CSV file."""

import base64
import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from pathlib import PurePath

from flask import current_app, render_template
from flask_wtf.file import FileField, FileRequired
from werkzeug.datastructures import CombinedMultiDict
from werkzeug.utils import secure_filename
from wtforms import BooleanField

from iris_app import model_service
from iris_app.codecs import csv_rows
from iris_app.codecs.csv_rows import Table
from iris_app.exceptions import InvalidValues, MalformedDocument, TooManyRows
from iris_app.json_types import Prediction, PredictionWarning
from iris_app.model.agreement import Agreement
from iris_app.model_service import get_model
from iris_app.observability.recorder import record_errors
from iris_app.schema import Class, Schema
from iris_app.ui import charts
from iris_app.ui.blueprint import bp, status
from iris_app.ui.charts import Odds
from iris_app.ui.forms import PageForm
from iris_app.web.request import request
from iris_app.web.response import Response

# The rows that the page shows; the file to download has all.
MAX_ROWS_SHOWN = 50

# The columns that are searched for the true classes, and the characters of a cell that are.
MAX_TARGET_COLUMNS = 3
MAX_LABEL_LENGTH = 100

# The characters of the uploaded file's name that the file to download keeps.
MAX_STEM_LENGTH = 80


class BatchForm(PageForm):
    """A file, options for its bad rows and its formulas, and a CSRF token."""

    file = FileField("A CSV file", [FileRequired("Choose a file first.")])
    skip_bad_rows = BooleanField("Leave out rows that cannot be read, and classify the others")
    keep_formulas = BooleanField("Keep cells that look like formulas as they are, without an apostrophe before them")


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of a file.

    Attributes
    ----------
    schema : Schema
    table : Table
    labels : list of str
        The predicted class of each row.
    outliers : int
        The number of rows with warnings.
    shown : list of tuple
        The cells, the predicted class and the warnings of the first rows.
    filename, download : str
        The name of the file to download, and its ``data:`` URL.
    """

    schema: Schema
    table: Table
    labels: list[str]
    outliers: int
    shown: list[tuple[list[str], Odds, tuple[PredictionWarning, ...]]]
    filename: str
    download: str

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The label of each class and its number of rows."""
        counts = Counter(self.labels)
        return [(class_.label, counts[class_.name]) for class_ in self.schema.classes]

    @property
    def agreement(self) -> Agreement | None:
        """The agreement with the column that names most true classes, if there is one."""
        columns = [index for index, name in enumerate(self.table.header) if self.schema.is_target_column(name)]
        columns = columns[:MAX_TARGET_COLUMNS]
        candidates: list[list[Class | None]] = [[] for _ in columns]
        for row in self.table.rows if columns else ():
            for index, classes in zip(columns, candidates, strict=True):
                classes.append(self.schema.match_class(row[index][:MAX_LABEL_LENGTH]))
        actual = max(candidates, key=lambda classes: sum(map(bool, classes)), default=[])
        names = [class_.name if class_ else None for class_ in actual]
        agreement = Agreement.count(self.schema.class_names, Counter(zip(names, self.labels, strict=False)))
        return agreement if agreement.named else None


class BlockCollector:
    """Collect the labels and the first predictions of blocks that are passed on."""

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.outliers = 0
        self.first: list[Prediction] = []

    def collect(self, blocks: Iterable[list[Prediction]]) -> Iterator[list[Prediction]]:
        """Yield each block unchanged."""
        for block in blocks:
            self.labels += map(attrgetter("predicted_class"), block)
            self.outliers += sum(bool(prediction.warnings) for prediction in block)
            self.first += block[: MAX_ROWS_SHOWN - len(self.first)]
            yield block


@bp.get("/batch")
def batch() -> str:
    """Show the form."""
    return _page(BatchForm(formdata=None))


@bp.post("/batch")
def classify_batch() -> str | tuple[str, int]:
    """Classify the rows of the file, which is not stored."""
    form = BatchForm(CombinedMultiDict((request.files, request.form)))
    if not form.validate():
        return _page(form, expired=form.is_expired), status(400 if form.is_expired else 422)
    try:
        return _page(form, result=_classify(form))
    except InvalidValues as error:
        record_errors(error.errors)
        return _page(form, error=error), status(422)
    except MalformedDocument as error:
        return _page(form, error=error), status(400)
    except TooManyRows as error:
        return _page(form, error=error), status(413)


@bp.get("/batch/sample.csv")
def sample() -> Response:
    """Return a sample file: the typical row of each class that has one."""
    schema = get_model().schema
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow([*schema.features_by_name, schema.target])
    for class_ in schema.classes:
        if class_.typical:
            values = zip(schema.features, schema.encode(class_.typical), strict=True)
            writer.writerow([*(feature.format(value) for feature, value in values), class_.name])
    response = Response(lines.getvalue(), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=f"{schema.sample_name}.csv")
    return response


def _classify(form: BatchForm) -> BatchResult:
    model = get_model()
    schema, body = model.schema, form.file.data.read()
    table = csv_rows.read(schema, body, current_app.config["MAX_BATCH_ROWS"], skip_bad_rows=form.skip_bad_rows.data)
    collector = BlockCollector()
    blocks = collector.collect(model_service.predict(model, table.values).to_predictions())
    chunks = csv_rows.write(schema, table if form.keep_formulas.data else csv_rows.guard(table), blocks)
    content = b"".join(map(str.encode, chunks))
    stem = secure_filename(PurePath(form.file.data.filename).stem)[:MAX_STEM_LENGTH] or schema.sample_name
    return BatchResult(
        schema,
        table,
        collector.labels,
        collector.outliers,
        [
            (cells, charts.predicted_odds(schema, prediction), prediction.warnings)
            for cells, prediction in zip(table.rows, collector.first, strict=False)
        ],
        f"{stem}-classified.csv",
        "data:text/csv;base64," + base64.b64encode(content).decode(),
    )


def _page(
    form: BatchForm,
    *,
    result: BatchResult | None = None,
    error: Exception | None = None,
    expired: bool = False,
) -> str:
    return render_template(
        "ui/batch.html",
        form=form,
        result=result,
        error=error,
        expired=expired,
        has_sample=any(class_.typical for class_ in get_model().schema.classes),
        max_rows=current_app.config["MAX_BATCH_ROWS"],
    )
