"""Files that are compressed, by the end of their names: .gz and .zst."""

import gzip
import sys
from pathlib import PurePath
from typing import BinaryIO, cast

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["compressing", "compression_of", "decompressing", "zstd"]

GZIP_LEVEL = 6


def compression_of(name: str) -> str:
    """Return the end of a file's name that says how it is compressed, or nothing."""
    suffix = PurePath(name).suffix.lower()
    return suffix if suffix in {".gz", ".zst"} else ""


def decompressing(stream: BinaryIO, name: str) -> BinaryIO:
    """Return what reads a file as it was before it was compressed."""
    if compression_of(name) == ".gz":
        return cast("BinaryIO", gzip.GzipFile(fileobj=stream))
    return cast("BinaryIO", zstd.ZstdFile(stream)) if compression_of(name) == ".zst" else stream


def compressing(stream: BinaryIO, name: str) -> BinaryIO:
    """Return what compresses what is written; the file is whole when it is closed, and ``stream`` stays open.

    Nothing in it says when it was written: the same rows make the same bytes.
    """
    if compression_of(name) == ".gz":
        return cast("BinaryIO", gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=GZIP_LEVEL, mtime=0))
    return cast("BinaryIO", zstd.ZstdFile(stream, mode="wb")) if compression_of(name) == ".zst" else stream
