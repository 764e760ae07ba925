"""The command ``flask --app wsgi package``."""

from pathlib import Path
from typing import Any

import click
from flask import Blueprint

bp = Blueprint("packaging", __name__, cli_group=None)

FILE = click.Path(dir_okay=False, path_type=Path)

HELP = """Package a trained classifier, so that it can be served.

PIPELINE is a fitted scikit-learn classifier with predict_proba that joblib.dump saved: an estimator or a Pipeline, a
search or a calibrated one. This command unpickles it, which runs code that the file names: name only a file that you
trust. The schema of the classifier is inferred from it and from the table that it was trained on, and is kept in the
manifest beside the model. What cannot be served is refused, with the column or step and what to do.

\b
flask --app wsgi package pipeline.joblib --data train.csv --target class
flask --app wsgi package pipeline.joblib --data train.csv --target class --holdout test.csv --schema-out words.toml
flask --app wsgi package pipeline.joblib --data train.csv --target class --schema words.toml --publish
"""


@bp.cli.command("package", help=HELP)
@click.argument("pipeline", type=FILE)
@click.option("--data", type=FILE, required=True, help="The table that it was trained on: CSV or Parquet.")
@click.option("--target", required=True, metavar="COLUMN", help="The column of the classes.")
@click.option("--holdout", type=FILE, help="Rows that it has not seen, to measure it by: CSV or Parquet.")
@click.option("--schema", type=FILE, help="Words and bounds in place of inferred ones, in TOML.")
@click.option("--schema-out", type=FILE, help="Where to write the inferred ones, to begin from.")
@click.option("-o", "--output", type=FILE, metavar="PATH", help="Where to save the model.  [default: MODEL_PATH]")
@click.option(
    "--publish", "is_published", is_flag=True, help="Keep the model that is in place, for a rollback to put back."
)
@click.option("--rows/--no-rows", "keep_rows", default=True, help="Whether to keep rows of the table in the manifest.")
def package_command(**options: Any) -> None:
    """Run the command with the options as click parsed them."""
    if options["output"] and options["is_published"]:
        raise click.UsageError("--publish puts the model where the configuration says: leave out --output.")
    try:
        from iris_app.packaging.run import run_command  # here, since serving needs neither pandas nor seaborn
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}: install iris_app[train], or use scripts/package_model.") from error
    run_command(**options)
