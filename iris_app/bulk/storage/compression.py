"""Compressed files, by their suffixes .gz and .zst."""

import gzip
import sys
from importlib import import_module
from pathlib import PurePath
from typing import Any, BinaryIO, cast

zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

__all__ = ["compress", "compression_of", "decompress", "zstd"]

GZIP_LEVEL = 6


def compression_of(name: str) -> str:
    """Return the suffix of a compressed file, or an empty text."""
    suffix = PurePath(name).suffix
    return suffix if suffix.lower() in {".gz", ".zst"} else ""


def decompress(stream: BinaryIO, name: str) -> BinaryIO:
    """Return a stream of the decompressed bytes, with the file as its ``raw_stream``."""
    kind = compression_of(name).lower()
    if not kind:
        return stream
    unpacked: Any = gzip.GzipFile(fileobj=stream) if kind == ".gz" else zstd.ZstdFile(stream)
    unpacked.raw_stream = stream
    return cast("BinaryIO", unpacked)


def compress(stream: BinaryIO, name: str) -> BinaryIO:
    """Return a stream that compresses into ``stream``, which stays open when it is closed.

    The result does not depend on the time.
    """
    kind = compression_of(name).lower()
    if kind == ".gz":
        return cast("BinaryIO", gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=GZIP_LEVEL, mtime=0))
    return cast("BinaryIO", zstd.ZstdFile(stream, mode="wb")) if kind else stream
