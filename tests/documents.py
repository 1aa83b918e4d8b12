"""The documents' examples, as something to run.

A fence says by its language what it is, and by its title what is special about it, so that readers see it, too:

    ```console                                       commands behind `$ `, each with the output that is shown below it, if any
    ```console title="exit code 2"                   the same, where the last command ends otherwise
    ```console title="needs a key: OPENAI_API_KEY"   not run here; its options are held against the command line's own parser
    ```python                                        run as a script of its own
    ```text title="prints"                           what the Python fence before it prints
    ```yaml title="suite.yaml"                       a file, there for all that comes after it on the page

In shown output `…` stands for anything: alone on a line, for any number of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
_FILE = re.compile(r"[\w-]+(/[\w-]+)*\.\w+")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    title: str
    body: str

    @property
    def needs(self) -> bool:
        """Whether it needs what a test has not got: a key, a network, a person."""
        return self.title.startswith("needs ")

    @property
    def file(self) -> str | None:
        """The name of the file that it shows."""
        return self.title if _FILE.fullmatch(self.title) else None

    @property
    def exit_code(self) -> int:
        """What its last command ends with."""
        return int(self.title.removeprefix("exit code ")) if self.title.startswith("exit code ") else 0

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, with what is shown of its output: None when nothing is."""

    fence: Fence
    text: str
    shown: str | None
    exit_code: int = 0

    def __str__(self) -> str:
        return f"{self.fence}: $ {self.text}"


@cache
def fences() -> tuple[Fence, ...]:
    """Those of all pages, in order."""
    found: list[Fence] = []
    for path in PAGES:
        for token in MarkdownIt().parse(path.read_text("utf-8")):
            if token.type == "fence":
                language, _, rest = token.info.strip().partition(" ")
                title = re.search(r'title="([^"]*)"', rest)
                line = (token.map or [0])[0] + 1
                found.append(Fence(path.relative_to(ROOT).as_posix(), line, language, title[1] if title else "", token.content))
    return tuple(found)


def commands(fence: Fence) -> list[Command]:
    """What stands behind the prompts of a console fence. The last command has the fence's exit code, the others 0."""
    parts = re.split(r"(?m)^\$ ", fence.body)
    found: list[Command] = []
    for part in parts[1:]:
        lines = part.splitlines()
        end = next(i for i, line in enumerate(lines) if not line.endswith("\\")) + 1
        shown = "\n".join(lines[end:]).strip("\n")
        found.append(Command(fence, "\n".join(lines[:end]), shown or None))
    if parts[0].strip() or not found:
        raise ValueError(f"{fence}: a console block begins with a command behind '$ '")
    found[-1] = Command(fence, found[-1].text, found[-1].shown, fence.exit_code)
    return found


_CHANGING = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|min)\b"), "N s"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)?"), "WHEN"),
    (re.compile(r"\b\d{8}[T-]\d{6}(-[0-9a-f]+)?Z?\b"), "ID"),
    (re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,64}\b"), "ID"),
    (re.compile(r"[─━═-]{2,}"), "-"),
    (re.compile(r"(?m)[ \t]+$"), ""),
    (re.compile(r"(?<=\S)[ \t]{2,}"), "  "),
)


def settled(text: str, folder: Path | None = None) -> str:
    """Without what is another each time: times, ids, the folder of the test, the width of a column."""
    if folder is not None:
        text = text.replace(str(folder), "DIR")
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    return text.strip("\n")


def matches(shown: str, real: str) -> bool:
    """Whether a run printed what is shown, `…` standing for anything."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(re.escape(part) for part in line.split("…")) + r"\n"
        for line in settled(shown).splitlines()
    )
    return re.fullmatch(pattern, settled(real) + "\n") is not None
