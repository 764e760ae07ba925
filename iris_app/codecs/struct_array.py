"""Arrays of the values of msgspec structs.

A loop over the structs of a batch would take longer than all other steps together, and msgspec cannot export their
values to an array. So they are encoded as MessagePack, where structs of floats differ only in their values, which NumPy
reads. Only this module depends on that layout, and a test fails when it changes. It is
https://github.com/msgpack/msgpack/blob/master/spec.md: a map's head, and for each field its name, the byte 0xcb and a
big-endian float64.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import msgspec
import numpy as np

from iris_app.schema import Floats

FLOAT64 = 9  # bytes, its head included


class StructArray:
    """Convert structs whose fields are all floats to arrays.

    Parameters
    ----------
    type_ : type
        The structs' type.
    """

    def __init__(self, type_: type[msgspec.Struct]) -> None:
        self._encode = msgspec.msgpack.Encoder().encode
        names = type_.__struct_encode_fields__
        size = len(self._encode(type_(**dict.fromkeys(type_.__struct_fields__, 0.0))))
        spans = [len(self._encode(name)) + FLOAT64 for name in names]
        ends = [size - sum(spans) + end for end in accumulate(spans)]
        layout: Any = {
            "names": type_.__struct_fields__,
            "formats": [">f8"] * len(spans),
            "offsets": [end - 8 for end in ends],
            "itemsize": size,
        }
        self._dtype = np.dtype(layout)

    def to_array(self, rows: Sequence[msgspec.Struct]) -> Floats:
        """Return the values of structs as an array of shape (n, fields)."""
        packed = self._encode(rows)
        columns = np.frombuffer(packed, self._dtype, offset=len(packed) - len(rows) * self._dtype.itemsize)
        return np.array([columns[name] for name in self._dtype.names or ()], np.float64).T
