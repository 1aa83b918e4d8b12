"""The file that is looked at: its first bytes, its size, and how to read it again from the start, packed or not."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import zlib
from io import BufferedIOBase

HEAD = 1 << 20
"""Bytes that every decision about type, encoding and columns is made from."""
_PACKED = ((b"\x1f\x8b\x08", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "xz"))
BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError)
"""What reading a broken compressed stream raises."""
_SUFFIXES = {"gzip": ".gz", "bz2": ".bz2", "xz": ".xz"}


class Odd(Exception):
    """Why there can be no preview, in plain words."""


class Source:
    """A regular file, or what one compressed stream holds.

    `size` is that on the disk; `packed` is `gzip`, `bz2`, `xz`, or nothing, and `head` what stands first in it, unpacked.
    """

    def __init__(self, path: str, size: int, head: bytes, packed: str = "") -> None:
        self.path, self.name = path, path.rpartition("/")[2]
        self.size, self.head, self.packed = size, head, packed

    @property
    def whole(self) -> bool:
        """Whether the head is all there is."""
        return len(self.head) < HEAD

    @property
    def suffix(self) -> str:
        """The end of the name in small letters, without that of the packing: `.csv` for `A.CSV.gz`."""
        name = self.name.lower()
        if self.packed:
            name = name.removesuffix(_SUFFIXES[self.packed])
        return "." + name.rpartition(".")[2] if "." in name else ""

    @property
    def named_as_packed(self) -> bool:
        """Whether the name tells pandas how to unpack it."""
        return self.name.endswith(_SUFFIXES[self.packed]) if self.packed else True

    def open(self) -> BufferedIOBase:
        """The bytes from the start, unpacked. Only to be read with `read1`: a small file may unpack to terabytes, and a broken
        one gives what it has before it raises."""
        if self.packed == "gzip":
            return gzip.open(self.path, "rb")
        if self.packed == "bz2":
            return bz2.open(self.path, "rb")
        if self.packed == "xz":
            return lzma.open(self.path, "rb")
        return os.fdopen(os.open(self.path, os.O_RDONLY | os.O_CLOEXEC), "rb")


def look(path: str) -> Source:
    """Look at the file's first bytes. Raises `Odd` or `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise Odd("it is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(HEAD)
    return Source(path, status.st_size, head)


def unpacked(source: Source) -> Source:
    """What a compressed stream holds, or the source itself. Raises `Odd` when the stream is broken at its start."""
    for magic, packed in _PACKED:
        if source.head.startswith(magic):
            inner = Source(source.path, source.size, b"", packed)
            try:
                with inner.open() as file:
                    while len(inner.head) < HEAD and (data := file.read1(HEAD - len(inner.head))):
                        inner.head += data
            except BROKEN as error:
                if not inner.head:
                    raise Odd(f"it is {packed}-compressed, but broken: {error}") from error
            return inner
    return source
