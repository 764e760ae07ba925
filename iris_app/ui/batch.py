"""``/batch``: classify an uploaded file, and download the answer to each of its rows.

The page shows a summary alone. The answers are a download of their own, and a second request: the browser sends the
file again, by another button of the same form. So a page of any file is small, the server keeps no file, nobody can
download what another has sent, and it works without a script. Whatever else the page could hold (the file in a hidden
field, an address of a kept answer) is as large as the file, or is kept.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import PurePath

from flask import current_app, render_template
from flask_wtf.file import FileField, FileRequired
from werkzeug.datastructures import CombinedMultiDict
from werkzeug.utils import secure_filename
from wtforms import BooleanField

from iris_app import model_service
from iris_app.codecs import csv_rows
from iris_app.codecs.encodings import to_utf_8
from iris_app.exceptions import InputError, InvalidValues, MalformedDocument, TooManyRows, release_frames
from iris_app.formatting import truncate
from iris_app.model_service import get_model
from iris_app.observability.recorder import record_errors
from iris_app.ui.batch_result import BatchResult
from iris_app.ui.blueprint import bp, status
from iris_app.ui.forms import PageForm
from iris_app.ui.workbooks import CAN_READ_WORKBOOKS, is_workbook, read_workbook
from iris_app.web.api_response import ApiResponse, join_or_stream
from iris_app.web.request import request
from iris_app.web.response import Response

# The name of the buttons that ask for the download, and the value of the one below a summary, whose rows are counted.
DOWNLOAD, AGAIN = "download", "again"

# The characters of the uploaded file's name that the page shows, and those that the download keeps.
MAX_NAME_LENGTH = 60
MAX_STEM_LENGTH = 80


class BatchForm(PageForm):
    """A file, options for its bad rows and its formulas, and a CSRF token."""

    file = FileField("Choose a file", [FileRequired("Choose a file first.")])
    skip_bad_rows = BooleanField("Leave out rows that cannot be read, and classify the others")
    keep_formulas = BooleanField("Download cells that look like formulas as they are, without an apostrophe in front")

    note = ""  # what is to be known of how the file was read

    @property
    def filename(self) -> str:
        """The name of the file, as the browser sent it."""
        name: str = self.file.data.filename
        return name


@bp.get("/batch")
def batch() -> str:
    """Show the form."""
    return _page(BatchForm(formdata=None))


@bp.post("/batch")
def classify_batch() -> str | tuple[str, int] | Response:
    """Classify the rows of the file, which is not stored, and show a summary or return the answers."""
    form = BatchForm(CombinedMultiDict((request.files, request.form)))
    if not form.validate():
        return _page(form, expired=form.is_expired), status(400 if form.is_expired else 422)
    request.is_preview = request.form.get(DOWNLOAD) == AGAIN
    try:
        result = _classify(form)
    except InvalidValues as error:
        record_errors(error.errors)
        return _refuse(form, error, 422)
    except MalformedDocument as error:
        return _refuse(form, error, 400)
    except TooManyRows as error:
        return _refuse(form, error, 413)
    return _download(form, result) if DOWNLOAD in request.form else _page(form, result=result)


def _refuse(form: BatchForm, error: InputError, code: int) -> tuple[str, int]:
    """Show the errors in a file, and let go of the file."""
    release_frames(error)
    return _page(form, error=error), status(code)


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
    return _attachment(iter([lines.getvalue().encode()]), f"{schema.sample_name}.csv")


def _classify(form: BatchForm) -> BatchResult:
    model, settings = get_model(), current_app.config
    body, limit = form.file.data.read(), settings["MAX_CONTENT_LENGTH"]
    if is_workbook(body):
        request.usage.reserve_most(limit)
        body, form.note = read_workbook(model.schema, body, limit)
        request.usage.shrink(len(body))
    else:
        body = to_utf_8(body, "", limit)
    table = csv_rows.read(model.schema, body, settings["MAX_BATCH_ROWS"], skip_bad_rows=form.skip_bad_rows.data)
    batch = model_service.predict(model, table.values)
    return BatchResult(truncate(form.filename, MAX_NAME_LENGTH), table, batch)


def _download(form: BatchForm, result: BatchResult) -> Response:
    """Return the rows of the file, each with its prediction and its warnings."""
    table = result.table if form.keep_formulas.data else csv_rows.guard(result.table)
    chunks = csv_rows.write(result.schema, table, result.batch.to_predictions())
    stem = secure_filename(PurePath(form.filename).stem)[:MAX_STEM_LENGTH] or result.schema.sample_name
    return _attachment(map(str.encode, chunks), f"{stem}-classified.csv")


def _attachment(chunks: Iterator[bytes], filename: str) -> Response:
    response = ApiResponse(join_or_stream(chunks), mimetype="text/csv")
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


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
        reads_workbooks=CAN_READ_WORKBOOKS,
        max_rows=current_app.config["MAX_BATCH_ROWS"],
    )
