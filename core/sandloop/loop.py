"""What happens next in a run: one pure function over its history.

Routing is no branch in here. A native provider yields code and its results within one reply; another yields code, and `Run`
takes it to our sandbox. The driver that acts on these steps is `sandloop.drive`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandloop.events import CodeRan, CodeWritten, Event, FellBack, Reminded, ReplyEnded, RunStarted, Text, Usage
from sandloop.limits import Limits

CODE_FIRST = (
    "No code has run yet, so nothing supports this answer. Write the code that reads the files and prints what the question "
    "asks for. It will be run and you get its output; answer after that."
)
CUT_OFF = "Your reply was cut off at its length limit, so nothing of it was run. Write it again, shorter, the code in one piece."
EMPTY = "Your reply was empty. Write code to run, or the answer to the question in plain words."


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask the model for its next reply."""


@dataclass(frozen=True, slots=True)
class Run:
    """Run this cell in our sandbox."""

    code: CodeWritten


@dataclass(frozen=True, slots=True)
class Remind:
    """Tell the model something, then ask it again."""

    about: Literal["no_code", "cut_off", "empty"]
    text: str


@dataclass(frozen=True, slots=True)
class Finish:
    """The run has its answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Decline:
    """The model refused."""

    said: str


@dataclass(frozen=True, slots=True)
class Halt:
    """A limit of the caller is reached: the field of `Limits`, and its value."""

    limit: str
    value: float


Step: TypeAlias = Ask | Run | Remind | Finish | Decline | Halt


def next_step(history: Sequence[Event], limits: Limits, *, seconds: float = 0.0) -> Step:
    """What to do next for the last question in `history`.

    Args:
        seconds: Wall time since that question was asked.
    """
    run = this_run(history)
    wanted = _wanted(run, limits, any(isinstance(e, CodeRan) for e in history))
    if isinstance(wanted, Finish | Decline | Halt):
        return wanted
    return _limit_reached(wanted, run, limits, seconds) or wanted


def this_run(history: Sequence[Event]) -> Sequence[Event]:
    """The events since the last question."""
    start = next((i for i in range(len(history) - 1, -1, -1) if isinstance(history[i], RunStarted)), 0)
    return history[start:]


def _wanted(run: Sequence[Event], limits: Limits, code_ran_ever: bool) -> Step:
    last = next((i for i in range(len(run) - 1, -1, -1) if isinstance(run[i], ReplyEnded | Reminded)), None)
    if last is None or isinstance(run[last], Reminded):
        return Ask()
    reply, after = run[last], run[last + 1 :]
    assert isinstance(reply, ReplyEnded)  # noqa: S101 - narrows the type
    if any(isinstance(e, FellBack) for e in after):
        return Ask()
    if any(isinstance(e, CodeWritten) for e in after):
        return _next_cell(after)
    if reply.stop == "pause":
        return Ask()
    if reply.stop == "refusal":
        return Decline(reply.text)
    if reply.stop == "length":
        return _once(run, "cut_off", CUT_OFF, times=2) or Halt("reply_tokens", limits.reply_tokens)
    if reply.calls:
        return Ask()
    if not reply.text.strip():
        return _once(run, "empty", EMPTY) or Finish(_printed(run))
    has_files = any(isinstance(e, RunStarted) and e.files for e in run)
    if has_files and not code_ran_ever and (reminder := _once(run, "no_code", CODE_FIRST)):
        return reminder
    return Finish(final_text(run))


def _next_cell(after: Sequence[Event]) -> Step:
    """The first cell that has not run; none once one of them failed, since the rest was written believing it would not."""
    ran = {e.code_id: e for e in after if isinstance(e, CodeRan)}
    if any(not r.ok for r in ran.values()):
        return Ask()
    pending = next((e for e in after if isinstance(e, CodeWritten) and e.code_id not in ran), None)
    return Run(pending) if pending else Ask()


def _once(run: Sequence[Event], about: Literal["no_code", "cut_off", "empty"], text: str, times: int = 1) -> Remind | None:
    told = sum(isinstance(e, Reminded) and e.about == about for e in run)
    return Remind(about, text) if told < times else None


def _limit_reached(wanted: Step, run: Sequence[Event], limits: Limits, seconds: float) -> Halt | None:
    usages = [e for e in run if isinstance(e, Usage)]
    spent: list[tuple[str, float, float | None]] = [
        ("seconds", seconds, limits.seconds),
        ("tokens", sum(u.input_tokens + u.output_tokens for u in usages), limits.tokens),
        ("cost", sum(u.cost or 0.0 for u in usages), limits.cost),
    ]
    if isinstance(wanted, Run):
        spent.append(("same_failures", _same_failures(run, wanted.code), limits.same_failures))
        spent.append(("code_runs", sum(isinstance(e, CodeRan) for e in run), limits.code_runs))
    else:
        spent.append(("turns", sum(isinstance(e, ReplyEnded) for e in run), limits.turns))
        spent.append(("code_runs", sum(isinstance(e, CodeRan) for e in run), limits.code_runs + 1))
    return next((Halt(name, bound) for name, used, bound in spent if bound is not None and used >= bound), None)


def _same_failures(run: Sequence[Event], cell: CodeWritten) -> int:
    """How often in a row, up to now, this very source has failed."""
    sources = {e.code_id: e.source for e in run if isinstance(e, CodeWritten)}
    count = 0
    for ran in (e for e in reversed(run) if isinstance(e, CodeRan)):
        if ran.ok or sources.get(ran.code_id) != cell.source:
            break
        count += 1
    return count


def final_text(run: Sequence[Event]) -> str:
    """The answer in the last reply: on the native route, where one reply holds code as well, what was said after its last code."""
    last = max(i for i, e in enumerate(run) if isinstance(e, ReplyEnded))
    before = max((i for i, e in enumerate(run[:last]) if isinstance(e, ReplyEnded)), default=-1)
    within = run[before + 1 : last]
    native = {e.code_id for e in within if isinstance(e, CodeWritten) and e.origin == "provider"}
    ran_at = max((i for i, e in enumerate(within) if isinstance(e, CodeRan) and e.code_id in native), default=None)
    reply = run[last]
    assert isinstance(reply, ReplyEnded)  # noqa: S101 - narrows the type
    after = "" if ran_at is None else "".join(e.text for e in within[ran_at:] if isinstance(e, Text)).strip()
    return after or reply.text.strip()


def _printed(run: Sequence[Event]) -> str:
    """Said plainly when the model ran code that worked and then said nothing."""
    good = next((e for e in reversed(run) if isinstance(e, CodeRan) and e.ok and e.stdout.strip()), None)
    return f"The model gave no answer. Its code printed:\n{good.stdout.strip()}" if good else "The model gave no answer."
