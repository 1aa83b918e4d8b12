"""Which bytes a page may show as a picture, judged from the bytes alone. Nothing is decoded here; the browser does that.

PNG and JPEG, of a size that a phone can hold, and SVG as long as it is a plain drawing. SVG goes into an `<img>`, never into
the page itself: there it can't run, load or reach anything. What could still keep a browser busy (nested `use`, filters,
entities) is not shown.
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass

MAX_PIXELS = 40_000_000
MAX_BYTES = 3_000_000
MAX_SVG = 500_000
_SVG_ELEMENTS = """
svg g path defs clipPath rect circle line polyline polygon ellipse text tspan title desc use style metadata symbol
linearGradient radialGradient stop marker rdf:RDF cc:Work cc:Agent dc:title dc:type dc:date dc:format dc:creator
"""
_SVG_LEAVES = "path|rect|circle|line|polyline|polygon|ellipse"
_SVG_START = re.compile(rb"(?:\xef\xbb\xbf)?\s{0,99}(?:<svg\b|<\?xml\b|<!--|<!DOCTYPE svg\b)")
_TAG = re.compile(r"<([A-Za-z_][\w:.-]*)")
_ID = re.compile(r"""\bid\s*=\s*["']([^"']*)["']""")
_LEAF_ID = re.compile(rf"""<(?:{_SVG_LEAVES})\b[^<>]*?\bid\s*=\s*["']([^"']*)["']""")
_USE = re.compile(r"<use\b[^<>]*")
_USED = re.compile(r"""href\s*=\s*["']#([^"']*)["']""")


@dataclass(frozen=True, slots=True)
class Picture:
    """What a page shows in an `<img>`. Width and height in pixels; None where the picture has no fixed ones."""

    uri: str
    width: int | None = None
    height: int | None = None


def picture(content: bytes) -> Picture | str:
    """The picture, or why it is not shown."""
    if len(content) > MAX_BYTES:
        return "too large to show here"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return _sized("image/png", content, _png_size(content))
    if content.startswith(b"\xff\xd8\xff"):
        return _sized("image/jpeg", content, _jpeg_size(content))
    if _SVG_START.match(content) and b"<svg" in content[:4000]:
        why = _odd_svg(content)
        return why or Picture(_uri("image/svg+xml", content))
    return "no picture that a report shows (PNG, JPEG, plain SVG)"


def _sized(mime: str, content: bytes, size: tuple[int, int] | None) -> Picture | str:
    if size is None or 0 in size:
        return "not a whole picture"
    if size[0] * size[1] > MAX_PIXELS:
        return f"{size[0]:,} × {size[1]:,} pixels, too large to show here"
    return Picture(_uri(mime, content), *size)


def _uri(mime: str, content: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def _png_size(content: bytes) -> tuple[int, int] | None:
    if len(content) < 33 or content[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    """From the frame header: the first SOF segment."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return None


def _odd_svg(content: bytes) -> str:
    """Why this SVG is not shown; empty when it is a plain drawing."""
    if len(content) > MAX_SVG:
        return "an SVG too large to show here"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "an SVG that is not UTF-8"
    plain = set(_SVG_ELEMENTS.split())
    odd = sorted({tag for tag in _TAG.findall(text) if tag not in plain})
    if odd:
        return f"an SVG with <{odd[0][:40]}>, which is more than a plain drawing"
    if "<!ENTITY" in text or re.search(r"<!DOCTYPE[^>]*\[", text):
        return "an SVG with entities of its own"
    ids, leaves = _ID.findall(text), set(_LEAF_ID.findall(text))
    used = [_USED.findall(use) for use in _USE.findall(text)]
    if any(len(names) != 1 or names[0] not in leaves for names in used) or (used and len(ids) != len(set(ids))):
        return "an SVG whose parts use each other"
    return ""
