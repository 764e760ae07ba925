"""``iris-app rollback``: put a version of the model back that was published before."""

import click
from flask import current_app
from flask.cli import with_appcontext

from iris_app.exceptions import IrisError, ModelUnavailable
from iris_app.model.artifact import read_manifest
from iris_app.model.registry import PublishedVersion, Registry
from iris_app.model_service import get_registry


@click.command()
@click.argument("version", required=False)
@click.option("--list", "is_listing", is_flag=True, help="List the versions that are kept, the last one first.")
@with_appcontext
def rollback(version: str | None, *, is_listing: bool) -> None:
    """Put back the version before the current one, or the one whose digest begins with VERSION.

    The model is the one that MODEL_PATH names. Versions are kept by: iris-app package --publish
    """
    if version and is_listing:
        raise click.UsageError("--list names every version: leave out VERSION.")
    if version == "":
        raise click.UsageError("VERSION is empty: give its first digits, or leave it out for the version before.")
    try:
        registry = get_registry(current_app)
        if is_listing:
            _list_versions(registry)
        else:
            manifest = registry.rollback(version)
            click.echo(f"version {manifest.version} is in place: {registry.path}")
    except (IrisError, OSError) as error:
        raise click.ClickException(str(error)) from None


def _list_versions(registry: Registry) -> None:
    click.echo(f"{'version':<14}{'trained':<18}accuracy")
    current = registry.current()
    for version in reversed(registry.versions()):
        mark = "   in place" if version.digest == current else ""
        click.echo(f"{version.digest[:12]:<14}{_summarize(version)}{mark}")


def _summarize(version: PublishedVersion) -> str:
    """Return the date and the accuracy of a version."""
    try:
        manifest = read_manifest(version.path)
    except ModelUnavailable:
        return "its manifest is damaged"
    accuracy = f"{manifest.scores.held_out_accuracy:<8.4f}" if manifest.scores else "unknown "
    return f"{manifest.created:%Y-%m-%d %H:%M}  {accuracy}"
