"""Files of any size: ``flask --app wsgi classify``, ``classify_files``, and ``classifier`` for frames."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from iris_app.bulk.command import bp

if TYPE_CHECKING:
    from iris_app.bulk.frames import classifier
    from iris_app.bulk.run import classify_files

__all__ = ["bp", "classifier", "classify_files"]

# Imported on first use, since these modules need polars and scikit-learn.
LAZY = {"classifier": "iris_app.bulk.frames", "classify_files": "iris_app.bulk.run"}


def __getattr__(name: str) -> Any:
    if name not in LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(LAZY[name]), name)
