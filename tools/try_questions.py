"""Asks a model the questions of examples/suite/suite.yaml, with tools offered and without, and keeps the runs.

python tools/try_questions.py local                    # tools offered, and fenced blocks only
python tools/try_questions.py claude --keep FOLDER     # FOLDER gets one JSON Lines file a run

`sandloop compare -f examples/suite/suite.yaml -m MODEL` asks them as users do; this says, too, what was printed and not said.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from sandloop import Limits, Result, SandloopError, Settings, analyze
from sandloop.codec import lines
from sandloop.events import CodeWritten, Failed
from sandloop.settings import Profile
from sandloop.suite import Question, load_suite
from sandloop.suite.matching import search
from sandloop.suite.plain import judge_plain

SUITE = Path(__file__).parent.parent / "examples/suite/suite.yaml"


def is_right(question: Question, text: str) -> bool:
    """Whether all that is expected of the answer itself stands in the text."""
    expected = [e for e in question.expected if e.kind not in ("makes", "python")]
    outcomes = [judge_plain(expectation, text, [], search) for expectation in expected]
    return all(outcome is not None and outcome.passed for outcome in outcomes)


def ask(question: Question, model: str, *, tools: bool) -> Result | None:
    """The result, also of a run that failed."""
    provider, _, name = model.partition(":")
    profile = Profile(provider=provider, model=name or None, parameters={} if tools else {"tools": False})
    settings = Settings(model="tried", models={"tried": profile}, limits=Limits(seconds=600, turns=8))
    try:
        return analyze(question.text, [SUITE.parent / f for f in question.files], settings=settings)
    except SandloopError as error:
        return error.result


def row(question: Question, result: Result | None, seconds: float, *, tools: bool) -> str:
    """One line of the table."""
    text = result.text if result else ""
    printed = "\n".join(s.ran.stdout for s in result.steps if s.ran) if result else ""
    said, ran = is_right(question, text), is_right(question, printed)
    origins = sorted({e.origin for e in result.events if isinstance(e, CodeWritten)}) if result else []
    failed = next((e.error for e in result.events if isinstance(e, Failed)), "") if result else "no result"
    verdict = "right" if said else ("printed right, said wrong" if ran else f"wrong{f' ({failed})' if failed else ''}")
    mode = "tools offered" if tools else "fenced only"
    runs = len(result.steps) if result else 0
    return f"| {question.id} | {mode} | {verdict} | {', '.join(origins) or 'no code'} | {runs} | {seconds:.0f} |"


def main() -> None:
    """Print a table as the runs go on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", nargs="*", help="ids of questions")
    arguments = parser.parse_args()
    questions = load_suite(SUITE).questions
    print("| question | mode | answer | code came as | cells | seconds |\n|---|---|---|---|---|---|", flush=True)
    for tools in (True, False):
        for question in questions:
            if arguments.only and question.id not in arguments.only:
                continue
            began = time.monotonic()
            result = ask(question, arguments.model, tools=tools)
            print(row(question, result, time.monotonic() - began, tools=tools), flush=True)
            if arguments.keep and result:
                arguments.keep.mkdir(parents=True, exist_ok=True)
                name = f"{question.id}-{'tools' if tools else 'fenced'}.jsonl"
                (arguments.keep / name).write_text("".join(lines(result.events)), "utf-8")


if __name__ == "__main__":
    main()
