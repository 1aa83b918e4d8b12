"""An answer's Markdown as HTML that can do nothing: no raw HTML, no link to follow, no picture to load, no style. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup, escape

from sandloop.report.code import code
from sandloop.report.text import short, visible

_NESTING = 20
_INFLATION, _ROOM = 8, 2000
_ALIGNED = {"text-align:right": "right", "text-align:center": "center"}


@dataclass(frozen=True, slots=True)
class CellPlace:
    """Where in the report a cell stands, so that a reply can point to it instead of saying it again."""

    anchor: str
    name: str


def markdown(text: str, cells: Mapping[str, CellPlace] | None = None) -> Markup:
    """The text as HTML. As plain text when it is nested deeper than a reader can follow, or would take too much room.

    Args:
        cells: Where the code of a fenced block stands in the report, by its source without blanks around it.
    """
    shown = visible(text)
    env: dict[str, Any] = {"cells": cells or {}}
    tokens = _parser().parse(shown, env)
    if all(token.level < _NESTING - 1 for token in tokens):
        html = str(_parser().renderer.render(tokens, _parser().options, env))
        if len(html) <= _INFLATION * len(shown) + _ROOM:
            return Markup(html)  # noqa: S704 - each rule below escapes what it is given
    return Markup('<pre class="plain">{}</pre>').format(shown)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": _NESTING, "xhtmlOut": False}
    parser = MarkdownIt("commonmark", options, renderer_cls=_Inert)
    return parser.enable(["table", "strikethrough"])


class _Inert(RendererHTML):
    """Renders what would act as text: markdown-it looks its rules up by the names of the methods."""

    def text(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return _escaped(tokens[idx].content)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<code>{_escaped(tokens[idx].content)}</code>"

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<pre tabindex="0"><code>{_escaped(tokens[idx].content)}</code></pre>\n'

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        token = tokens[idx]
        place = env["cells"].get(token.content.strip())
        if place is not None:
            return Markup('<p class="pointer">↓ <a href="#{}">the code of {}</a></p>\n').format(place.anchor, place.name)
        language = (token.info.split() or [""])[0]
        return f'<pre class="code" tabindex="0"><code>{code(token.content, language)}</code></pre>\n'

    def heading_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """No heading of the page: its outline is the report's own."""
        return f'<p class="mh m{tokens[idx].tag}">'

    def heading_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</p>\n"

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return '<span class="link">'

    def link_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """Its address stands behind it, as text."""
        opened = next(
            (i for i in range(idx - 1, -1, -1) if tokens[i].type == "link_open" and tokens[i].level == tokens[idx].level), 0
        )
        address = str(tokens[opened].attrs.get("href", ""))
        said = "".join(token.content for token in tokens[opened + 1 : idx])
        return "</span>" if address == said else f'</span> <span class="address">‹{_escaped(short(address, 120))}›</span>'

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        """What it is said to show, and where it would come from."""
        token = tokens[idx]
        said, address = short(token.content, 200), short(str(token.attrs.get("src", "")), 120)
        return f'<span class="unloaded">picture, not loaded: {_escaped(said or "no description")} ‹{_escaped(address)}›</span>'

    def table_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return '<div class="scroll" tabindex="0"><table class="data">\n'

    def table_close(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f'<th scope="col"{_alignment(tokens[idx])}>'

    def td_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: Any) -> str:
        return f"<td{_alignment(tokens[idx])}>"


def _alignment(token: Token) -> str:
    """A class: the page allows no style of its own to an element."""
    aligned = _ALIGNED.get(str(token.attrs.get("style", "")))
    return f' class="{aligned}"' if aligned else ""


def _escaped(text: str) -> str:
    """Visible once more: an entity may have become a sign that is not."""
    return str(escape(visible(text)))
