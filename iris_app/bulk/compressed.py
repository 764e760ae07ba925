"""Files that are compressed, by the end of their names: .gz and .zst."""

import gzip
import sys
from importlib import import_module
from pathlib import PurePath
from typing import Any, BinaryIO, cast

zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

__all__ = ["compressing", "compression_of", "decompressing", "zstd"]

GZIP_LEVEL = 6


def compression_of(name: str) -> str:
    """Return the end of a file's name that says how it is compressed, or nothing."""
    suffix = PurePath(name).suffix.lower()
    return suffix if suffix in {".gz", ".zst"} else ""


def decompressing(stream: BinaryIO, name: str) -> BinaryIO:
    """Return what reads a file as it was before it was compressed, and has the file itself as its ``raw_stream``."""
    if not compression_of(name):
        return stream
    unpacked: Any = gzip.GzipFile(fileobj=stream) if compression_of(name) == ".gz" else zstd.ZstdFile(stream)
    unpacked.raw_stream = stream
    return cast("BinaryIO", unpacked)


def compressing(stream: BinaryIO, name: str) -> BinaryIO:
    """Return what compresses what is written; the file is whole when it is closed, and ``stream`` stays open.

    Nothing in it says when it was written: the same rows make the same bytes.
    """
    if compression_of(name) == ".gz":
        return cast("BinaryIO", gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=GZIP_LEVEL, mtime=0))
    return cast("BinaryIO", zstd.ZstdFile(stream, mode="wb")) if compression_of(name) == ".zst" else stream
