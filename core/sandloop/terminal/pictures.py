"""Made pictures on terminals that can show them: their bytes as they are, wrapped in the terminal's own escape sequence.

Nothing here decodes a picture: its width and height are read from its header, and nothing else. Whether it is shown is
decided from the environment, without asking the terminal, since an answer could come too late and end up in the next prompt.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandloop.picture_size import jpeg_size, png_size

Way: TypeAlias = Literal["kitty", "iterm"]
MAX_BYTES = 4_000_000
"""Of one picture. A chart has 20 to 300 kB; over ssh, more than this would hold up the prompt."""
MAX_PIXELS = 25_000_000
"""Of one picture, as its header says: a small file can unfold into gigabytes, and it is the terminal that would unfold it."""
_KITTY_CHUNK = 4096
_KITTY_PROGRAMS = ("ghostty", "kitty")
_ITERM_PROGRAMS = ("iterm.app", "wezterm")
_COLUMN_PIXELS = 8
"""Of a common font, where the terminal does not say how wide it is."""


@dataclass(frozen=True, slots=True)
class Window:
    """The terminal's size. Pixels are 0 where it does not say."""

    columns: int
    width: int = 0


def way_of(environ: Mapping[str, str]) -> Way | None:
    """How this terminal shows pictures; None when it can't, or when something between us and it would not pass them on."""
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "").lower()
    if environ.get("TMUX") or environ.get("STY") or term.startswith(("tmux", "screen")) or program == "tmux":
        return None
    if environ.get("KITTY_WINDOW_ID") or term in ("xterm-kitty", "xterm-ghostty") or program in _KITTY_PROGRAMS:
        return "kitty"
    if program in _ITERM_PROGRAMS or environ.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return None


def escapes(content: bytes, way: Way, window: Window) -> Iterator[str]:
    """What to write to the terminal so that it shows the picture; nothing for what it can't or should not show."""
    size = png_size(content) or (jpeg_size(content) if way == "iterm" else None)  # kitty's protocol has no JPEG
    if len(content) > MAX_BYTES or size is None or not 0 < size[0] * size[1] <= MAX_PIXELS:
        return
    wide = size[0] > (window.width or _COLUMN_PIXELS * window.columns)
    yield from _kitty(content, window.columns if wide else None) if way == "kitty" else _iterm(content, wide)


def _kitty(content: bytes, columns: int | None) -> Iterator[str]:
    """`q=2`: the terminal must not answer, as nobody reads the answer."""
    encoded = base64.standard_b64encode(content).decode()
    fit = f",c={columns}" if columns else ""
    for start in range(0, len(encoded), _KITTY_CHUNK):
        more = int(start + _KITTY_CHUNK < len(encoded))
        head = f"a=T,f=100,q=2{fit},m={more}" if start == 0 else f"q=2,m={more}"
        yield f"\x1b_G{head};{encoded[start : start + _KITTY_CHUNK]}\x1b\\"
    yield "\n"


def _iterm(content: bytes, wide: bool) -> Iterator[str]:
    encoded = base64.standard_b64encode(content).decode()
    width = "100%" if wide else "auto"
    yield f"\x1b]1337;File=inline=1;size={len(content)};width={width};preserveAspectRatio=1:{encoded}\x07\n"
