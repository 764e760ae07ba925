"""What went wrong with a request, as every door can tell it."""

import msgspec

from iris_app.exceptions import InvalidValue


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A problem document (RFC 9457).

    ``errors`` names the wrong values that were found first and ``errors_omitted`` counts the others; ``request_id``
    finds the request in the log.
    """

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[InvalidValue, ...] = ()
    errors_omitted: int = 0

    @property
    def summary(self) -> str:
        """Say in one string what the document says, with the first ten of its errors."""
        return " ".join([self.detail, *(error.detail for error in self.errors[:10])])
