"""Which bytes a page may show as a picture, judged from the bytes alone. Nothing is decoded here; the browser does that.

PNG and JPEG, of a size that a phone can hold, and SVG as long as it is a plain drawing. SVG goes into an `<img>`, never into
the page itself: there it can't run, load or reach anything. What could still keep a browser busy (nested `use`, filters,
entities) is not shown.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from sandloop.picture_size import JPEG, PNG, jpeg_size, png_size

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
    if content.startswith(PNG):
        return _sized("image/png", content, png_size(content))
    if content.startswith(JPEG):
        return _sized("image/jpeg", content, jpeg_size(content))
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
