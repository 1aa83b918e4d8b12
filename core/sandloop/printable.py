"""Text that others wrote, safe to show in a terminal: nothing in it can move the cursor, hide, or turn around."""

from __future__ import annotations

import unicodedata

_KEEP = frozenset("\n\t")
_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
_MOST = 20_000


class _Shown(dict[int, str]):
    """How each character is shown, found out when it first comes; a text of all characters there are does not fill the memory."""

    def __missing__(self, code: int) -> str:
        c = chr(code)
        shown = c if c in _KEEP or unicodedata.category(c) not in _HIDDEN else f"\\u{code:04x}"
        if len(self) < _MOST:
            self[code] = shown
        return shown


_SHOWN = _Shown()


def printable(text: str) -> str:
    """`text` with control, C1, bidi and zero-width characters shown as escapes; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_SHOWN)
