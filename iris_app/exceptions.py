"""What can go wrong, in the words of the domain.

- IrisError
    - ConfigurationError: a setting is missing, unknown or of the wrong type
    - ModelUnavailable: no model can be loaded and trusted
    - Overloaded: more requests came than can be answered soon
    - OutputFailed: a file cannot be written
    - ClusterFailed: a cluster cannot be reached, or gives up
    - InputError: what was sent cannot be classified
        - MalformedDocument: it is not a document of the stated form
        - TooManyRows: it holds more rows than one request may
        - InvalidValues: values are missing, unknown or out of bounds

Nothing here knows HTTP; ``iris_app.errors`` gives each its status.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import msgspec

# How many wrong values an error names; the others are counted.
ERRORS_NAMED = 100


class IrisError(Exception):
    """Stand above all of this application's own errors, which go from one process to another as they are."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _made_again, (type(self), self.args, vars(self))


def _made_again(kind: type[IrisError], args: tuple[Any, ...], state: dict[str, Any]) -> IrisError:
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


class ConfigurationError(IrisError):
    """Refuse to start with a setting that is missing, unknown or of the wrong type."""


class ModelUnavailable(IrisError):
    """Refuse to classify without a model that is whole and trusted.

    The message is for the operator alone; ``reason`` says in a word or two to anyone what kind of fault it is.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Overloaded(IrisError):
    """Refuse one request more than can be answered soon."""


class OutputFailed(IrisError):
    """Say which file cannot be written, and why."""


class ClusterFailed(IrisError):
    """Say that a cluster cannot be reached, or has given up."""


class InputError(IrisError):
    """Refuse what was sent; the message is for whoever sent it."""


class MalformedDocument(InputError):
    """Refuse a document that is not of the form that it is said to be."""


class TooManyRows(InputError):
    """Refuse more rows than one request may hold."""


class InvalidValue(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with a document: a sentence that says what, and where.

    ``pointer`` is a JSON pointer (RFC 6901), within its line where there is one; ``line`` counts from 1, and ``column``
    is the name of a column.
    """

    detail: str
    pointer: str | None = None
    line: int | None = None
    column: str | None = None


class InvalidValues(InputError):
    """Refuse measurements with wrong values: ``errors`` names the first of them, ``omitted`` counts the others."""

    def __init__(self, wrong: Iterable[Callable[[], InvalidValue]], count: int | None = None) -> None:
        """Take what tells each wrong value, and how many there are where that is known sooner than by making them."""
        factories = iter(wrong)
        self.errors = tuple(tell() for tell in islice(factories, ERRORS_NAMED))
        self.omitted = sum(1 for _ in factories) if count is None else count - len(self.errors)
        count = len(self.errors) + self.omitted
        super().__init__("One value cannot be used." if count == 1 else f"{count:,} values cannot be used.")
