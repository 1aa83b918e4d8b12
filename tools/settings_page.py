"""Writes the table of limits in docs/settings.md from the fields of `Limits`: `python tools/settings_page.py` after a change."""

from __future__ import annotations

import ast
import itertools
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/settings.md"


def limit_rows() -> list[str]:
    """A row for each limit: name, default, the first sentence of what stands below the field."""
    from sandloop.limits import Limits

    tree = ast.parse((ROOT / "core/sandloop/limits.py").read_text("utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    rows: list[str] = []
    for field, doc in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            says = doc.value.value if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant) else ""
            default = getattr(Limits(), field.target.id)
            shown = "none" if default is None else f"{default:,}".replace(",", "_")
            rows.append(f"| `{field.target.id}` | {shown} | {' '.join(str(says).split())} |")
    return rows


def with_table(page: str) -> str:
    """The page with its table of limits made anew."""
    table = "\n".join(["| limit | default | what it bounds |", "|---|---|---|", *limit_rows()])
    return re.sub(r"(?s)(<!-- limits -->\n).*(\n<!-- /limits -->)", lambda m: m[1] + table + m[2], page)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
