"""What can go wrong, in the words of the domain.

- IrisError
    - ConfigurationError: a setting is missing, unknown or of the wrong type
    - ModelUnavailable: no model can be loaded and trusted
    - InputError: what was sent cannot be classified
        - MalformedDocument: it is not a document of the stated form
        - TooManyRows: it holds more rows than one request may
        - InvalidMeasurements: values are missing, unknown or out of bounds

Nothing here knows HTTP; ``iris_app.errors`` gives each its status.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class IrisError(Exception):
    """Stand above all of this application's own errors."""


class ConfigurationError(IrisError):
    """Refuse to start with a setting that is missing, unknown or of the wrong type."""


class ModelUnavailable(IrisError):
    """Refuse to classify without a model that is whole and trusted; the message is for the operator alone."""


class InputError(IrisError):
    """Refuse what was sent; the message is for whoever sent it."""


class MalformedDocument(InputError):
    """Refuse a document that is not of the form that it is said to be."""


class TooManyRows(InputError):
    """Refuse more rows than one request may hold."""


@dataclass(frozen=True, slots=True)
class InvalidValue:
    """One thing wrong with a document: where, as a JSON pointer (RFC 6901), and a sentence that says what."""

    pointer: str
    detail: str


class InvalidMeasurements(InputError):
    """Refuse measurements with wrong values: ``errors`` names the first of them, ``omitted`` counts the others."""

    def __init__(self, errors: Sequence[InvalidValue], omitted: int = 0) -> None:
        count = len(errors) + omitted
        super().__init__("One value cannot be used." if count == 1 else f"{count} values cannot be used.")
        self.errors = errors
        self.omitted = omitted
