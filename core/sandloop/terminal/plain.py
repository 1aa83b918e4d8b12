"""Text for streams that can't hold all of Unicode: signs become ASCII ones, everything else its escape, and nothing is lost."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import Protocol, TextIO, cast

HANDLER = "sandloop"
_ASCII = str.maketrans(
    {
        "→": "->",
        "↪": "->",
        "↻": "@",
        "✓": "ok",
        "✗": "x",
        "│": "|",
        "┃": "|",
        "╭": "+",
        "╮": "+",
        "╰": "+",
        "╯": "+",
        "─": "-",
        "━": "-",
        "…": "...",
        "·": "-",
        "–": "-",
        "—": "-",
        "•": "*",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
        "×": "x",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "\u00a0": " ",
        "\u202f": " ",
        "−": "-",
    }
)


class _Reconfigurable(Protocol):
    def reconfigure(self, *, encoding: str | None = None, errors: str | None = None) -> None: ...


def in_ascii(text: str) -> str:
    """`text` with the signs we draw as ASCII ones; anything else that is not ASCII as its escape."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


def _unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return in_ascii(error.object[error.start : error.end]), error.end


def make_readable(stdout: TextIO | None, stderr: TextIO | None, environ: Mapping[str, str]) -> None:
    """Let both streams write any text. A locale that is `C` by the user's own word makes the messages ASCII, not the answer."""
    codecs.register_error(HANDLER, _unencodable)
    for stream in (stdout, stderr):
        if hasattr(stream, "reconfigure"):
            encoding = "ascii" if stream is stderr and is_c_locale(environ) else None
            cast("_Reconfigurable", stream).reconfigure(encoding=encoding, errors=HANDLER)


def is_c_locale(environ: Mapping[str, str]) -> bool:
    """Whether the user asked for the `C` locale, and did not tell Python otherwise."""
    if environ.get("PYTHONIOENCODING") or environ.get("PYTHONUTF8") == "1":
        return False
    named = next((value for name in ("LC_ALL", "LC_CTYPE", "LANG") if (value := environ.get(name))), "")
    return named in ("C", "POSIX")


def is_utf8(stream: TextIO | None) -> bool:
    """Whether it holds all of Unicode; a stream that is not there loses nothing either."""
    return stream is None or (stream.encoding or "").lower().startswith("utf")


def json_in_ascii(text: str) -> str:
    """The same JSON: what is not ASCII can only stand in its strings, where an escape means the same."""
    return re.sub(r"[^\x00-\x7f]", lambda found: json.dumps(found.group())[1:-1], text)
