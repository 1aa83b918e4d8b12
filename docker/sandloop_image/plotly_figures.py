"""Figures of plotly, where a derived image has it: shown by saving them as a page that needs no network.

Plotly itself would open a browser. Its `io` module is changed as soon as it is imported, which may be in the middle of a cell.
"""

# plotly is in derived images alone.
# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # a part of every kernel's start
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

IO = "plotly.io"


class Finder:
    """Finds `plotly.io` as ever, and puts our `show` into it."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != IO:
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec(name)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            execute = loader.exec_module

            def execute_and_change(module: ModuleType) -> None:
                execute(module)
                module.__dict__["show"] = show

            loader.exec_module = execute_and_change
        return spec


def is_figure(value: object) -> bool:
    """Whether it is a figure of plotly."""
    return type(value).__module__.partition(".")[0] == "plotly" and hasattr(value, "write_html")


def show(figure: Any, *args: object, **options: object) -> None:
    """Save it under the first free name, with all it needs inside."""
    if isinstance(figure, dict):
        figure = sys.modules["plotly.graph_objects"].Figure(figure)
    folder, number = os.environ.get("OUTPUT_DIR", "."), 1
    while True:
        try:
            file = open(os.path.join(folder, f"figure-{number}.html"), "x", encoding="utf-8")  # noqa: SIM115 - closed below
            break
        except FileExistsError:
            number += 1
    with file:
        figure.write_html(file, include_plotlyjs=True)
