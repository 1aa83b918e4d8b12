"""Names of files that models, files and containers chose, made safe for any disk and any terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Container
from pathlib import PurePosixPath

_FORBIDDEN = frozenset('\\/:*?"<>|')
_DEVICES = frozenset({"con", "prn", "aux", "nul", "conin$", "conout$", *(d + i for d in ("com", "lpt") for i in "123456789¹²³")})
MAX_BYTES = 200
"""A component's length in UTF-8; common file systems end at 255, and room is left for a number."""
MAX_DEPTH = 12


def clean_component(name: str) -> str:
    """One path component without control, format, surrogate or reserved characters; never empty, never hidden."""
    name = unicodedata.normalize("NFC", name)
    name = "".join("_" if c in _FORBIDDEN or unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn") else c for c in name)
    name = name.strip(" ").rstrip(". ").lstrip("-~ ")
    if name.startswith("."):
        name = "_" + name.lstrip(".")
    stem, dot, suffix = name.rpartition(".")
    if (stem.partition(".")[0] if dot else name).strip().lower() in _DEVICES:
        name = "_" + name
    if len(name.encode()) > MAX_BYTES:
        keep = suffix if dot and len(suffix.encode()) <= 20 else ""
        room = MAX_BYTES - len(keep.encode()) - 1
        name = (stem or name).encode()[:room].decode(errors="ignore").rstrip(". ") + (f".{keep}" if keep else "")
    return name or "unnamed"


def clean_path(name: str) -> str:
    """A relative path of clean components, joined by `/`. `..` and empty parts become nothing."""
    parts = [p for p in name.replace("\\", "/").split("/") if p not in ("", ".", "..")]
    return "/".join(clean_component(p) for p in parts[-MAX_DEPTH:]) or "unnamed"


def without_collision(name: str, taken: Container[str]) -> str:
    """`name`, or `stem-2.suffix`, `stem-3.suffix` … when it is taken. Compares without case, as some disks do.

    Args:
        taken: Names already used, in lower case.
    """
    if name.lower() not in taken:
        return name
    path = PurePosixPath(name)
    number = 2
    while (other := str(path.with_name(f"{path.stem}-{number}{path.suffix}"))).lower() in taken:
        number += 1
    return other
