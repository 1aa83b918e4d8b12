"""Claude with our sandbox: client tools, results and pictures back, and a native conversation that goes on locally."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

from sandloop.events import CodeDelta, CodeRan, CodeWritten, FellBack, FileMade, ReplyEnded, ToolCall
from sandloop.prompts import local_instructions
from sandloop_providers.anthropic_wire import LOCAL
from wire.anthropic_script import Part, Reply, call, python, text, thinking, use
from wire.anthropic_server import AnthropicServer
from wire.anthropic_talk import Talk, only

PNG = b"\x89PNG\r\n\x1a\n"


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def ran(talk: Talk, call_id: str | None, stdout: str, *pictures: bytes) -> None:
    """What the loop and our sandbox add to the history for one cell."""
    code_id = f"c{len(only(talk.history, CodeWritten)) + 1}"
    talk.history.append(CodeWritten(code_id=code_id, language="python", source="x", origin="tool_call", call_id=call_id))
    talk.history.append(CodeRan(code_id=code_id, exit_code=0, stdout=stdout))
    for number, content in enumerate(pictures):
        talk.history.append(await talk.store.add(f"p{number}.png", _chunks(PNG + content), code_id=code_id))


async def test_tools_are_offered_nothing_is_uploaded_and_calls_are_given_to_the_loop(tmp_path: Path) -> None:
    parts: list[Part] = [thinking("Hm."), text("I look."), call("python", {"code": "print(1)\nprint(2)"}, "toolu_A")]
    with AnthropicServer([Reply(parts, stop="tool_use")]) as server:
        async with Talk(server, tmp_path, native=False) as talk:
            talk.ask("Sum?", a_csv=b"1")
            events = await talk.reply()

    (body,) = server.replies_asked
    assert body["system"] == local_instructions(tools=True)
    assert [(t["name"], t["input_schema"]["required"]) for t in body["tools"]] == [("python", ["code"]), ("bash", ["code"])]
    assert {r.path for r in server.requests} == {"/v1/messages"}
    assert "container" not in body
    assert "".join(e.text for e in only(events, CodeDelta)) == "print(1)\nprint(2)"
    assert only(events, CodeWritten) == []
    ended = only(events, ReplyEnded)[-1]
    assert (ended.stop, ended.family, ended.container) == ("end", LOCAL, None)
    assert ended.calls == (ToolCall(id="toolu_A", name="python", arguments=json.dumps({"code": "print(1)\nprint(2)"})),)


async def test_results_go_back_to_their_calls_with_the_pictures(tmp_path: Path) -> None:
    first = Reply([thinking("Hm."), call("python", {"code": "x"}, "toolu_A"), call("bash", {"code": "y"}, "toolu_B")], "tool_use")
    with AnthropicServer([first, Reply([text("It is 6.")])]) as server:
        async with Talk(server, tmp_path, native=False) as talk:
            talk.ask("Sum?")
            await talk.reply()
            await ran(talk, "toolu_A", "6\n", b"chart")
            await talk.reply()

    question, said, results = server.replies_asked[1]["messages"]
    assert said == {"role": "assistant", "content": server.sent[:3]}
    assert (question["role"], results["role"]) == ("user", "user")
    one, two = results["content"]
    assert (one["type"], one["tool_use_id"], two["tool_use_id"]) == ("tool_result", "toolu_A", "toolu_B")
    assert one["content"][0]["text"].startswith("Output:\n6")
    assert one["content"][1]["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": base64.b64encode(PNG + b"chart").decode(),
    }


async def test_only_the_newest_few_pictures_are_shown_and_none_when_switched_off(tmp_path: Path) -> None:
    def images(body: dict[str, object]) -> int:
        return json.dumps(body).count('"type": "image"')

    for show, expected in ((True, 4), (False, 0)):
        first = Reply([call("python", {"code": "x"}, f"toolu_{show}")], "tool_use")
        with AnthropicServer([first, Reply([text("Seen.")])]) as server:
            async with Talk(server, tmp_path, native=False, show_pictures=show) as talk:
                talk.ask("Charts?")
                await talk.reply()
                await ran(talk, f"toolu_{show}", "", *(bytes([i]) for i in range(6)))
                await talk.reply()
        assert images(server.replies_asked[1]) == expected


async def test_the_result_of_a_fenced_block_goes_back_as_text(tmp_path: Path) -> None:
    with AnthropicServer([Reply([text("```python\nx\n```")]), Reply([text("So.")])]) as server:
        async with Talk(server, tmp_path, native=False) as talk:
            talk.ask("Sum?")
            await talk.reply()
            await ran(talk, None, "6\n")
            await talk.reply()

    assert server.replies_asked[1]["messages"][2]["content"] == [{"type": "text", "text": "Output:\n6"}]


async def test_a_native_conversation_goes_on_locally_with_what_ran_written_out(tmp_path: Path) -> None:
    native = Reply([thinking("Hm."), text("First."), *python("print(1)", "1\n")])
    local = Reply([call("python", {"code": "x"}, "toolu_A")], "tool_use")
    paused = Reply([text("More."), use("code_execution", {"code": "slow()"}, "srvtoolu_Z")], stop="pause_turn")
    with AnthropicServer([native, paused, local, Reply([text("Done.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("One", a_csv=b"1")
            await talk.reply()
            talk.ask("Two")
            await talk.reply()
            talk.history.append(FellBack(reason="lost"))
            talk.native = False
            await talk.reply()
            await ran(talk, "toolu_A", "6\n")
            await talk.reply()

    third, fourth = server.replies_asked[2:]
    flat = json.dumps(third)
    assert "server_tool_use" not in flat
    assert "container_upload" not in flat
    assert "```python\\nprint(1)" in flat
    assert "Output:\\n1" in flat
    assert "The sandbox that ran the code so far is gone" in third["messages"][-1]["content"][-1]["text"]
    assert fourth["messages"][-1]["content"][0]["tool_use_id"] == "toolu_A"
    assert only(talk.history, FileMade) == []


async def test_a_reply_that_broke_off_is_followed_by_a_user_message(tmp_path: Path) -> None:
    with AnthropicServer([Reply([text("Done.")])]) as server:
        async with Talk(server, tmp_path, native=False) as talk:
            talk.ask("One")
            from sandloop.events import Text

            talk.history.append(Text(text="I was saying"))
            await talk.reply()

    assert [m["role"] for m in server.replies_asked[0]["messages"]] == ["user", "assistant", "user"]
