"""What a view says of itself, for those who look at every request."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask
from werkzeug.routing import Rule

View = TypeVar("View", bound=Callable[..., object])


def probe(view: View) -> View:
    """Mark what orchestrators ask every few seconds: open to everyone, never put off, and kept out of the log."""
    view.is_probe = True  # type: ignore[attr-defined]
    return public(view)


def public(view: View) -> View:
    """Mark what is open to everyone."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def has_flag(app: Flask, rule: Rule | None, mark: str) -> bool:
    """Say whether the view of a rule, where there is one, has a mark: ``is_probe`` or ``is_public``."""
    return rule is not None and hasattr(app.view_functions[rule.endpoint], mark)
