"""The exceptions of the domain.

- IrisError
    - ConfigurationError: a setting is missing, unknown or of the wrong type
    - ModelUnavailable: no model can be loaded and trusted
    - Overloaded: there are more requests than the process accepts at once
    - OutputFailed: a file cannot be written
    - ClusterFailed: a cluster cannot be reached, or gives up
    - PackagingRefused: a classifier cannot be served as it is
    - InputError: the input cannot be classified
        - MalformedDocument: it is not a document of the stated format
        - TooManyRows: it holds more rows than one request may
        - InvalidValues: values are missing, unknown or out of bounds

``iris_app.errors`` maps each to an HTTP status.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

import msgspec

# The number of wrong values that an error lists; the others are counted.
ERRORS_NAMED = 100

# The errors that a traceback shows.
ERRORS_NOTED = 5


class IrisError(Exception):
    """Base of the application's exceptions; they survive pickling with all their attributes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, vars(self))


def _rebuild(cls: type[IrisError], args: tuple[Any, ...], state: dict[str, Any]) -> IrisError:
    error = cls.__new__(cls, *args)
    vars(error).update(state)
    return error


class ConfigurationError(IrisError):
    """A setting is missing, unknown or of the wrong type."""


class ModelUnavailable(IrisError):
    """No model can be loaded and trusted.

    The message is for the operator; ``reason`` is a short one that may be shown to anyone.
    """

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class Overloaded(IrisError):
    """There are more requests than the process accepts at once."""


class OutputFailed(IrisError):
    """A file cannot be written."""


class ClusterFailed(IrisError):
    """A cluster cannot be reached, or gave up."""


class PackagingRefused(IrisError):
    """A classifier cannot be served as it is, or what it is packaged with is wrong.

    Attributes
    ----------
    problems : tuple of str
        A sentence for each problem, which says what to do.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(self.problems))


class InputError(IrisError):
    """The input cannot be classified; the message is for the client."""


class MalformedDocument(InputError):
    """The input is not a document of the stated format."""


class TooManyRows(InputError):
    """The input holds more rows than one request may."""


class InvalidValue(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An error in a value of the input.

    Attributes
    ----------
    detail : str
        A sentence for people.
    pointer : str, optional
        A JSON pointer (RFC 6901), within the line if there is one.
    line : int, optional
        The number of the line, from 1.
    column : str, optional
        The name of the column.
    """

    detail: str
    pointer: str | None = None
    line: int | None = None
    column: str | None = None


def release_frames(error: BaseException | None) -> None:
    """Drop the frames of an error and its causes, and the bodies that they hold.

    A frame that holds the error is a cycle, which would be kept until the next garbage collection.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


class InvalidValues(InputError):
    """Values of the input are missing, unknown or out of bounds.

    Attributes
    ----------
    errors : tuple of InvalidValue
        The first ``ERRORS_NAMED`` errors.
    omitted : int
        The number of the others.
    """

    def __init__(self, factories: Iterable[Callable[[], InvalidValue]], count: int | None = None) -> None:
        """Build the first errors by their factories, and count the others unless ``count``, their total, is known."""
        remaining = iter(factories)
        self.errors = tuple(make() for make in islice(remaining, ERRORS_NAMED))
        self.omitted = sum(1 for _ in remaining) if count is None else count - len(self.errors)
        count = len(self.errors) + self.omitted
        super().__init__("One value cannot be used." if count == 1 else f"{count:,} values cannot be used.")
        for error in self.errors[:ERRORS_NOTED]:  # for tracebacks
            self.add_note(error.detail)
