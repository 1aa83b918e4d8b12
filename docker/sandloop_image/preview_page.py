"""The text of a preview: short whatever the file holds, with nothing in it that hides, turns round or moves a cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

MAX_CHARS = 3_000
MAX_BYTES = 5_900
"""The supervisor keeps 6,000 bytes; a text in Chinese meets this bound first."""
LINE_CHARS = 420
CELL_CHARS = 44
_CUT = "[the preview is cut here]"
_INVISIBLE = frozenset((0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x3164, 0xFFA0)) | frozenset(
    (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
"""Characters that show nothing though Python calls them printable."""


class Full(Exception):
    """The page has no room left; what is on it stands."""


class Page:
    """Lines go out as they are made, so that a reader that dies later has still said something."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self._chars, self._bytes = MAX_CHARS - len(_CUT) - 1, MAX_BYTES - len(_CUT) - 1
        self.lines = 0

    def line(self, text: str, most: int = LINE_CHARS) -> None:
        """Add a line, cut to `most` characters. Raises `Full` when it does not fit any more."""
        data = (shorten(clean(text), most) + "\n").encode("utf-8", "replace")
        chars = len(data.decode("utf-8"))
        if chars > self._chars or len(data) > self._bytes:
            self._write((_CUT + "\n").encode())
            raise Full
        self._chars, self._bytes = self._chars - chars, self._bytes - len(data)
        self.lines += 1
        self._write(data)

    def room(self) -> int:
        """How many characters are left."""
        return min(self._chars, self._bytes)


def clean(text: str) -> str:
    """`text` with everything that is not plainly visible as a Python escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and ord(c) not in _INVISIBLE else _escape(c) for c in text)


def _escape(char: str) -> str:
    plain = char.encode("unicode_escape").decode("ascii")
    return plain if plain != char else f"\\u{ord(char):04x}"


def shorten(text: str, most: int) -> str:
    """The first `most` characters, with a note of how many more there are."""
    return text if len(text) <= most else f"{text[:most]}… (+{len(text) - most:,} characters)"


def cell(value: object, most: int = CELL_CHARS) -> str:
    """A value as it stands in a row."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)[: 4 * most]
    return shorten(clean(text[: most + 1]), most) if len(text) <= most + 1 else f"{clean(text[:most])}… (+{len(text) - most:,})"


def row(cells: Sequence[object], most: int = LINE_CHARS) -> str:
    """The cells of a row side by side, as many as fit, and how many are left out."""
    shown: list[str] = []
    room = most
    for value in cells:
        text = cell(value)
        if len(text) + 3 > room:
            return " | ".join([*shown, f"… {len(cells) - len(shown):,} more cells"])
        shown.append(text)
        room -= len(text) + 3
    return " | ".join(shown)


def listed(items: Iterable[str], count: int, most: int, what: str = "more") -> str:
    """Items side by side, as many as fit in `most` characters, and how many of `count` are left out."""
    shown: list[str] = []
    for item in items:
        text = clean(item)
        if len(text) + 2 > most:
            break
        most -= len(text) + 2
        shown.append(text)
    left = count - len(shown)
    return ", ".join(shown) + (f", … and {left:,} {what}" if left > 0 else "")


def quoted(name: object, most: int = 80) -> str:
    """A name as Python would write it: leading blanks and odd characters show."""
    text = str(name)
    if len(text) <= most:
        return clean(repr(name if isinstance(name, (str, int, float)) else text))
    return clean(repr(text[:most])) + f"… (+{len(text) - most:,} characters)"


def amount(count: int, one: str, many: str = "") -> str:
    """`1 row`, `2,000 rows`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
