"""Text that others wrote, safe to show in a terminal: nothing in it can move the cursor, hide, or turn around."""

from __future__ import annotations

import unicodedata

_KEEP = frozenset("\n\t")


def printable(text: str) -> str:
    """`text` with control, C1, bidi and zero-width characters shown as escapes; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        c if c in _KEEP or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") else f"\\u{ord(c):04x}"
        for c in text.replace("\r\n", "\n").replace("\r", "\n")
    )
