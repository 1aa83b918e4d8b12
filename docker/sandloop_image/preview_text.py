"""Text: its encoding, found from all of its bytes as far as time allows, its lines, and its first lines."""

from __future__ import annotations

import codecs
import re
import time

from .preview_page import Page, amount, quoted
from .preview_source import BROKEN, Source

SCAN_SECONDS = 1.2
_PIECE = 1 << 20
_SHOWN_LINES = 12
_CONTROLS = bytes(c for c in range(32) if c not in b"\t\n\r\x0c\x1b")
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"))


class Text:
    """A text file: how to decode it, its start, and what a pass over it found."""

    def __init__(self, encoding: str, start: str) -> None:
        self.encoding, self.start = encoding, start
        self.lines = 0
        self.quotes = self.blanks = self.nuls = False
        self.finished = False
        """Whether the pass came to the end; if not, `lines` is an estimate."""
        self.broken = False
        """Whether a compressed stream ended too early."""

    @property
    def about(self) -> str:
        """A word before a count."""
        return "" if self.finished else "about "


def guess_encoding(head: bytes) -> str | None:
    """The encoding of a text that begins like this, or None when it is no text."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = head[:65536]
    if sample.count(0) > len(sample) // 5:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        wide = "utf-16-le" if odd > 20 * even + 1 else "utf-16-be" if even > 20 * odd + 1 else ""
        return wide or None
    if len(sample) - len(sample.translate(None, _CONTROLS)) > len(sample) // 50 + 2:
        return None
    return "utf-8" if _decodes(head, "utf-8") else "cp1252" if _decodes(head, "cp1252") else "latin-1"


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)("strict").decode(head)
    except UnicodeDecodeError:
        return False
    return True


def read_text(source: Source) -> Text | None:
    """The text and the outcome of a pass over it; None when it is no text."""
    encoding = guess_encoding(source.head)
    if encoding is None:
        return None
    end = time.monotonic() + SCAN_SECONDS
    for candidate in dict.fromkeys((encoding, "cp1252", "latin-1")):
        text = _scan(source, candidate, end)
        if text is not None:
            return text
    return None


def _scan(source: Source, encoding: str, end: float) -> Text | None:
    """A pass over the file; None when it can't be decoded so. UTF-16 and -32 are decoded with replacements."""
    errors = "replace" if encoding.startswith(("utf-16", "utf-32")) else "strict"
    decoder = codecs.getincrementaldecoder(encoding)
    text = Text(encoding, decoder("replace").decode(source.head))
    strict, read, newlines, returns, last = decoder(errors), 0, 0, 0, ""
    with source.open() as file:
        while True:
            try:
                data = file.read1(_PIECE)
            except BROKEN:
                text.broken = True  # what came so far is what there is
                break
            try:
                piece = strict.decode(data, final=not data)
            except UnicodeDecodeError:
                return None
            newlines, returns = newlines + piece.count("\n"), returns + piece.count("\r")
            text.quotes = text.quotes or '"' in piece
            text.blanks = text.blanks or "\n\n" in piece or "\n\r\n" in piece or (last == "\n" and piece[:1] in ("\r", "\n"))
            text.nuls = text.nuls or "\0" in piece
            read, last = read + len(data), piece[-1:] or last
            if not data:
                text.finished = True
                break
            if time.monotonic() > end:
                break
    text.lines = (newlines or returns) + (last not in ("\n", "\r", "") if text.finished else 0)
    if not text.finished and not source.packed and read:
        text.lines = max(1, round(text.lines * source.size / read))
    return text


def describe_text(source: Source, text: Text, page: Page) -> None:
    """Encoding, lines, and the first of them."""
    what = _markup(text.start) or "text"
    more = "more than " if source.packed and not text.finished else text.about
    page.line(f"{what}, {text.encoding}, {more}{amount(text.lines, 'line')}{packing(source, text)}")
    if text.nuls:
        page.line("It has NUL characters.")
    if what == "HTML" and "<table" in text.start.lower():
        page.line(f"It has tables: pd.read_html({quoted(source.name)}, encoding={text.encoding!r}) gives a list of them.")
    lines = re.split(r"\r\n|\r|\n", text.start[:65536].rstrip())[:_SHOWN_LINES]
    blank = lines == [""]
    page.line("it is blank" if blank else "first lines:")
    for line in [] if blank else lines:
        page.line("  " + line.rstrip(), 200)


def packing(source: Source, text: Text) -> str:
    """A word on the compression."""
    return f", {source.packed}-compressed{' (broken off before its end)' if text.broken else ''}" if source.packed else ""


def _markup(start: str) -> str:
    head = start.lstrip("\ufeff \t\r\n")[:400].lower()
    if head.startswith(("<!doctype html", "<html")) or "<html" in head:
        return "HTML"
    return "XML" if head.startswith("<?xml") else ""
