"""Flags on views, read by the hooks of every request."""

from collections.abc import Callable
from typing import TypeVar

from flask import Flask
from werkzeug.routing import Rule

View = TypeVar("View", bound=Callable[..., object])


def probe(view: View) -> View:
    """Flag a health check: public, exempt from the concurrency limit, and left out of the access log."""
    view.is_probe = True  # type: ignore[attr-defined]
    return public(view)


def public(view: View) -> View:
    """Flag a view that needs no API key."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def has_flag(app: Flask, rule: Rule | None, flag: str) -> bool:
    """Check whether the view of a rule, if there is one, has a flag: ``is_probe`` or ``is_public``."""
    return rule is not None and hasattr(app.view_functions[rule.endpoint], flag)
