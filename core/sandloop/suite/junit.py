"""An outcome as JUnit XML, which every CI shows: a test suite a model, a test case a question.

A failure is an expectation that was not met; an error is a run that left nothing to judge; a run that was stopped is skipped.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from sandloop.suite.kept import write_whole, writing_to
from sandloop.suite.outcome import SuiteOutcome, Verdict

SHOWN = 4_000
"""Characters of an answer."""
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(outcome: SuiteOutcome) -> JUnitXml:
    """The whole document."""
    document = JUnitXml(name=_clean(outcome.name))
    for total in outcome.totals:
        suite = TestSuite(name=_clean(total.model))
        suite.timestamp = outcome.at
        for verdict in outcome.verdicts:
            if verdict.model == total.model:
                suite.add_testcase(_case(outcome.name, verdict))
        document.add_testsuite(suite)
    counted: Any = document  # its types say nothing
    counted.update_statistics()
    return document


def _case(name: str, verdict: Verdict) -> TestCase:
    number = verdict.label.removeprefix(verdict.model).strip()
    case = TestCase(
        name=_clean(f"{verdict.question} {number}".strip()),
        classname=_clean(f"{name}.{verdict.model}"),
        time=round(verdict.seconds, 3),
    )
    match verdict.status:
        case "failed":
            sentences = [outcome.sentence for outcome in verdict.failed] or [verdict.message]
            case.result = [_told(Failure(message=_clean(sentences[0])), "\n".join([*sentences, verdict.message]))]
        case "error":
            case.result = [_told(Error(message=_clean(verdict.message), type_=_clean(verdict.error)), verdict.message)]
        case "not_run":
            case.result = [Skipped(message="stopped before it was run")]
        case "passed":
            pass
    if verdict.answer:
        case.system_out = _clean(verdict.answer[:SHOWN])
    return case


def _told(result: Failure | Error, text: str) -> Failure | Error:
    result.text = _clean(text.strip())
    return result


def _clean(text: str) -> str:
    """Without what XML can't hold: control characters, halves of pairs."""
    return _NOT_XML.sub("\ufffd", text)


def write_junit(outcome: SuiteOutcome, path: Path) -> None:
    """Write the file, making missing folders. Raises `UsageError` when it can't be written."""
    with writing_to(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        document: Any = junit(outcome)
        text = document.tostring().decode()
        if path.is_symlink() or (path.exists() and not path.is_file()):  # /dev/stdout, a pipe: never replaced
            path.write_text(text, "utf-8")
        else:
            write_whole(path, text)
