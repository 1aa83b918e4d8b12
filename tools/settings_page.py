"""Writes the tables in docs/settings.md from the fields they stand for: `python tools/settings_page.py` after a change."""

from __future__ import annotations

from pathlib import Path

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.prices import Price
from sandloop.settings import DEFAULTS, OTHER_VARIABLES, PREFIX, Profile, Settings
from sandloop.settings.documented import field_docs
from sandloop.settings.fields import PLAIN, TABLES
from sandloop.settings.places import variable_of

PAGE = Path(__file__).parent.parent / "docs/settings.md"


def setting_rows() -> list[str]:
    """A row for each plain setting: name, variable, default, what it does; then the tables."""
    docs = field_docs(Settings)
    plain = [f"| `{name}` | `{variable_of((name,))}` | {_shown(getattr(DEFAULTS, name))} | {docs[name]} |" for name in PLAIN]
    return plain + [f"| `[{name}]` |  |  | {docs[name]} See below. |" for name in TABLES]


def limit_rows() -> list[str]:
    """A row for each limit: name, variable, default, what it bounds."""
    defaults = Limits()
    return [
        f"| `{name}` | `{variable_of(('limits', name))}` | {_shown(getattr(defaults, name)) or '`none`'} | {says} |"
        for name, says in field_docs(Limits).items()
    ]


def sandbox_rows() -> list[str]:
    """A row for each option of the sandbox: name, variable, default, what it does."""
    defaults = SandboxOptions()
    return [
        f"| `{name}` | `{variable_of(('sandbox', name))}` | {_shown(getattr(defaults, name))} | {says} |"
        for name, says in field_docs(SandboxOptions).items()
    ]


def _plain_rows(cls: type) -> list[str]:
    return [f"| `{name}` | {says} |" for name, says in field_docs(cls).items()]


def _variable_rows() -> list[str]:
    return [f"| `{PREFIX}{name.upper()}` | {says} |" for name, says in OTHER_VARIABLES.items()]


def _shown(value: object) -> str:
    if value in ((), None):
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"`{value:_}`"
    return f"`{str(value).lower()}`"


TABLES_OF_THE_PAGE = {
    "settings": (("setting", "variable", "default", "what it does"), setting_rows),
    "limits": (("limit", "variable", "default", "what it bounds"), limit_rows),
    "sandbox": (("option", "variable", "default", "what it does"), sandbox_rows),
    "profile": (("in a profile", "what it is"), lambda: _plain_rows(Profile)),
    "prices": (("in a price", "US dollars for a million tokens"), lambda: _plain_rows(Price)),
    "variables": (("variable", "what it does"), _variable_rows),
}


def with_tables(page: str) -> str:
    """The page with its tables made anew."""
    for mark, (heads, rows) in TABLES_OF_THE_PAGE.items():
        before, begin, rest = page.partition(f"<!-- {mark} -->\n")
        _, end, after = rest.partition(f"<!-- /{mark} -->")
        table = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *rows()]
        page = before + begin + "\n".join(table) + "\n" + end + after
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
