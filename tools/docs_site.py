"""What the site needs beside docs/: the changelog, the files of the checkout that pages link to, the list of decisions.

MkDocs calls the functions by their names, as hooks (mkdocs.yml).
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
BESIDE = "files"
"""The folder of the site that holds what is linked to and lies outside docs/."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """`decisions/` in the navigation stands for all of them, in order."""
    options: Any = config
    nav: list[Any] = options.nav or []
    decisions = [f"decisions/{path.name}" for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    options.nav = [{"Decisions": decisions} if entry == {"Decisions": "decisions/"} else entry for entry in nav]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The changelog becomes a page; what pages link to outside docs/ goes along."""
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    files.append(File.generated(config, "changelog.md", content=changes.replace("](docs/", "](")))
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for target, _ in LINK.findall(path.read_text("utf-8")):
            outside = _outside(path.relative_to(ROOT).as_posix(), target)
            if outside and files.get_file_from_path(f"{BESIDE}/{outside}") is None:
                files.append(File.generated(config, f"{BESIDE}/{outside}", abs_src_path=str(ROOT / outside)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Links out of docs/ lead to the files that go along."""
    here = f"docs/{page.file.src_uri}"

    def inside(match: re.Match[str]) -> str:
        outside = _outside(here, match[1])
        if not outside:
            return match[0]
        return f"]({posixpath.relpath(f'{BESIDE}/{outside}', posixpath.dirname(page.file.src_uri))})"

    return LINK.sub(inside, markdown)


def _outside(page: str, target: str) -> str | None:
    """The file of the checkout, outside docs/, that a page's link means; None when it means something else."""
    if ":" in target:
        return None
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), target))
    return path if not path.startswith(("docs/", "..")) and (ROOT / path).is_file() else None
