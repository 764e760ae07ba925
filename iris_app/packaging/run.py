"""Run the command: load the classifier, read its table, package and save it, and print the card."""

from pathlib import Path

import click
from flask import current_app

from iris_app.exceptions import IrisError, ModelUnavailable, PackagingRefused
from iris_app.files import translate_write_errors
from iris_app.model.artifact import read_manifest
from iris_app.model.manifest import Manifest, manifest_path, pairplot_path
from iris_app.model_service import join_changes, model_path
from iris_app.packaging import card
from iris_app.packaging.inference.columns import parse_table
from iris_app.packaging.inference.infer import refuse
from iris_app.packaging.inference.layout import structure_of
from iris_app.packaging.inference.words import make_name
from iris_app.packaging.loading import load_classifier
from iris_app.packaging.overrides import read_overrides, to_toml
from iris_app.packaging.packager import Packaged, package, publish, save
from iris_app.packaging.tables import missing_texts, read_table
from iris_app.schema import Schema
from iris_app.schema.changes import breaking_changes

REFUSAL = "A running server goes on with that one until it is started again."


def run_command(
    pipeline: Path,
    *,
    data: Path,
    target: str,
    holdout: Path | None,
    schema: Path | None,
    schema_out: Path | None,
    output: Path | None,
    is_published: bool,
    keep_rows: bool,
) -> None:
    """Package a classifier, save it and print its card; raise ``click.ClickException`` where it cannot be served."""
    path = output or model_path(current_app)
    replaced = _read_schema(path) if is_published else None
    try:
        refuse(_find_foreign(path, schema_out))
        packaged = _package(pipeline, data, target, holdout, schema, keep_rows=keep_rows)
        with translate_write_errors(path):
            manifest = publish(current_app, packaged) if is_published else save(path, packaged)
    except IrisError as error:
        raise click.ClickException(_list(error)) from error
    click.echo("\n".join(card.lines(packaged, manifest, path)))
    if replaced and (changes := breaking_changes(replaced, manifest.schema)):
        click.echo(f"package: it takes other rows than the model before: {join_changes(changes)}. {REFUSAL}", err=True)
    if schema_out is not None:
        _write_schema(manifest, schema_out)


def _list(error: IrisError) -> str:
    """Return the message of an error, with the problems as a list if there are several."""
    problems = error.problems if isinstance(error, PackagingRefused) else ()
    if len(problems) < 2:
        return str(error)
    return "\n".join(["The classifier cannot be packaged:", *(f"- {problem}" for problem in problems)])


def _find_foreign(path: Path, schema_out: Path | None) -> list[str]:
    """Return the errors for files that are there already and that no model of ours left."""
    problems = []
    if any(file.exists() for file in (path, manifest_path(path), pairplot_path(path))) and not _is_own(path):
        problems.append(f"{path}, or {manifest_path(path).name} beside it, is no packaged model. Name another output.")
    if schema_out is not None and schema_out.exists():
        problems.append(f"{schema_out} is there already. Name another file, so that no words are lost.")
    return problems


def _read_schema(path: Path) -> Schema | None:
    try:
        return read_manifest(path).schema
    except ModelUnavailable:
        return None


def _is_own(path: Path) -> bool:
    try:
        manifest = read_manifest(path)
    except ModelUnavailable:
        return False
    return not path.exists() or path.stat().st_size == manifest.bytes


def _package(
    pipeline: Path, data: Path, target: str, holdout: Path | None, schema: Path | None, *, keep_rows: bool
) -> Packaged:
    overrides = read_overrides(schema) if schema else {}
    click.echo(f"package: unpickling {pipeline}, which runs code that it names", err=True)
    classifier = load_classifier(pipeline)
    frame = read_table(data)
    known = structure_of(classifier, frame, target).categories | {target: list(classifier.classes_)}
    parsed = parse_table(frame, known, missing=missing_texts(data))
    held_out = parse_table(read_table(holdout), known, parsed, missing_texts(holdout)) if holdout else None
    name = _choose_name(pipeline, data)
    return package(classifier, parsed, target, name=name, overrides=overrides, holdout=held_out, keep_rows=keep_rows)


def _choose_name(pipeline: Path, data: Path) -> str:
    """Return the name of the classifier's file, or that of the table where that says nothing."""
    stem = pipeline.stem
    return make_name(data.stem if stem.lower() in {"model", "pipeline", "classifier", "clf", "pipe"} else stem)


def _write_schema(manifest: Manifest, path: Path) -> None:
    rows = sum(one.rows for one in manifest.classes)
    comments = {
        feature.name: card.describe_feature(feature, summary, rows)
        for feature, summary in zip(manifest.schema.features, manifest.features, strict=True)
    }
    with translate_write_errors(path), path.open("x", encoding="utf-8") as file:
        file.write(to_toml(manifest.schema, comments))
    click.echo(f"schema    {path}")
