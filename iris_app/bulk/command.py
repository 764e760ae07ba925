"""``flask --app wsgi classify``: what can be asked for on the command line."""

from typing import Any

import click
from flask import Blueprint

bp = Blueprint("bulk", __name__, cli_group=None, template_folder="templates")

FORMS = ["csv", "ndjson", "parquet", "arrow"]


@bp.cli.command("classify")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", required=True, help="A file for one input, a folder for more, or - for standard output."
)
@click.option("--format", "form", type=click.Choice(FORMS[:3]), help="The output's form, where no name says it.")
@click.option("--input-format", type=click.Choice(FORMS), help="The inputs' form, where their names do not say it.")
@click.option(
    "--bad-rows",
    type=click.Choice(["report", "skip", "null"]),
    default="report",
    show_default=True,
    help="Report rows that cannot be classified and write nothing, skip them, or keep them with empty answers.",
)
@click.option("--rejected", help="Where skipped or kept bad rows go with their reasons.  [default: OUTPUT.rejected]")
@click.option(
    "--report", help="A page (.html) that shows what came of all files: counts, unusual rows, drift, accuracy."
)
@click.option(
    "--engine",
    default="local",
    metavar="ENGINE",
    show_default=True,
    help="Where the work is done: local, or on a cluster: dask://HOST:PORT, ray or spark.",
)
@click.option("--redo", is_flag=True, help="Classify what an earlier run did, too.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing of how far it is.")
def classify(**options: Any) -> None:
    """Classify the flowers in files of any size.

    INPUT is a file, a folder, a pattern, an address or - for standard input: CSV (.csv, .tsv, .txt), objects of
    JSON, one a line or in an array (.ndjson, .jsonl, .json), either compressed too (.gz, .zst), Parquet (.parquet, .pq)
    or Arrow (.arrow, .feather, .ipc). Columns are spelt as in the API, and others pass through; the species, its
    probabilities and warnings come behind them.

    Several files, or a folder's, go to the folder that is the output, and a second run does what is missing or has
    changed.

    \b
    flask --app wsgi classify flowers.csv -o answers.csv
    flask --app wsgi classify flowers.csv -o answers.parquet
    flask --app wsgi classify herbarium -o answers --bad-rows skip
    flask --app wsgi classify "herbarium/*.csv" -o answers --bad-rows null --redo
    flask --app wsgi classify - -o - < flowers.csv > answers.csv
    flask --app wsgi classify flowers.csv -o answers.csv --report answers.html

    The exit code is 0 all is done, 1 rows or files cannot be classified, 2 wrong usage, 3 no model that can be
    trusted, 4 the output cannot be written, 5 a cluster cannot be reached or gives up, 130 interrupted.
    """  # noqa: D301 -- click leaves the lines behind a backspace as they are
    try:
        from iris_app.bulk.work import (
            classify as work,  # here, for who serves needs neither polars nor scikit-learn yet
        )
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}: install iris_app[bulk], or use scripts/classify.") from error
    work(**options)
