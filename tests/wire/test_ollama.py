"""Ollama's silent cut of a long conversation, over loopback."""

from __future__ import annotations

from sandloop.context import size
from sandloop.conversation import conversation
from sandloop.events import CodeRan, CodeWritten, Event, Noted, ReplyEnded, RunStarted, Usage
from sandloop_providers import catalog
from wire.chat_server import ChatServer, Scripted, say
from wire.test_chat import ASKED, opened, replied

LONG: list[Event] = [
    ASKED,
    ReplyEnded(stop="end", text="```python\nprint(x)\n```"),
    CodeWritten(code_id="c1", language="python", source="print(x)", origin="fenced"),
    CodeRan(code_id="c1", exit_code=0, stdout="a line of an old table\n" * 300),
    ReplyEnded(stop="end", text="It is long."),
    *(
        event
        for n in range(2, 9)
        for event in (
            RunStarted(id=str(n), question="And now?", model="m"),
            ReplyEnded(stop="end", text="```python\nprint(x)\n```"),
            CodeWritten(code_id=f"c{n}", language="python", source="print(x)", origin="fenced"),
            CodeRan(code_id=f"c{n}", exit_code=0, stdout=f"{n} is a line of an old table\n" * 300),
            ReplyEnded(stop="end", text="It is long."),
        )
    ),
    RunStarted(id="9", question="And at last?", model="m"),
]


def counted(tokens: int) -> Scripted:
    return say("It is 1.", usage={"prompt_tokens": tokens, "completion_tokens": 3, "total_tokens": tokens + 3})


def notes(events: list[Event]) -> list[str]:
    return [e.text for e in events if isinstance(e, Noted) and e.about == "provider"]


def sent(server: ChatServer, at: int = -1) -> int:
    return sum(len(m["content"]) for m in server.requests[at].json["messages"])


async def test_a_cut_is_told_once_a_session_with_what_to_do() -> None:
    with ChatServer([counted(4_096), counted(4_096)]) as server:
        chat = opened(server, catalog.ollama)
        first, second = await replied(chat, LONG), await replied(chat, LONG)
        await chat.close()
    (said,) = notes(first)
    assert "4,096 tokens" in said
    assert "OLLAMA_CONTEXT_LENGTH" in said
    assert notes(second) == []
    assert isinstance(first[-1], ReplyEnded)
    assert [type(e) for e in first if isinstance(e, Usage | Noted)] == [Usage, Noted]


async def test_no_other_server_is_suspected_and_none_that_counts_it_all() -> None:
    for vendor, tokens in ((catalog.vllm, 4_096), (catalog.ollama, 13_000)):
        with ChatServer([counted(tokens)]) as server:
            chat = opened(server, vendor)
            assert notes(await replied(chat, LONG)) == []
            await chat.close()


async def test_the_context_that_the_server_tells_shortens_the_conversation_and_that_is_told_once() -> None:
    with ChatServer([counted(2_000), counted(2_000)], context=4_096) as server:
        chat = opened(server, catalog.ollama)
        first, second = await replied(chat, LONG), await replied(chat, LONG)
        await chat.close()
        assert sent(server) < 4_096 * 3
        assert "characters are left out here" in str(server.requests[0].json["messages"])
        assert "And at last?" in str(server.requests[0].json["messages"])
    (said,) = notes(first)
    assert "context of 4,096 tokens" in said
    assert notes(second) == []


async def test_a_large_context_and_a_server_that_tells_none_leave_the_conversation_whole() -> None:
    whole = size(conversation(LONG))
    for context in (None, 262_144):
        with ChatServer([counted(20_000)], context=context) as server:
            chat = opened(server, catalog.ollama)
            assert notes(await replied(chat, LONG)) == []
            await chat.close()
            assert sent(server) >= whole > 40_000
