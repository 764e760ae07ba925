"""The command ``flask --app wsgi classify``."""

import re
from typing import Any

import click
from flask import Blueprint

bp = Blueprint("bulk", __name__, cli_group=None, template_folder="templates")


class MaxBadType(click.ParamType[tuple[float, bool]]):
    """A number of rows, or a share of them in percent."""

    name = "N|P%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the limit; the second value tells a share from a number."""
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)\s*%", value.strip(), re.ASCII)
        if not match or (match[2] and float(match[2]) > 100):
            self.fail(f"{value!r} is neither a number of rows nor a share such as 5%.", param, ctx)
        return (int(match[1]), False) if match[1] else (float(match[2]) / 100, True)


HELP = """Classify the rows of files of any size.

INPUT is a file, a folder, a pattern, an address or - for standard input: CSV (.csv, .tsv, .txt), objects of
JSON, one a line or in an array (.ndjson, .jsonl, .json), either compressed too (.gz, .zst), Parquet (.parquet, .pq)
or Arrow (.arrow, .feather, .ipc). Columns are spelt as in the API, and others pass through; the class, its
probabilities and warnings come behind them.

Several files, or a folder's, go to the folder that is the output, and a second run does what is missing or has
changed. Files and folders in a folder whose names begin with . or _ are not read. The folders of year=2026/a.csv
become columns. A file that is there already is replaced only if this command wrote it.

\b
flask --app wsgi classify rows.csv -o answers.csv
flask --app wsgi classify rows.csv -o answers.parquet
flask --app wsgi classify folder -o answers --bad-rows skip
flask --app wsgi classify "folder/*.csv" -o answers --bad-rows null --redo
flask --app wsgi classify - -o - < rows.csv > answers.csv
flask --app wsgi classify rows.csv -o answers.csv --report answers.html

The exit code is 0 all is done, 1 rows or files cannot be classified, 2 wrong usage, 3 no model that can be
trusted, 4 the output cannot be written, 5 a cluster cannot be reached or gives up, 130 interrupted, 141 the
reader of standard output has gone (as with | head).
"""

FORMS = ["csv", "ndjson", "parquet", "arrow"]


@bp.cli.command("classify", help=HELP)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "-o", "--output", required=True, help="A file for one input, a folder for more, or - for standard output."
)
@click.option("--model", metavar="PATH", help="The artifact of the model that answers.  [default: MODEL_PATH]")
@click.option("--format", "form", type=click.Choice(FORMS[:3]), help="The output's form, where no name says it.")
@click.option("--input-format", "input_form", type=click.Choice(FORMS), help="The inputs' form, where no name says it.")
@click.option(
    "--bad-rows",
    type=click.Choice(["report", "skip", "null"]),
    default="report",
    show_default=True,
    help="Report rows that cannot be classified and write nothing, skip them, or keep them with empty answers.",
)
@click.option(
    "--max-bad",
    type=MaxBadType(),
    metavar="N|P%",
    help="How many rows of a file may be skipped or kept so, beyond which nothing is written.  [default: not all]",
)
@click.option("--rejected", help="Where skipped or kept bad rows go with their reasons.  [default: OUTPUT.rejected]")
@click.option(
    "--report", help="A page (.html) that shows what came of all files: counts, unusual rows, drift, accuracy."
)
@click.option("--delimiter", help="What stands between the cells of a table: a character, or tab.  [default: guessed]")
@click.option("--encoding", help="How text is encoded, as Python names it: utf-8, cp1252, utf-16.  [default: guessed]")
@click.option("--header/--no-header", default=None, help="Whether the first row names the columns.  [default: guessed]")
@click.option("--columns", metavar="NAME,...", help="The names of the columns, in place of the header's.")
@click.option("--skip-lines", type=click.IntRange(min=0), default=0, help="How many lines above the table to skip.")
@click.option("--comment", help="What lines begin with that are to be left out, such as #.")
@click.option("--decimal", type=click.Choice([".", ","]), help="What stands before decimals.  [default: guessed]")
@click.option("--null-values", metavar="TEXT,...", help="More cells that stand for a missing value, such as ?,-999.")
@click.option(
    "--engine",
    default="local",
    metavar="ENGINE",
    show_default=True,
    help="Where the work is done: local, or by a Dask cluster: dask://HOST:PORT.",
)
@click.option("--redo", is_flag=True, help="Classify what an earlier run did, too.")
@click.option("--overwrite", is_flag=True, help="Replace files that this command did not write, too.")
@click.option("-q", "--quiet", is_flag=True, help="Do not show how far it is.")
def classify(**options: Any) -> None:
    """Run the command with the options as click parsed them."""
    try:
        from iris_app.bulk.readers.options import ReadOptions
        from iris_app.bulk.run import run_command  # here, since serving needs no polars
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}: install iris_app[bulk], or use scripts/classify.") from error
    given = {name: options.pop(name) for name in ("encoding", "header", "skip_lines", "comment", "decimal")}
    delimiter, columns, nulls = (options.pop(name) for name in ("delimiter", "columns", "null_values"))
    read_options = ReadOptions(
        delimiter="\t" if delimiter in {"tab", "\\t"} else delimiter,
        columns=tuple(columns.split(",")) if columns else None,
        null_values=tuple(nulls.split(",")) if nulls else (),
        **given,
    )
    run_command(options=read_options, **options)
