"""The command ``iris-app``: package a model, serve it, put an older one back and classify files, from any folder."""

import os
import secrets
from pathlib import Path

import click
from flask.cli import ScriptInfo

from iris_app import bulk, create_app, packaging
from iris_app.cli.rollback import rollback
from iris_app.cli.serve import serve

INSTANCE_PATH = "IRIS_INSTANCE_PATH"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="iris_app")
@click.pass_context
def main(context: click.Context) -> None:
    """Put a trained scikit-learn classifier in front of people.

    Secrets, settings and models lie in the folder instance under the current one, or where IRIS_INSTANCE_PATH says.
    """
    os.environ.setdefault(INSTANCE_PATH, str(Path.cwd() / "instance"))
    if context.invoked_subcommand != "serve":  # nothing is signed by these commands
        os.environ.setdefault("IRIS_SECRET_KEY", secrets.token_hex(32))
    context.obj = ScriptInfo(create_app=create_app, set_debug_flag=False)


main.add_command(serve)
main.add_command(rollback)
main.add_command(bulk.bp.cli.commands["classify"])
main.add_command(packaging.bp.cli.commands["package"])
