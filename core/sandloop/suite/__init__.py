"""A compare file: questions, models and what is expected, asked together, judged, and asked again only where something is new.

    from sandloop.suite import run_suite

    outcome = run_suite("suite.yaml", models=["claude", "ollama:qwen3"])
    print(outcome.totals, outcome.all_as_expected)

`sandloop compare -f suite.yaml` is this on the command line.
"""

from __future__ import annotations

from sandloop.suite.api import arun_suite, run_suite
from sandloop.suite.model import Expectation, Question, Suite, SuiteModel
from sandloop.suite.outcome import Outcome, QuestionOutcome, SuiteOutcome, Total, Verdict
from sandloop.suite.reading import load_suite
from sandloop.suite.run import SuiteRun

__all__ = [
    "Expectation",
    "Outcome",
    "Question",
    "QuestionOutcome",
    "Suite",
    "SuiteModel",
    "SuiteOutcome",
    "SuiteRun",
    "Total",
    "Verdict",
    "arun_suite",
    "load_suite",
    "run_suite",
]
