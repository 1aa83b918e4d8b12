"""How large a PNG or a JPEG is, read from its header. Nothing is decoded: what a model's code made is not trusted."""

from __future__ import annotations

import struct

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
"""What their content begins with."""
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG that begin a frame."""


def png_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, as the header says; None when it is no whole PNG."""
    if not content.startswith(PNG) or content[12:16] != b"IHDR" or len(content) < 33:
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Width and height in pixels, as the frame's header says; None when it is no JPEG."""
    at = 2 if content.startswith(JPEG) else len(content)
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if marker == 0xFF:  # fills up
            at += 1
        elif marker in _FRAMES:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + max(length, 2)
    return None
