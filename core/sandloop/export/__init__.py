"""A run as a file for other programs: a notebook, or a Python script."""

from __future__ import annotations

from sandloop.export.notebook import as_notebook
from sandloop.export.script import as_script

__all__ = ["as_notebook", "as_script"]
