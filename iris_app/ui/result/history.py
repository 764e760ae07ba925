"""An answer as the script of the history keeps it."""

from iris_app.codecs import csv_rows
from iris_app.codecs.csv_rows import Table
from iris_app.formatting import format_percent
from iris_app.json_types import Prediction
from iris_app.ui import charts
from iris_app.ui.forms import RowForm


def describe_answer(form: RowForm, prediction: Prediction, *, is_unlike: bool) -> dict[str, object]:
    """Return the texts of an answer for a table on the page, and its lines for a file to download.

    The file has the columns of the one that ``/batch`` offers. A form of many fields has no cells for its values.
    """
    schema = form.schema
    odds = charts.predicted_odds(schema, prediction)
    table = Table(list(schema.features_by_name), [[field.formatted for field in form.fields]], form.rows)
    header, line = "".join(csv_rows.write(schema, csv_rows.guard(table), [[prediction]])).split("\n", 1)
    values = [] if form.is_long else [field.described for field in form.fields]
    answer = f"{odds.label} (only a guess)" if is_unlike else odds.label
    return {
        "cells": [*values, answer, format_percent(odds.probability)],
        "header": header,
        "line": line,
    }
