#!/usr/bin/env -S sh -c 'exec "$(dirname "$0")/../.venv/bin/python" "$0" "$@"'
"""Train the model, save it with its manifest, and say how good it is."""

import argparse
import sys
from pathlib import Path

from flask import Flask

from iris_app import create_app
from iris_app.exceptions import IrisError
from iris_app.model.artifact import save
from iris_app.model.manifest import Manifest, manifest_path
from iris_app.model_service import get_registry, model_path
from iris_app.training import train


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--output", type=Path, metavar="PATH", help="where to save the model; else where the configuration says"
    )
    where.add_argument("--publish", action="store_true", help="keep what is in place, for scripts/rollback to put back")
    arguments = parser.parse_args()
    try:
        if arguments.publish:
            path, manifest = publish(create_app())
        else:
            path = arguments.output or model_path(create_app())
            manifest = save(path, *train())
    except (IrisError, OSError) as error:
        sys.exit(f"train_model: {error}")
    report(manifest)
    print(f"model     {path}")
    print(f"manifest  {manifest_path(path)}")


def publish(app: Flask) -> tuple[Path, Manifest]:
    """Train, put the model in place and keep it among its versions."""
    versions = get_registry(app)
    return versions.path, versions.publish(*train(), keep=app.config["KEEP_MODELS"])


def report(manifest: Manifest) -> None:
    """Print the scores as a person reads them."""
    scores = manifest.scores
    folds = ", ".join(f"{score:.3f}" for score in scores.cross_validation)
    print(f"held-out accuracy  {scores.held_out_accuracy} on {scores.held_out_rows} flowers")
    print(f"cross-validation   {folds}")
    print()
    print(f"{'species':<12}{'precision':>10}{'recall':>8}   predicted as")
    for species, counts in zip(scores.classes, scores.confusion_matrix, strict=True):
        row = "".join(f"{count:>4}" for count in counts)
        print(f"{species.name:<12}{species.precision:>10.3f}{species.recall:>8.3f}   {row}")
    print()
    print(f"version   {manifest.version} (scikit-learn {manifest.versions['scikit-learn']})")


if __name__ == "__main__":
    main()
