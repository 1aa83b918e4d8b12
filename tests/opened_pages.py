"""A page that a test opened in a real browser, and what happened in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from playwright.sync_api import Page


@dataclass
class Opened:
    """A page, and what happened in it that should not."""

    page: Page
    said: list[str] = field(default_factory=list[str])
    """In its console: errors and warnings."""
    asked: list[str] = field(default_factory=list[str])
    """Addresses it wanted, beside its own file and what is inside it."""
    dialogs: list[str] = field(default_factory=list[str])


class Open(Protocol):
    """Opens HTML in a page of its own."""

    def __call__(self, html: str, *, width: int = 1280, scheme: Literal["light", "dark"] = "light") -> Opened: ...
