"""A compare file: questions, models and what is expected, asked together, judged, and asked again only where something is new.

`sandloop compare -f suite.yaml` is this on the command line.
"""

from __future__ import annotations

from sandloop.suite.reading import load_suite

__all__ = ["load_suite"]
