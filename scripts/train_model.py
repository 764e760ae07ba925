#!/usr/bin/env -S sh -c 'exec "$(dirname "$0")/../.venv/bin/python" "$0" "$@"'
"""Train the model of the example, save it with its manifest, and say how good it is."""

import argparse
import os
import secrets
import sys
from pathlib import Path

from iris_app import create_app
from iris_app.exceptions import IrisError
from iris_app.model_service import model_path
from iris_app.packaging import card
from iris_app.packaging.packager import publish, save
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
    os.environ.setdefault("IRIS_SECRET_KEY", secrets.token_hex(32))  # nothing is signed here
    try:
        app = create_app()
        packaged, path = train(), arguments.output or model_path(app)
        manifest = publish(app, packaged) if arguments.publish else save(path, packaged)
    except (IrisError, OSError) as error:
        sys.exit(f"train_model: {error}")
    print("\n".join(card.lines(packaged, manifest, path)))


if __name__ == "__main__":
    main()
