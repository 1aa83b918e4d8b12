"""What a block tagged as code shows that is no code to run: a diff, a traceback, an excerpt."""

from __future__ import annotations

import re

from sandloop.extraction.language import parse


def is_diff(source: str) -> bool:
    head = source.lstrip()[:2_000]
    if re.match(r"(?:diff --git |--- \S+.*\n\+\+\+ |@@ -\d|\*\*\* Begin Patch|<{7} |Index: )", head):
        return True
    marked = re.fullmatch(r"(?:[-+ ].*\n|\n)*(?:[-+ ].*)?", source)
    return bool(marked and re.search(r"^-", source, re.M) and re.search(r"^\+", source, re.M)) and (
        source.lstrip("\n")[:1] in ("+", "-") or parse(source) is None
    )


_TRACEBACK = re.compile(
    r"\s*(?:-{20,}\s*\n)?(?:[\w.]+(?:Error|Exception)\s+)?Traceback \(most recent call last\)"
    r"|\s*File \"[^\"\n]+\", line \d+|\s*[\w.]+(?:Error|Exception|Warning): [^\n]*+\s*+\Z"
)


def is_traceback(source: str) -> bool:
    return bool(_TRACEBACK.match(source))


_LEFT_OUT = re.compile(
    r"^[ \t]*#[ \t]*(?:\.{3}|…)[^\n]{0,40}\b(?:existing|rest|remaining|previous|same|unchanged|above|earlier)\b[^\n]{0,40}$"
    r"|^[ \t]*#[ \t]*\(?(?:the )?(?:rest|remainder) of (?:the|your) (?:code|script|function)\b[^\n]{0,40}$",
    re.IGNORECASE | re.MULTILINE,
)


def leaves_out(source: str) -> bool:
    """Whether a comment stands for a part of the code, so that it is an excerpt for whoever has the rest."""
    return bool(_LEFT_OUT.search(source[:50_000]))
