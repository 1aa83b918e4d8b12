"""The type of a file, from its content first and its name second."""

from __future__ import annotations

import mimetypes
from pathlib import Path

_HEAD = 8192
_ZIP_KINDS = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}
_TEXT_KINDS = {
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
    ".md": "text/markdown",
}


def mime_of(path: Path, name: str) -> str:
    """The MIME type of the file at `path` that is called `name`. Reads its first 8 kB; parses nothing."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    suffix = Path(name).suffix.lower()
    if head[:4] == b"PK\x03\x04":
        return _ZIP_KINDS.get(suffix, "application/zip")
    if head[:4] == b"PAR1":
        return "application/vnd.apache.parquet"
    if _is_text(head):
        guess = _TEXT_KINDS.get(suffix) or mimetypes.guess_type(name)[0] or "text/plain"
        return (
            guess
            if guess.startswith("text/") or guess.endswith(("json", "jsonl", "xml", "svg+xml", "javascript"))
            else "text/plain"
        )
    return _from_magic(head, name)


def _is_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return True
    return b"\x00" not in head and not head.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"\x1f\x8b", b"RIFF"))


def _from_magic(head: bytes, name: str) -> str:
    import puremagic

    try:
        found = puremagic.from_string(head, mime=True, filename=name)  # pyright: ignore[reportUnknownMemberType]
    except (puremagic.PureError, ValueError):
        found = ""
    return found or "application/octet-stream"
