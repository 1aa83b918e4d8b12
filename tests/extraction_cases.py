"""The corpus of replies: each file in tests/corpus is a reply with its situation and the cells that must come out of it.

A file is TOML between two `+++` lines, then the reply as it stands. The TOML says the class, where such a reply is `seen`, the
situation (`stop`, `calls`, `tools_in_use`, `already_ran`) and the `cells` that must come out; a reply with invisible characters
stands in the TOML as `reply`.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandloop.events import ReplyEnded, ToolCall
from sandloop.extraction import Extraction, extract

CORPUS = Path(__file__).parent / "corpus"
FILES = sorted(CORPUS.glob("*.md"))


@dataclass(frozen=True, slots=True)
class Case:
    facts: dict[str, Any]
    reply: str

    def extracted(self) -> Extraction:
        calls = tuple(
            ToolCall(id=f"call_{i}", name=c["name"], arguments=c["arguments"]) for i, c in enumerate(self.facts.get("calls", ()))
        )
        reply = ReplyEnded(stop=self.facts.get("stop", "end"), text=self.facts.get("reply", self.reply), calls=calls)
        return extract(reply, tools_in_use=self.facts.get("tools_in_use", False), already_ran=self.facts.get("already_ran", ()))

    def wanted(self) -> list[tuple[str, str, str]]:
        return [(c["language"], c["origin"], c["source"]) for c in self.facts.get("cells", ())]


def read(path: Path) -> Case:
    _, front, reply = path.read_text(encoding="utf-8").split("+++\n", 2)
    return Case(tomllib.loads(front), reply)


def outcome(found: Extraction) -> tuple[list[tuple[str, str, str]], bool]:
    return [(c.language, c.origin, c.source) for c in found.cells], found.cut_off


def is_right(case: Case) -> bool:
    return outcome(case.extracted()) == (case.wanted(), case.facts.get("cut_off", False))


def score(paths: Iterable[Path]) -> tuple[Counter[str], Counter[str]]:
    """How many of each class come out right, and how many there are."""
    right: Counter[str] = Counter()
    of: Counter[str] = Counter()
    for path in paths:
        case = read(path)
        of[case.facts["class"]] += 1
        right[case.facts["class"]] += is_right(case)
    return right, of
