"""Pictures: format, size and mode from the header; nothing is decoded."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .preview_page import Page, quoted
from .preview_source import Odd, Source

_TURNED = {3: "turned by 180°", 6: "to be turned 90° clockwise", 8: "to be turned 90° anticlockwise"}
_ORIENTATION = 0x0112


def describe_picture(source: Source, page: Page) -> None:
    """One line on the picture and one on how to open it."""
    pillow: Any = import_module("PIL.Image")
    pillow.MAX_IMAGE_PIXELS = None  # the header is all that is read
    try:
        picture: Any = pillow.open(source.path)
    except Exception as error:
        raise Odd(f"it begins like a picture, but can't be opened: {str(error).replace(repr(source.path), '')[:200]}") from error
    with picture:
        width, height = picture.size
        page.line(f"{picture.format} picture, {width} x {height} pixels, mode {picture.mode}")
        if width * height > 100_000_000:
            page.line("note: it is very large when decoded; PIL refuses it unless Image.MAX_IMAGE_PIXELS is raised")
        turned = _TURNED.get(picture.getexif().get(_ORIENTATION, 1)) if picture.format in ("JPEG", "TIFF") else None
        if turned:
            page.line(f"note: its EXIF orientation says it is {turned} (PIL.ImageOps.exif_transpose does it)")
    page.line(f"open it with: PIL.Image.open({quoted(source.name, 300)})")
