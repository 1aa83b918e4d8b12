"""Whether a run met what is expected of it: from its result alone, so that a kept one is judged as one that was just made."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import LocalFile
from sandloop.result import Result
from sandloop.suite.matching import search
from sandloop.suite.model import Expectation, Question
from sandloop.suite.numbers import stated
from sandloop.suite.outcome import Outcome
from sandloop.suite.plain import judge_plain, outcome
from sandloop.suite.sandboxed import Told, evaluate


async def judge(
    question: Question,
    result: Result,
    seconds: float,
    inputs: Sequence[LocalFile],
    *,
    options: SandboxOptions,
    limits: Limits,
) -> tuple[Outcome, ...]:
    """Each expectation, in its order. Only `python` opens a sandbox. Raises `SandboxError`."""
    names = [file.name for file in result.files]
    answer = result.text if result.answered else ""
    plain = await asyncio.to_thread(lambda: [judge_plain(expectation, answer, names, search) for expectation in question.expected])
    code = [e for e in question.expected if e.kind == "python"]
    told: list[Told] = []
    if code:
        facts = _facts(question, result, answer, seconds)
        told = await evaluate([e.of[0] for e in code], result, facts, inputs, options=options, limits=limits)
    by_code = iter(told)
    return tuple(one or _told(e, next(by_code)) for e, one in zip(question.expected, plain, strict=True))


def _facts(question: Question, result: Result, answer: str, seconds: float) -> dict[str, Any]:
    usage = result.usage
    return {
        "numbers": [number.readings[0] for number in stated(answer)],
        "variables": dict(question.variables),
        "seconds": seconds,
        "tokens": usage.input_tokens + usage.output_tokens,
        "cost": result.cost,
    }


def _told(expectation: Expectation, told: Told) -> Outcome:
    return outcome(expectation, passed=told.true, found=told.problem or told.found)
