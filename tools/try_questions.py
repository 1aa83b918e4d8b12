"""Asks a model the questions of examples/questions.toml, checks the answers against the right ones, and keeps the runs.

python tools/try_questions.py local                    # tools offered, and fenced blocks only
python tools/try_questions.py claude --keep FOLDER     # FOLDER gets one JSON Lines file a run
"""

from __future__ import annotations

import argparse
import re
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandloop import Limits, Result, SandloopError, Settings, analyze
from sandloop.codec import lines
from sandloop.events import CodeWritten, Failed
from sandloop.settings import Profile

EXAMPLES = Path(__file__).parent.parent / "examples"
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def is_right(answer: Mapping[str, Any], text: str) -> bool:
    """Whether one expected part stands in the text: a number within its tolerance, or one of its spellings."""
    if "text" in answer:
        return any(spelling.lower() in text.lower() for spelling in answer["text"])
    numbers = (float(n.replace(",", "")) for n in NUMBER.findall(text))
    return any(abs(n - answer["value"]) <= answer["tolerance"] + 1e-9 for n in numbers)


def ask(question: Mapping[str, Any], model: str, *, tools: bool) -> Result | None:
    """The result, also of a run that failed."""
    provider, _, name = model.partition(":")
    profile = Profile(provider=provider, model=name or None, parameters={} if tools else {"tools": False})
    settings = Settings(model="tried", models={"tried": profile}, limits=Limits(seconds=600, turns=8))
    try:
        return analyze(question["question"], [EXAMPLES / f for f in question["files"]], settings=settings)
    except SandloopError as error:
        return error.result


def row(question: Mapping[str, Any], result: Result | None, seconds: float, *, tools: bool) -> str:
    """One line of the table."""
    text = result.text if result else ""
    printed = "\n".join(s.ran.stdout for s in result.steps if s.ran) if result else ""
    said = all(is_right(a, text) for a in question["answer"])
    ran = all(is_right(a, printed) for a in question["answer"])
    origins = sorted({e.origin for e in result.events if isinstance(e, CodeWritten)}) if result else []
    failed = next((e.error for e in result.events if isinstance(e, Failed)), "") if result else "no result"
    verdict = "right" if said else ("printed right, said wrong" if ran else f"wrong{f' ({failed})' if failed else ''}")
    mode = "tools offered" if tools else "fenced only"
    runs = len(result.steps) if result else 0
    return f"| {question['id']} | {mode} | {verdict} | {', '.join(origins) or 'no code'} | {runs} | {seconds:.0f} |"


def main() -> None:
    """Print a table as the runs go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", nargs="*", help="ids of questions")
    arguments = parser.parse_args()
    questions = tomllib.loads((EXAMPLES / "questions.toml").read_text("utf-8"))["question"]
    print("| question | mode | answer | code came as | cells | seconds |\n|---|---|---|---|---|---|", flush=True)
    for tools in (True, False):
        for question in questions:
            if arguments.only and question["id"] not in arguments.only:
                continue
            began = time.monotonic()
            result = ask(question, arguments.model, tools=tools)
            print(row(question, result, time.monotonic() - began, tools=tools), flush=True)
            if arguments.keep and result:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                name = f"{question['id']}-{'tools' if tools else 'fenced'}.jsonl"
                (arguments.keep / name).write_text("".join(lines(result.events)), "utf-8")


if __name__ == "__main__":
    main()
