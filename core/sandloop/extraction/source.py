"""Making a piece of text the code it is meant to be: prompts, magics, stray fences and invisible characters.

What already parses as Python is left as it stands, so a strange character inside a string survives. A change of characters
is kept only when the source parses after it and did not before; a change that the text itself announces (prompts, magics,
a fence around it) is kept always.

Magics: `!command` lines alone become a bash cell; beside Python they become a call that prints the command's output, and
`!pip install` goes away, since nothing can be installed. `%matplotlib` and its like go away, `%time` leaves its statement,
`%%bash` makes a bash cell, `%%writefile` writes.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable
from itertools import pairwise

from sandloop.extraction.cells import Runnable
from sandloop.extraction.language import parse
from sandloop.extraction.set_up import INSTALL, is_install
from sandloop.extraction.shell import is_commands, names_shell
from sandloop.extraction.tags import tag_kind

MEND_CHARS = 200_000
"""Longer sources are run as they stand: nothing longer was ever seen that a mend would have saved."""

_FENCE_LINE = re.compile(r"\s*(?:`{3,}|~{3,})")
_INVISIBLE = re.compile("[\u200b\u200c\u200d\u2060\ufeff\u00ad]")


def plain_text(text: str) -> str:
    """Line ends as `\\n`, no byte-order mark, no NUL, no lone surrogate: what no parser or pipe chokes on."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").removeprefix("\ufeff")
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def finish(language: Runnable, source: str) -> tuple[Runnable, str] | None:
    """The cell to run for a piece of code, or None when nothing is left of it."""
    source = _trimmed(plain_text(source))
    done = _python(source) if language == "python" else _bash(source)
    return done if done and done[1].strip() else None


def _trimmed(source: str) -> str:
    blank = re.match(r"(?:[^\S\n]*\n)*", source)
    source = source[blank.end() :] if blank else source
    end = source.find("\n", len(source.rstrip()))
    return source if end < 0 else source[:end]


def _python(source: str) -> tuple[Runnable, str] | None:
    first, _, rest = source.partition("\n")
    while rest and first.strip().lower() in ("python", "py", "python3", "copy code", "copy"):
        source = _trimmed(rest)
        first, _, rest = source.partition("\n")
    if names_shell(source):
        return "bash", source
    if len(source) > MEND_CHARS or parse(source) is not None:
        return "python", source
    if language_flip := _cell_magic(source):
        return language_flip
    if is_commands(source) or is_install(source):
        return "bash", source
    for announced in (_without_tags, without_fence, _without_prompts, textwrap.dedent):
        source = _trimmed(announced(source))
    if not source or parse(source) is not None:
        return "python", source
    if shell := _only_shell_lines(source):
        return shell
    translated = _without_magics(source)
    if translated != source:
        source = _trimmed(translated)
        if not source or parse(source) is not None:
            return "python", source
    return "python", _with_better_characters(source)


def _bash(source: str) -> tuple[Runnable, str] | None:
    first, _, rest = source.partition("\n")
    if rest and re.fullmatch(r"\s*(?:bash|sh|shell|%%(?:bash|sh).*)\s*", first):
        source = _trimmed(rest)
    if not HEREDOC.search(source):
        source = without_fence(source)
    source = re.sub(r"^[ \t\u00a0]+", lambda m: m.group().replace("\u00a0", " "), source, flags=re.M)
    return "bash", textwrap.dedent(without_shell_prompts(source) or source)


_SHELL_PROMPT = re.compile(
    r"\s*(?:\([\w.-]+\)\s*)?(?:(?:[\w.-]+@[\w.-]+:?[^\s$#]*|[~/][\w./~-]*)?\s?\$|\[?[\w.-]+@[\w.-]+[: ][^\s$#%\]]*\]?\s?[$#%])\s+"
)


_GOES_ON = re.compile(r"^>(?: |$)")
"""The shell's prompt for a line that goes on."""
HEREDOC = re.compile(r"<<-?\s?(?P<quote>[\"']?)(?P<end>[A-Za-z_]\w{0,40})(?P=quote)")


def without_shell_prompts(source: str) -> str:
    """The commands of a console session, its output left out; empty when it shows no prompt."""
    kept: list[str] = []
    more, until = False, ""
    for line in source.split("\n"):
        if until:
            kept.append(_GOES_ON.sub("", line))
            until = "" if kept[-1].strip() == until else until
            continue
        prompt = _SHELL_PROMPT.match(line[:200])
        if prompt:
            kept.append(line[prompt.end() :])
            heredoc = HEREDOC.search(kept[-1][:500])
            until = heredoc["end"] if heredoc else ""
        elif more:
            kept.append(re.sub(r"^\s*>\s?", "", line))
        more = bool(prompt or more) and line.rstrip().endswith("\\")
    return "\n".join(kept)


def without_fence(source: str) -> str:
    """Without the fence that stands around or in the end of it."""
    lines = source.split("\n")
    if lines and _FENCE_LINE.match(lines[0]):
        del lines[0]
    inner = next((i for i, line in enumerate(lines) if _FENCE_LINE.match(line)), None)
    if inner is not None and (inner == len(lines) - 1 or parse("\n".join(lines[:inner])) is not None):
        del lines[inner:]
    if lines and lines[-1].rstrip().endswith("```"):
        lines[-1] = lines[-1].rstrip()[:-3]
    return "\n".join(lines)


def _without_tags(source: str) -> str:
    """Without `<![CDATA[ ]]>` or `<code> </code>` around it."""
    for tags in (r"<!\[CDATA\[(.*)\]\]>", r"<(code|python|script)>(.*)</\1>"):
        if whole := re.fullmatch(rf"\s*{tags}\s*", source, re.DOTALL):
            source = whole.groups()[-1]
    return source


def fence_tag(source: str) -> str | None:
    """The kind of the tag when the whole source stands in a fence."""
    opening = re.match(r"\s*(?:`{3,}|~{3,})([^\n`]*)\n", source)
    return tag_kind(opening.group(1)) if opening else None


def _without_prompts(source: str) -> str:
    """The input of an interpreter session, its output left out."""
    ipython = re.compile(r"\s*In\s?\[\d*\]:\s?(.*)")
    lines = source.split("\n")
    if any(line.lstrip().startswith(">>>") for line in lines):
        kept: list[str] = []
        for line in lines:
            prompt = re.match(r"\s*(?:>>>|\.\.\.)(?: (.*)|$)", line)
            if prompt:
                kept.append(prompt.group(1) or "")
            elif not kept and line.lstrip().startswith("#"):
                kept.append(line.lstrip())
        return "\n".join(kept)
    if not any(ipython.match(line) for line in lines):
        return source
    kept, inside = [], False
    for line in lines:
        if prompt := ipython.match(line):
            kept.append(prompt.group(1))
            inside = True
        elif inside and (more := re.match(r"\s*\.\.\.:\s?(.*)", line)):
            kept.append(more.group(1))
        elif re.match(r"\s*Out\s?\[\d*\]:", line) or not line.strip():
            inside = False
    return "\n".join(kept)


def _cell_magic(source: str) -> tuple[Runnable, str] | None:
    first, _, rest = source.partition("\n")
    magic = re.match(r"\s*%%(\w+)\s*(.*)", first)
    if not magic:
        return None
    name, arguments = magic.groups()
    if name in ("bash", "sh", "script"):
        return "bash", rest
    if name in ("writefile", "file"):
        mode = "a" if "-a" in arguments.split() else "w"
        target = (arguments.split() or ["out.txt"])[-1]
        return "python", f"with open({target!r}, {mode!r}) as _file:\n    _file.write({rest + chr(10)!r})"
    if name in ("time", "timeit", "capture", "python", "python3", "prun", "memit"):
        return _python(_trimmed(rest))
    return "python", ""


def _only_shell_lines(source: str) -> tuple[Runnable, str] | None:
    lines = [line.strip() for line in source.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    if lines and all(line.startswith("!") for line in lines):
        return "bash", "\n".join(line.lstrip("!").strip() for line in lines)
    return None


_LINE_MAGIC = re.compile(r"^([ \t]*)(?:(\w+(?:, ?\w+)*) ?= ?)?([!%])[ \t]*(.*)$")


def _without_magics(source: str) -> str:
    return "\n".join(_translated(line) for line in source.split("\n"))


def _translated(line: str) -> str:
    if re.fullmatch(r"\s*(?:\?{1,2}[\w.]+|[\w.]+\?{1,2})\s*", line):
        return re.sub(r"\S.*", "pass", line)
    magic = _LINE_MAGIC.match(line)
    if not magic:
        return line
    indent, target, mark, rest = magic.groups()
    if INSTALL.match(rest):
        return f"{indent}pass"
    if mark == "!":
        if not rest:
            return line
        call = f"__import__('subprocess').getoutput({rest.lstrip('!')!r})"
        return f"{indent}{target} = {call}.splitlines()" if target else f"{indent}print({call})"
    name, _, argument = rest.lstrip("%").partition(" ")
    if target or not re.fullmatch(r"[a-z_]\w*", name):
        return line
    if name in ("time", "timeit", "prun", "memit") and argument.strip():
        return indent + re.sub(r"^(?:-\w\s*\d*\s+)*", "", argument.strip())
    if name == "cd" and argument.strip():
        return f"{indent}__import__('os').chdir({argument.strip()!r})"
    if name == "run" and argument.strip():
        return f"{indent}__import__('runpy').run_path({argument.split()[0]!r}, run_name='__main__')"
    return f"{indent}pass"


def _blank_indents(source: str) -> str:
    return re.sub(r"^[^\S\n]+", lambda m: re.sub(r"[^ \t]", " ", m.group()), source, flags=re.MULTILINE)


def _better_mends() -> tuple[Callable[[str], str], ...]:
    quotes = str.maketrans(
        {"“": '"', "”": '"', "‘": "'", "’": "'", "„": '"', "＂": '"', "（": "(", "）": ")", "，": ", ", "：": ":"}
    )
    return (
        _blank_indents,
        lambda s: _INVISIBLE.sub("", s),
        lambda s: re.sub("[\u00a0\u2000-\u200a\u202f\u3000]", " ", s),
        html.unescape,
        lambda s: s.translate(quotes),
        lambda s: re.sub(r"^[ \t]+", lambda m: m.group().expandtabs(4), s, flags=re.M),
        lambda s: s if "\n" in s else s.replace("\\n", "\n").replace("\\t", "\t"),
        lambda s: s if "\n" in s else s.replace("\\n", "\n").replace('\\"', '"').replace("\\t", "\t"),
        lambda s: s.replace('\\"', '"'),
        _hanging_first_line,
        _without_line_numbers,
    )


def _without_line_numbers(source: str) -> str:
    """Without the numbers when each line has its own."""
    numbered = [re.match(r"[ \t]*(\d+)(?:\s?[|:.│]|(?=\s|$)) ?(.*)", line) for line in source.split("\n")]
    found = [m for m in numbered if m]
    in_order = all(int(b[1][:9]) == int(a[1][:9]) + 1 for a, b in pairwise(found))
    return textwrap.dedent("\n".join(m[2] for m in found)) if in_order and len(found) == len(numbered) else source


def _hanging_first_line(source: str) -> str:
    """All but the first line indented: the first lost its blanks on the way."""
    first, _, rest = source.partition("\n")
    return f"{first.lstrip()}\n{textwrap.dedent(rest)}"


def _with_better_characters(source: str) -> str:
    """The source with the least change that makes it parse; unchanged when none does."""
    so_far = source
    for mend in _better_mends():
        for start in (source, so_far):
            mended = mend(start)
            if mended != start and parse(mended) is not None:
                return mended
        if mend is not html.unescape:
            so_far = mend(so_far)
    return source
