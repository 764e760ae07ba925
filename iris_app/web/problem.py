"""The problem that a request ran into, before a blueprint renders it."""

import msgspec

from iris_app.exceptions import InvalidValue


class Problem(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A problem document (RFC 9457).

    ``errors`` lists the first wrong values and ``errors_omitted`` counts the others; ``request_id`` is that of the log.
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
        """The detail and the first ten errors, as one string."""
        return " ".join([self.detail, *(error.detail for error in self.errors[:10])])
