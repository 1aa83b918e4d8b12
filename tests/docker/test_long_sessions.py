"""Ten questions over five files with long outputs stay within the context, on each route, as the server sees it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from docker_runs import SMALL
from sandloop import AsyncSession
from sandloop.context import CHARS_PER_TOKEN
from sandloop.events import CodeRan, RouteChosen
from sandloop.ports import Capabilities
from sandloop_sandbox.engine import Engine
from wire import anthropic_script as claude
from wire import chat_server as chat
from wire import gemini_server as gemini
from wire import responses_server as responses
from wire.families import FAMILIES, KEY

QUESTIONS, FILES, CONTEXT = 10, 5, 4_000
LINE = "a long line of output number {} of the question\n"
LONG = "".join(LINE.format(n) for n in range(200))
CODE = "for n in range(200): print('a long line of output number', n, 'of the question')"
AROUND = 12_000
"""Characters of rules, tools and the envelope of the messages."""


@dataclass(frozen=True, kw_only=True)
class Long:
    """One question's replies on a route."""

    family: str
    replies: Callable[[int], list[Any]]


def _claude(number: int) -> list[Any]:
    return [claude.Reply([*claude.python(CODE, LONG), claude.text(f"Answer {number}.")])]


def _openai(number: int) -> list[Any]:
    return [responses.reply(responses.cell(CODE, logs=LONG), responses.message(f"Answer {number}."))]


def _gemini(number: int) -> list[Any]:
    call = f"c{number}"
    return [gemini.reply(gemini.code(CODE, call=call), gemini.result(LONG, call=call), gemini.text(f"Answer {number}."))]


def _chat(number: int) -> list[Any]:
    return [chat.call(CODE, call_id=f"call{number:05}"), chat.say(f"Answer {number}.")]


ROUTES = [
    Long(family="claude-native", replies=_claude),
    Long(family="openai-native", replies=_openai),
    Long(family="gemini-native", replies=_gemini),
    Long(family="vllm-local", replies=_chat),
]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("KEY_OF_TEST", KEY)
    monkeypatch.chdir(tmp_path)


def asked(server: Any) -> list[str]:
    """The requests for a reply, as they came."""
    if isinstance(server, chat.ChatServer):
        return [json.dumps(r.json) for r in server.requests]
    if hasattr(server, "replies_asked"):
        return [json.dumps(body) for body in server.replies_asked]
    return [json.dumps(seen.json) for seen in server.asked]


@pytest.mark.parametrize("route", ROUTES, ids=lambda r: r.family)
async def test_ten_questions_over_five_files_stay_within_the_context(route: Long) -> None:
    family = next(f for f in FAMILIES if f.name == route.family)
    limits = replace(SMALL, context_tokens=CONTEXT)
    files = [(f"f{n}.csv", b"a,b\n1,2\n") for n in range(FILES)]
    with family.server() as server:
        async with AsyncSession(settings=family.settings(server, limits=limits)) as session:
            for number in range(QUESTIONS):
                server.script += route.replies(number)
                given = [files[number // 2]] if number % 2 == 0 else []
                assert (await session.ask(f"Question {number}?", given)).text == f"Answer {number}."
            history = list(session.history)
        requests = asked(server)

    assert len(LONG) * QUESTIONS > 5 * CONTEXT * CHARS_PER_TOKEN
    assert max(len(r) for r in requests) <= CONTEXT * CHARS_PER_TOKEN + AROUND + len(LONG)
    assert len(requests[-1]) < len(requests[3]) + CONTEXT * CHARS_PER_TOKEN
    last = requests[-1]
    assert all(f"Question {n}?" in last for n in range(QUESTIONS))
    assert all(f"Answer {n}." in last for n in range(QUESTIONS - 1))
    assert all(f"f{n}.csv" in last for n in range(FILES))
    assert "characters are left out here" in last
    ran = [e for e in history if isinstance(e, CodeRan)]
    assert [len(e.stdout) for e in ran] == [len(LONG)] * QUESTIONS


async def test_a_file_over_the_providers_limit_goes_local_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sandloop_providers.responses.FILE_BYTES", 10)
    family = replace(next(f for f in FAMILIES if f.name == "openai-native"), route="auto", parameters={"api": "responses"})
    with family.server() as server:
        server.script += [responses.reply(responses.cell("print(1)", logs="1"), responses.message("Small."))]
        server.script += [
            responses.reply(responses.function("print(len(open('big.csv').read()))")),
            responses.reply(responses.message("Large.")),
        ]
        async with AsyncSession(settings=family.settings(server, limits=SMALL)) as session:
            await session.ask("How many?", [("small.csv", b"a\n1\n")])
            second = await session.ask("And in this one?", [("big.csv", b"a\n" + b"1\n" * 10)])

    (chosen,) = [e for e in second.events if isinstance(e, RouteChosen)]
    assert (chosen.route, chosen.reason) == ("local", "big.csv is 22 bytes, and openai takes files up to 10 bytes")
    assert [s.ran.stdout for s in second.steps if s.ran] == ["22\n"]
    assert [name for name, _ in server.uploads.values()] == []
    assert not [r for r in server.requests if b"big.csv" in r.body and r.path.endswith("/files")]


async def test_capabilities_decide_it_for_every_family(monkeypatch: pytest.MonkeyPatch) -> None:
    async def small(self: object) -> Capabilities:
        return Capabilities(runs_code=True, total_bytes=10)

    for name, local in (("claude-native", "claude-local"), ("gemini-native", "gemini-local")):
        family = replace(next(f for f in FAMILIES if f.name == name), route="auto")
        scenario = next(f for f in FAMILIES if f.name == local).scenario
        with family.server() as server, monkeypatch.context() as patch:
            provider = "anthropic.Claude" if name.startswith("claude") else "gemini.Gemini"
            patch.setattr(f"sandloop_providers.{provider}.capabilities", small)
            server.script += scenario()
            async with AsyncSession(settings=family.settings(server, limits=SMALL)) as session:
                result = await session.ask("How many?", [("a.csv", b"a\n" + b"1\n" * 10)])
        assert result.route is not None
        assert (result.route.route, "the files are 22 bytes together" in result.route.reason) == ("local", True)
        assert server.files == {}
