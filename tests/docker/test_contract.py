"""The contract: the same question over every provider and both routes gives the same shape, and leaves nothing behind."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docker_runs import SMALL
from sandloop import AsyncSession, analyze
from sandloop.codec import to_json
from sandloop.errors import KeyRefused, Overloaded, SandloopError, Unreachable
from sandloop.events import Answered, CodeRan, CodeWritten, Event, FileMade, ReplyEnded, RouteChosen, RunStarted, Text, Usage
from sandloop.keys import keep
from sandloop.result import Result
from sandloop_sandbox.engine import Engine
from wire import chat_server as chat
from wire.families import ANSWER, CODE, FAMILIES, KEY, MADE, Family


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("KEY_OF_TEST", KEY)
    monkeypatch.setattr("sandloop_providers.plain_http.RETRIES", 0)
    for variable in list(os.environ):
        if variable.endswith(("_API_KEY", "_AUTH_TOKEN")):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,10\n2,32\n")
    return path


@pytest.fixture(params=FAMILIES, ids=lambda f: f.name)
def family(request: pytest.FixtureRequest) -> Family:
    found: Family = request.param
    return found


@pytest.fixture
def server(family: Family) -> Iterator[Any]:
    with family.server() as one:
        yield one


def kinds(events: tuple[Event, ...]) -> list[str]:
    """The order of what happened, a stream of pieces as one."""
    order = [
        e.kind for e in events if e.kind not in ("code_delta", "thinking", "noted", "sandbox_opened", "files_previewed", "output")
    ]
    return [kind for i, kind in enumerate(order) if i == 0 or order[i - 1] != kind]


def test_the_same_question_has_the_same_shape(family: Family, server: Any, csv: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.script += family.scenario()
    result = analyze("What is the sum of b?", [csv], settings=family.settings(server, limits=SMALL))

    assert result.text == ANSWER
    (step,) = result.steps
    assert step.ran is not None
    assert (step.code.source.strip(), step.code.language, step.ran.stdout.strip()) == (CODE, "python", "42")
    assert step.ran.ok
    assert step.ran.exit_code in (0, None)
    assert {f.name: f.bytes() for f in result.files} == ({"made.csv": MADE} if family.makes_file else {})
    assert all(f.code_id == step.code.code_id for f in result.events if isinstance(f, FileMade))
    assert result.route is not None
    assert (result.route.route, result.route.provider) == (
        family.route,
        "anthropic" if family.provider == "claude" else family.provider,
    )
    _check_order(result)
    assert result.usage.input_tokens > 0
    assert result.cost is None or result.cost > 0
    assert family.left(server) == []
    told = "".join(to_json(e) for e in result.events) + caplog.text + result.to_json()
    assert KEY not in told
    assert Result.from_json(result.to_json(files=True)).text == ANSWER


def _check_order(result: Result) -> None:
    events = result.events
    order = kinds(events)
    assert order[:2] == ["run_started", "route_chosen"]
    assert order[-1] == "answered"
    first = {kind: next(i for i, e in enumerate(events) if isinstance(e, kind)) for kind in (RunStarted, RouteChosen, Text)}
    assert first[RunStarted] < first[RouteChosen] < first[Text]
    written, ran = (next(i for i, e in enumerate(events) if isinstance(e, kind)) for kind in (CodeWritten, CodeRan))
    assert written < ran
    assert isinstance(events[-1], Answered)
    replies = [i for i, e in enumerate(events) if isinstance(e, ReplyEnded)]
    usages = [i for i, e in enumerate(events) if isinstance(e, Usage)]
    assert len(replies) == len(usages)
    assert all(usage < reply for usage, reply in zip(usages, replies, strict=True))


FAULTS: list[tuple[int, str, type[SandloopError]]] = [
    (401, "invalid key", KeyRefused),
    (403, "not allowed", KeyRefused),
    (503, "unavailable", Overloaded),
]


@pytest.mark.parametrize(("status", "message", "error"), FAULTS)
def test_a_refused_request_has_the_same_class_everywhere(
    family: Family, server: Any, csv: Path, status: int, message: str, error: type[SandloopError]
) -> None:
    server.script.append(family.refuse(status, f"{message} {KEY}"))
    with pytest.raises(error) as raised:
        analyze("What is the sum of b?", [csv], settings=family.settings(server, limits=SMALL))

    assert KEY not in str(raised.value)
    assert raised.value.result is not None
    assert raised.value.result.events[-1].kind == "failed"
    assert family.left(server) == []


def test_a_reply_that_breaks_off_is_unreachable_and_keeps_what_it_said(family: Family, server: Any, csv: Path) -> None:
    server.script.append(family.cut())
    with pytest.raises(Unreachable) as raised:
        analyze("What is the sum of b?", [csv], settings=family.settings(server, limits=SMALL))

    result = raised.value.result
    assert result is not None
    assert "half" in "".join(e.text for e in result.events if isinstance(e, Text))


async def test_a_run_left_in_mid_stream_leaves_nothing(family: Family, server: Any, csv: Path) -> None:
    server.script += family.scenario()
    async with AsyncSession(settings=family.settings(server, limits=SMALL)) as session:
        async for event in session.stream("What is the sum of b?", [csv]):
            if isinstance(event, Text):
                break
    assert family.left(server) == []


def test_nothing_listens_is_unreachable(family: Family, csv: Path) -> None:
    class Nowhere:
        url = "http://127.0.0.1:9/v1"

    with pytest.raises(Unreachable, match="can't be reached") as raised:
        analyze("What is the sum of b?", [csv], settings=family.settings(Nowhere(), limits=SMALL))
    assert json.loads(raised.value.result.to_json())["answered"] is False if raised.value.result else False


KEPT_KEYS = [family for family in FAMILIES if family.name in ("claude-native", "claude-local", "openai-native", "deepseek-local")]


@pytest.mark.parametrize("family", KEPT_KEYS, ids=lambda f: f.name)
def test_a_kept_key_reaches_its_provider_and_is_nowhere_else(
    family: Family, server: Any, csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.delenv("KEY_OF_TEST")
    monkeypatch.setenv("SANDLOOP_KEYS", str(tmp_path / "own/keys.json"))
    monkeypatch.setenv("SANDLOOP_RUNS", str(tmp_path / "runs"))
    keep("KEY_OF_TEST", KEY, os.environ)
    server.script += family.scenario()
    result = analyze("What is the sum of b?", [csv], settings=family.settings(server, limits=SMALL))
    server.script.append(family.refuse(401, f"invalid key {KEY}"))
    with pytest.raises(KeyRefused) as raised:
        analyze("What is the sum of b?", [csv], settings=family.settings(server, limits=SMALL))

    assert result.text == ANSWER
    told = "".join(to_json(e) for e in result.events) + caplog.text + result.to_json() + str(raised.value)
    assert KEY not in told
    kept = [path for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert kept
    assert all(KEY.encode() not in path.read_bytes() for path in kept)


def test_a_kept_key_is_not_in_the_container(csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code looks for it in its environment, in those of all processes it can see, and in every file it can read."""
    family = next(family for family in KEPT_KEYS if family.name == "deepseek-local")
    monkeypatch.delenv("KEY_OF_TEST")
    monkeypatch.setenv("SANDLOOP_KEYS", str(tmp_path / "own/keys.json"))
    keep("KEY_OF_TEST", KEY, os.environ)
    look = (
        "import os, subprocess\n"
        f"word = {KEY[::-1]!r}[::-1]\n"
        "seen = [str(dict(os.environ))]\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "    for name in ('environ', 'cmdline'):\n"
        "        try: seen.append(open(f'/proc/{pid}/{name}', errors='replace').read())\n"
        "        except OSError: pass\n"
        "open('/tmp/planted', 'w').write(word)\n"
        "files = subprocess.run(['grep', '-rlsF', word, '/tmp', '/root', '/home', '/etc', '/run', '/workspace', '/input'],\n"
        "                       capture_output=True, text=True).stdout\n"
        "print(*(any(one in text for text in seen) for one in (word, 'PATH=')), files)"
    )
    with family.server() as server:
        server.script += [chat.call(look, text="I look."), chat.say("It is not there.")]
        result = analyze("Is a key there?", [csv], settings=family.settings(server, limits=SMALL))
    (step,) = result.steps
    assert step.ran is not None
    assert step.ran.stdout.split() == ["False", "True", "/tmp/planted"], "only what this code wrote itself"
