"""A recording becomes replies again, native or local, and differences are said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandloop import codec
from sandloop.errors import BadFile, BadReply, UsageError
from sandloop.events import Answered, CodeRan, CodeWritten, Event, Noted, ReplyEnded, RunStarted, Text
from sandloop.limits import Limits
from sandloop.ports import ModelChoice, Turn
from sandloop.store import FileStore
from sandloop_providers.replay import difference, recorded_replies, replay

LOCAL: list[Event] = [
    RunStarted(id="1", question="?", model="m"),
    Text(text="```python\nprint(1)\n```"),
    ReplyEnded(stop="end", text="```python\nprint(1)\n```"),
    CodeWritten(code_id="c1", language="python", source="print(1)", origin="fenced"),
    CodeRan(code_id="c1", exit_code=0, stdout="1\n"),
    Text(text="It is 1."),
    ReplyEnded(stop="end", text="It is 1."),
    Answered(text="It is 1."),
]
NATIVE: list[Event] = [
    RunStarted(id="1", question="?", model="m"),
    Text(text="I look."),
    CodeWritten(code_id="n1", language="bash", source="ls", origin="provider"),
    CodeRan(code_id="n1", exit_code=0, stdout="a\n"),
    Text(text="Now I count."),
    CodeWritten(code_id="n2", language="python", source="print(2)", origin="provider"),
    CodeRan(code_id="n2", exit_code=0, stdout="2\n"),
    Text(text="It is 2."),
    ReplyEnded(stop="end", text="I look.Now I count.It is 2."),
    Answered(text="It is 2."),
]


@pytest.mark.parametrize(
    ("events", "texts", "sources"),
    [
        (LOCAL, ["```python\nprint(1)\n```", "It is 1."], ["print(1)", None]),
        (NATIVE, ["I look.", "Now I count.", "It is 2."], ["ls", "print(2)", None]),
    ],
)
def test_a_recording_becomes_replies(events: list[Event], texts: list[str], sources: list[str | None]) -> None:
    replies = recorded_replies(events)
    assert [r.text for r in replies] == texts
    assert [r.cells[0].source if r.cells else None for r in replies] == sources


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        (CodeRan(code_id="c", exit_code=0, stdout="1\n"), CodeRan(code_id="c", exit_code=0, stdout="1"), None),
        (CodeRan(code_id="c", exit_code=0, stdout="1\n"), CodeRan(code_id="c", exit_code=0, stdout="2\n"), "-1"),
        (CodeRan(code_id="c", exit_code=0), CodeRan(code_id="c", exit_code=1), "exit code 1"),
        (CodeRan(code_id="c", exit_code=0), CodeRan(code_id="c", exit_code=None, stopped_by="declined"), "not allowed to run"),
        (CodeRan(code_id="c", exit_code=None, stdout="1"), CodeRan(code_id="c", exit_code=0, stdout="1"), None),
    ],
)
def test_difference(then: CodeRan, now: CodeRan, says: str | None) -> None:
    found = difference(then, now)
    assert (found is None) if says is None else (found is not None and says in found)


def written(path: Path, events: list[Event], form: str) -> Path:
    if form == "json":
        path.write_text(json.dumps({"events": [codec.to_plain(e) for e in events]}))
        return path
    file = path if form == "jsonl" else path / "events.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(codec.lines(events)))
    return path


@pytest.mark.parametrize("form", ["json", "jsonl", "folder"])
async def test_all_forms_of_a_recording_give_the_replies_and_tell_what_differs(tmp_path: Path, form: str) -> None:
    provider = replay(ModelChoice(provider="replay", model=str(written(tmp_path / "rec", LOCAL, form))))
    turn = Turn(native=False, files=(), sink=FileStore(file_bytes=1), limits=Limits())
    first = [e async for e in provider.reply((), turn)]
    assert isinstance(first[-1], ReplyEnded)
    assert json.loads(first[-1].calls[0].arguments) == {"code": "print(1)"}
    now: list[Event] = [
        CodeWritten(code_id="c9", language="python", source="print(1)", origin="tool_call"),
        CodeRan(code_id="c9", exit_code=0, stdout="7\n"),
    ]
    second = [e async for e in provider.reply(now, turn)]
    assert isinstance(second[0], Noted)
    assert "-1\n+7" in second[0].text
    with pytest.raises(BadReply, match="no more than 2"):
        _ = [e async for e in provider.reply(now, turn)]


@pytest.mark.parametrize(
    ("content", "error"), [(b"", BadFile), (b"{}", UsageError), (b"\xff\xfe", BadFile), (b"[1]\n[2]", UsageError)]
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, error: type[Exception]) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(error):
        replay(ModelChoice(provider="replay", model=str(tmp_path / "x")))


def test_a_recording_must_be_named_and_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="replay:PATH"):
        replay(ModelChoice(provider="replay"))
    with pytest.raises(BadFile, match="No such file"):
        replay(ModelChoice(provider="replay", model=str(tmp_path / "none")))


def test_a_device_or_a_too_deep_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("[" * 100_000)
    with pytest.raises(BadFile, match="not a regular file"):
        replay(ModelChoice(provider="replay", model="/dev/zero"))
    with pytest.raises(BadFile, match="no recording"):
        replay(ModelChoice(provider="replay", model=str(tmp_path / "deep")))


async def test_a_recording_that_answers_another_question_says_so_once(tmp_path: Path) -> None:
    asked: list[Event] = [RunStarted(id="1", question="Which month?", model="m"), ReplyEnded(stop="end", text="May.")]
    (tmp_path / "run").write_text("".join(codec.lines([*asked, ReplyEnded(stop="end", text="Yes.")])))
    notes: list[Event] = []
    for question in ("Which  month?", "Which year?"):
        provider = replay(ModelChoice(provider="replay", model=str(tmp_path / "run")))
        turn = Turn(native=False, files=(), sink=FileStore(file_bytes=1), limits=Limits())
        history = (RunStarted(id="2", question=question, model="m"),)
        for _ in range(2):
            notes += [e async for e in provider.reply(history, turn) if isinstance(e, Noted)]
    assert [n.text for n in notes if isinstance(n, Noted)] == ["The recording answers another question: Which month?"]


def test_a_line_separator_in_a_text_does_not_cut_a_recording(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("".join(codec.lines([ReplyEnded(stop="end", text="a\u2028b"), ReplyEnded(stop="end", text="c")])))
    replay(ModelChoice(provider="replay", model=str(tmp_path / "run")))
