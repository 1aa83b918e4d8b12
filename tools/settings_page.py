"""Writes the tables in docs/settings.md from the fields they stand for: `python tools/settings_page.py` after a change."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/settings.md"


def documented(path: str) -> Iterator[tuple[str, str]]:
    """The fields of the first class of a module, each with the text that stands below it."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    for field, doc in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            says = doc.value.value if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant) else ""
            yield field.target.id, " ".join(str(says).split())


def limit_rows() -> list[str]:
    """A row for each limit: name, default, what it bounds."""
    from sandloop.limits import Limits

    defaults = {name: getattr(Limits(), name) for name, _ in documented("core/sandloop/limits.py")}
    shown = {name: "none" if value is None else f"{value:,}".replace(",", "_") for name, value in defaults.items()}
    return [f"| `{name}` | {shown[name]} | {says} |" for name, says in documented("core/sandloop/limits.py")]


def sandbox_rows() -> list[str]:
    """A row for each option of the sandbox: name, variable, default, what it does."""
    from sandloop.options import DEFAULT_OPTIONS

    rows: list[str] = []
    for name, says in documented("core/sandloop/options.py"):
        default = getattr(DEFAULT_OPTIONS, name)
        shown = "" if default in ((), None) else f"`{str(default).lower()}`"
        variable = "SANDBOX" if name == "engine" else name.upper()
        rows.append(f"| `{name}` | `SANDLOOP_{variable}` | {shown} | {says} |")
    return rows


def with_tables(page: str) -> str:
    """The page with its tables made anew."""
    for mark, head, rows in (
        ("limits", ["| limit | default | what it bounds |", "|---|---|---|"], limit_rows()),
        ("sandbox", ["| option | variable | default | what it does |", "|---|---|---|---|"], sandbox_rows()),
    ):
        before, begin, rest = page.partition(f"<!-- {mark} -->\n")
        _, end, after = rest.partition(f"\n<!-- /{mark} -->")
        page = before + begin + "\n".join([*head, *rows]) + end + after
    return page


if __name__ == "__main__":
    PAGE.write_text(with_tables(PAGE.read_text("utf-8")), "utf-8")
