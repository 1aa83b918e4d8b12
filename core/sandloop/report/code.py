"""Source code with colours: Pygments' classes, coloured by the report's own CSS. Pure."""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name  # pyright: ignore[reportUnknownVariableType]
from pygments.util import ClassNotFound

from sandloop.report.text import visible

_LANGUAGES = frozenset(
    {"python", "py", "bash", "sh", "json", "sql", "csv", "r", "javascript", "html", "xml", "yaml", "toml", "diff"}
)
_INFLATION, _ROOM = 8, 1000
_LONGEST = 20_000


def code(source: str, language: str) -> Markup:
    """The source as HTML for inside a `<code>`; without colours when it is long, or when colours would take too much room."""
    shown = visible(source)
    plain = escape(shown)
    if language.lower() not in _LANGUAGES or len(shown) > _LONGEST:
        return plain
    lexer = _lexer(language.lower())
    if lexer is None:
        return plain
    formatter: HtmlFormatter[str] = HtmlFormatter(nowrap=True)
    coloured = highlight(shown, lexer, formatter)
    return Markup(coloured) if len(coloured) <= _INFLATION * len(shown) + _ROOM else plain  # noqa: S704 - Pygments escapes it


@lru_cache(maxsize=32)
def _lexer(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None
