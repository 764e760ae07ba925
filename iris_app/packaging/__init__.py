"""Package a fitted classifier with its schema: ``flask --app wsgi package``, and ``package``."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from iris_app.packaging.command import bp

if TYPE_CHECKING:
    from iris_app.packaging.packager import Packaged, package

__all__ = ["Packaged", "bp", "package"]


def __getattr__(name: str) -> Any:
    if name not in {"Packaged", "package"}:  # imported on first use, since they need pandas and scikit-learn
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("iris_app.packaging.packager"), name)
