"""A container that dies between requests: once more in a new one, and never silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandloop.errors import NativeUnavailable, Overloaded
from sandloop.events import CodeRan, ReplyEnded, Retried
from sandloop_providers.anthropic_wire import STATE_GONE
from wire.anthropic_script import Failure, Reply, Scripted, StreamError, python, result, text, use
from wire.anthropic_server import AnthropicServer
from wire.anthropic_talk import Talk, only


@pytest.mark.parametrize("status", [404, 500])
async def test_a_dead_container_is_left_and_all_inputs_go_into_a_new_one(status: int, tmp_path: Path) -> None:
    script = [Reply(python("x = 1")), Reply(python("print(x)", "1\n")), Reply([text("Still here.")])]
    with AnthropicServer(script) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("One", a_csv=b"1")
            old = only(await talk.reply(), ReplyEnded)[-1].container
            server.kill_containers(status)
            talk.ask("Two", b_csv=b"2")
            events = await talk.reply()
            talk.ask("Three")
            await talk.reply()

    (retried,) = only(events, Retried)
    assert "container was gone" in retried.reason
    assert [e.stdout for e in only(events, CodeRan)] == ["1\n"]
    new = only(events, ReplyEnded)[-1].container
    assert new != old
    assert server.containers == {new: {"a.csv", "b.csv"}}
    assert len(server.asked("POST", "/v1/files")) == 2
    tried = [b for b in server.replies_asked[1:] if b.get("container") == old]
    again = next(b for b in server.replies_asked[1:] if "container" not in b)
    assert len(tried) == (1 if status == 404 else 3)
    kinds = [[b["type"] for b in m["content"]] for m in again["messages"]]
    assert kinds[0] == ["text"]
    assert kinds[-1] == ["text", "text", "container_upload", "container_upload"]
    assert again["messages"][-1]["content"][1]["text"] == STATE_GONE
    third = server.replies_asked[-1]
    assert third["container"] == new
    assert third["messages"][: len(again["messages"])] == again["messages"]


async def test_a_pending_call_is_left_out_when_its_container_died(tmp_path: Path) -> None:
    script = [
        Reply([text("Wait."), use("code_execution", {"code": "slow()"}, "srvtoolu_A")], stop="pause_turn"),
        Reply([use("code_execution", {"code": "slow()"}, "srvtoolu_B")], stop="pause_turn"),
        Reply([result("srvtoolu_B", "2\n"), text("It is 2.")]),
    ]
    with AnthropicServer(script) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Compute", a_csv=b"1")
            await talk.reply()
            server.kill_containers()
            events = await talk.reply()
            await talk.reply()

    first, tried, again, last = server.replies_asked
    assert len(only(events, Retried)) == 1
    assert tried["messages"][-1]["role"] == "assistant"
    assert again["messages"] == first["messages"]
    assert last["messages"] == [*first["messages"], {"role": "assistant", "content": [server.sent[2]]}]


async def test_a_second_death_in_one_question_ends_the_native_route(tmp_path: Path) -> None:
    script = [Reply([use("code_execution", {"code": "slow()"}, f"srvtoolu_{i}")], stop="pause_turn") for i in range(3)]
    with AnthropicServer(script) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Compute", a_csv=b"1")
            for _ in range(2):
                await talk.reply()
                server.kill_containers()
            with pytest.raises(NativeUnavailable) as caught:
                await talk.reply()

    assert "lost twice" in caught.value.said


async def test_a_death_in_a_later_question_is_mended_again(tmp_path: Path) -> None:
    with AnthropicServer([Reply(python(f"x = {i}")) for i in range(3)]) as server:
        async with Talk(server, tmp_path) as talk:
            for question in ("One", "Two", "Three"):
                server.kill_containers()
                talk.ask(question)
                await talk.reply()

    assert len(only(talk.history, Retried)) == 2


async def test_an_error_event_before_any_content_is_a_dead_container_too(tmp_path: Path) -> None:
    script = [Reply(python("x = 1")), Reply([StreamError("api_error", "Internal server error")]), Reply([text("Fine.")])]
    with AnthropicServer(script) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("One")
            await talk.reply()
            talk.ask("Two")
            events = await talk.reply()

    assert len(only(events, Retried)) == 1


async def test_once_code_has_come_nothing_is_sent_again_and_the_error_says_so(tmp_path: Path) -> None:
    script = [Reply(python("x = 1")), Reply([*python("pay()"), StreamError("api_error", "Internal server error")])]
    with AnthropicServer(script) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("One")
            await talk.reply()
            talk.ask("Two")
            with pytest.raises(Overloaded) as caught:
                await talk.reply()

    assert "1 pieces of code may have run" in caught.value.said
    assert len(server.replies_asked) == 2
    assert only(talk.history, Retried) == []


async def test_a_provider_that_is_down_is_not_called_a_dead_container(tmp_path: Path) -> None:
    script: list[Scripted] = [Reply(python("x = 1")), Failure(500, times=2)]
    with AnthropicServer(script) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("One")
            await talk.reply()
            talk.ask("Two")
            with pytest.raises(Overloaded):
                await talk.reply()

    assert len(server.replies_asked) == 3
