"""Documents: PDF, Word and PowerPoint, each with its extent and its first words."""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any
from xml.etree import ElementTree

from .preview_packed import open_zip
from .preview_page import Page, amount, quoted
from .preview_source import Odd, Source

_PART_BYTES = 20_000_000
_PDF_BYTES = 200_000_000
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"


def describe_pdf(source: Source, page: Page) -> None:
    """Pages, title, first text."""
    if source.size > _PDF_BYTES:
        raise Odd(f"a PDF of {source.size:,} bytes is not looked into")
    logging.disable(logging.CRITICAL)
    pypdf: Any = import_module("pypdf")
    try:
        reader: Any = pypdf.PdfReader(source.path)
        locked = bool(reader.is_encrypted) and not _opens(reader)
    except Exception as error:
        raise Odd(f"it begins like a PDF, but is broken: {error}") from error
    if locked:
        page.line("PDF, encrypted: it can't be read without its password")
        return
    page.line(f"PDF, {amount(len(reader.pages), 'page')}{', encrypted with an empty password' if reader.is_encrypted else ''}")
    page.line(f"read it with: pypdf.PdfReader({quoted(source.name, 300)}).pages[0].extract_text()")
    title = getattr(reader.metadata, "title", None)
    if title:
        page.line(f"title: {quoted(title, 120)}")
    text = reader.pages[0].extract_text() if len(reader.pages) else ""
    _first_lines(text.splitlines(), page, "no text on the first page: perhaps it is scanned")


def _opens(reader: Any) -> bool:
    """Whether the empty password opens it, as it does most PDFs that only forbid printing."""
    try:
        return bool(reader.decrypt(""))
    except Exception:  # the cipher's library may be missing: then it is as good as locked
        return False


def describe_word(source: Source, page: Page) -> None:
    """Paragraphs, tables, first words."""
    paragraphs, tables, first, words = 0, 0, list[str](), list[str]()
    with open_zip(source) as archive:
        for event, element in _elements(archive, "word/document.xml"):
            if event == "start":
                tables += element.tag == _WORD + "tbl"
            elif element.tag == _WORD + "t":
                words.append(element.text or "")
            elif element.tag == _WORD + "p":
                paragraphs += 1
                if len(first) < 10 and "".join(words).strip():
                    first.append("".join(words))
                words.clear()
                element.clear()
    page.line(f"Word document, {amount(paragraphs, 'paragraph')}, {amount(tables, 'table')}")
    page.line(f"read it with: docx.Document({quoted(source.name, 300)})")
    _first_lines(first, page, "it has no text")


def describe_slides(source: Source, page: Page) -> None:
    """Slides and the first words of the first few."""
    with open_zip(source) as archive:
        found = [m for n in archive.namelist() if (m := re.fullmatch(r"ppt/slides/slide(\d{1,6})\.xml", n))]
        page.line(f"PowerPoint presentation, {amount(len(found), 'slide')}")
        page.line(f"read it with: pptx.Presentation({quoted(source.name, 300)})")
        for match in sorted(found, key=lambda m: int(m[1]))[:6]:
            words = [e.text or "" for event, e in _elements(archive, match[0]) if event == "end" and e.tag == _DRAWING + "t"]
            page.line(f"  slide {match[1]}: " + " / ".join(words)[:400], 160)


def _elements(archive: zipfile.ZipFile, part: str) -> Iterator[tuple[str, Any]]:
    """The elements of a part, one after the other. The part's own size is believed: zipfile reads no more than that."""
    info = archive.getinfo(part)
    if info.file_size > _PART_BYTES:
        raise Odd(f"its text unpacks to {info.file_size:,} bytes, which is not looked into")
    with archive.open(info) as stream:
        yield from ElementTree.iterparse(stream, events=("start", "end"))  # noqa: S314 - expat bounds entities; the part is bounded


def _first_lines(lines: Sequence[str], page: Page, otherwise: str) -> None:
    shown = [line.strip() for line in lines if line.strip()][:10]
    page.line("first lines:" if shown else otherwise)
    for line in shown:
        page.line("  " + line, 160)
