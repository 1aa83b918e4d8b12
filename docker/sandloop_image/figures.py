"""The matplotlib backend of the sandbox: Agg, and `plt.show()` saves each open figure into the working folder and closes it.

Figures still open at the end of a step are saved the same way, unless the step saved them itself.
"""

# matplotlib is in the image, not in the checkout.
# pyright: basic, reportMissingImports=false
# mypy: ignore-errors

# pathlib is half of the supervisor's start, and knows no descriptors of folders.
# ruff: noqa: PTH108, PTH118, PTH123

from __future__ import annotations

import functools
import logging
import os
import weakref
from typing import Any

from matplotlib import font_manager
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 150
EVERY_SCRIPT = "Droid Sans Fallback"
"""The font for each character that the others lack; in `matplotlibrc` too, which a style or a theme overrides."""
_saved = weakref.WeakSet[Figure]()
"""The open figures that the code saved itself in this step."""
_savefig = Figure.savefig


@functools.wraps(_savefig)
def _noted_savefig(self: Figure, *args: Any, **options: Any) -> Any:
    result = _savefig(self, *args, **options)
    _saved.add(self)
    return result


Figure.savefig = _noted_savefig
_find_fonts = font_manager.FontManager._find_fonts_by_props


@functools.wraps(_find_fonts)
def _with_every_script(self: Any, prop: Any, *args: Any, **options: Any) -> Any:
    prop = font_manager.FontProperties._from_any(prop).copy()
    if prop.get_file() is not None:
        return _find_fonts(self, prop, *args, **options)
    # By itself, as it has one weight only and matplotlib would complain of that with every bold title.
    prop.set_family([family for family in prop.get_family() if family != EVERY_SCRIPT] or ["sans-serif"])
    found = _find_fonts(self, prop, *args, **options)
    try:
        return [*found, self.findfont(font_manager.FontProperties(family=EVERY_SCRIPT), fallback_to_default=False)]
    except ValueError:  # not in this image
        return found


font_manager.FontManager._find_fonts_by_props = _with_every_script


class _Once(logging.Filter):
    """Lets each message through once a step: matplotlib says with every single text that a font is missing."""

    def __init__(self) -> None:
        super().__init__()
        self.said: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        new = text not in self.said
        self.said.add(text)
        return new


_once = _Once()
logging.getLogger("matplotlib.font_manager").addFilter(_once)


class FigureManager(FigureManagerBase):
    """Shows a figure by saving it."""

    def show(self) -> None:
        _save(self)


class FigureCanvas(FigureCanvasAgg):
    """Agg's canvas with our manager."""

    manager_class = FigureManager


def show(*args: object, **options: object) -> None:
    """`plt.show()`: save and close every open figure."""
    for manager in Gcf.get_all_fig_managers():
        _save(manager)


def end_of_step(*, save: bool) -> list[Exception]:
    """Save (after an error: only close) what is still open; returns why some could not be saved."""
    failed: list[Exception] = []
    for manager in Gcf.get_all_fig_managers():
        if save:
            try:
                _save(manager)
            except Exception as error:
                failed.append(error)
        else:
            Gcf.destroy(manager)
    _saved.clear()
    _once.said.clear()
    return failed


def _save(manager: Any) -> None:
    figure: Figure = manager.canvas.figure
    drawn = len(figure.get_children()) > 1  # more than its background
    try:
        if drawn and figure not in _saved:
            with _free_file() as file:
                try:
                    _savefig(figure, file, format="png", dpi=DPI, bbox_inches="tight")
                except BaseException:  # a title that is no formula, an interrupt
                    os.unlink(file.name)
                    raise
    finally:
        # Also one that can't be drawn, which would fail again at the end of every step.
        _saved.discard(figure)
        Gcf.destroy(manager)


def _free_file() -> Any:
    """`figure-1.png`, or the first number that is free: nothing is overwritten."""
    folder, number = os.environ.get("OUTPUT_DIR", "."), 1
    while True:
        try:
            return open(os.path.join(folder, f"figure-{number}.png"), "xb")
        except FileExistsError:
            number += 1
