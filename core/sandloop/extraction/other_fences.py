"""What some models write in place of a fence: HTML's `<pre>`, three single quotes with a language, CodeLlama's `[PYTHON]`,
backticks that are too few, escaped or others than the keyboard's, the listings of LaTeX, Org, reST, AsciiDoc and wikis.

Looked for only in a reply in which nothing else was found. All are rewritten as fences, so that the same rules decide what is
meant to run.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from sandloop.extraction.fences import MARKDOWN_CHARS

FENCE = "~" * 12
_PRE = re.compile(
    r"(?P<before>^[ \t]*(?:<[a-z][^<>\n]{0,80}>){0,3})<pre(?P<about>(?:\s[^<>\n]{0,120})?)>", re.IGNORECASE | re.MULTILINE
)
_PRE_END = re.compile(r"</pre\s*>", re.IGNORECASE)
_CODE = re.compile(r"\s{0,8}<code(?P<about>(?:\s[^<>\n]{0,120})?)>", re.IGNORECASE)
_CODE_END = re.compile(r"</code\s*>\s*\Z", re.IGNORECASE)
_LANGUAGE = re.compile(r"\b(?:class|lang|language)\s?=\s?[\"']?(?:lang(?:uage)?-)?(?P<name>\w+)", re.IGNORECASE)
_LOOKALIKE = "‘‘‘|’’’|´´´|｀｀｀|′′′|\\\\`\\\\`\\\\`"
_MARKS = tuple(
    (re.compile(opens, re.IGNORECASE | re.MULTILINE), re.compile(closes, re.IGNORECASE | re.MULTILINE))
    for opens, closes in (
        (r"^(?:'''|\"\"\")[ \t]*(?P<name>python3?|py|bash|sh)[ \t]*$", r"^[ \t]*(?:'''|\"\"\")[ \t]*$"),
        (r"^`{1,2}[ \t]*(?P<name>python3?|py|bash|sh)[ \t]*$", r"^[ \t]*`{1,3}[ \t]*$"),
        (rf"^(?:{_LOOKALIKE})[ \t]*(?P<name>python3?|py|bash|sh)?[ \t]*$", rf"^[ \t]*(?:{_LOOKALIKE})[ \t]*$"),
        (r"^<(?:syntaxhighlight|source)\s+lang=[\"']?(?P<name>\w+)[^<>\n]{0,60}>", r"</(?:syntaxhighlight|source)>"),
        (r"^<antArtifact\s[^<>\n]{0,300}?language=[\"']?(?P<name>\w+)[^<>\n]{0,200}>", r"</antArtifact>"),
        (r"^[ \t]*#\+begin_src[ \t]+(?P<name>[\w-]+)[^\n]*$", r"^[ \t]*#\+end_src"),
        (r"^\{%-?[ \t]*highlight[ \t]+(?P<name>\w+)[^%\n]*%\}", r"^\{%-?[ \t]*endhighlight"),
        (r"^\[code=[\"']?(?P<name>\w+)[\"']?\]", r"\[/code\]"),
        (r"^\{code:(?:title=[^|}\n]*\|)?(?P<name>\w+)[^}\n]*\}", r"^\{code\}"),
        (r"^\[source,[ \t]*(?P<name>\w+)[^\]\n]*\][ \t]*\n----[ \t]*$", r"^----[ \t]*$"),
        (r"^\.\. (?:code-block|code|sourcecode)::[ \t]*(?P<name>\w+)[ \t]*\n(?:[ \t]+:\w[^\n]*\n){0,8}", r"^(?=\S)"),
        (r"(?:\A|(?<=\n)[ \t]*\n)(?P<indented>)(?=(?: {4}|\t)\S)", r"^(?! {4}|\t|[ \t]*$)"),
        (r"^\[(?P<name>python|bash)\][ \t]*$", r"^[ \t]*\[/(?:python|bash)\]"),
        (r"^\\begin\{(?:lstlisting|verbatim|minted)\}[^\n]{0,80}?(?P<name>python|bash)?[\]}]?[ \t]*$", r"^[ \t]*\\end\{"),
        (r"^<code\s[^<>\n]{0,40}?(?:lang(?:uage)?-|[\"'=])(?P<name>python|py|bash)\b[^<>\n]{0,40}>", r"</code\s*>"),
    )
)


def as_fences(text: str) -> str | None:
    """The text with such blocks as fences; None when it has none."""
    text = text[:MARKDOWN_CHARS]
    pieces = list(_pieces(text))
    return "".join(pieces) if len(pieces) > 1 else None


def _pieces(text: str) -> Iterator[str]:
    position = 0
    openings = [(m, closes) for opens, closes in ((_PRE, _PRE_END), *_MARKS) for m in opens.finditer(text)]
    for opening, closes in sorted(openings, key=lambda o: o[0].start()):
        if opening.start() < position:
            continue
        yield text[position : opening.start()]
        is_pre = opening.re is _PRE
        closing = closes.search(text, opening.end())
        body = text[opening.end() : closing.start() if closing else len(text)]
        name, source = _html(opening["about"], body) if is_pre else (_name(opening), body)
        yield f"\n{FENCE}{name}\n{source.strip(chr(10))}\n" + (f"{FENCE}\n" if closing else "")
        if closing is None:
            return
        position = closing.end()
    yield text[position:]


def _name(opening: re.Match[str]) -> str:
    """The language it names. What is only indented must be a script beyond doubt, as under a tag that nobody knows."""
    return opening.groupdict().get("name") or ("indented" if "indented" in opening.groupdict() else "")


def _html(about: str, body: str) -> tuple[str, str]:
    """The language that the tags name, and the code without tags and character references."""
    if code := _CODE.match(body):
        about, body = about + code["about"], body[code.end() :]
        body = _CODE_END.sub("", body[-200:]) if len(body) <= 200 else body[:-200] + _CODE_END.sub("", body[-200:])
    language = _LANGUAGE.search(about)
    return language["name"] if language else "", html.unescape(body)
