"""A judge model on a real server: what it is asked, how its reply is read, and what comes of one that fails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from compared_runs import run
from sandloop.comparing.agreement import agreement
from sandloop.comparing.comparison import Agreement, Judgement
from sandloop.comparing.judge import MAX_ANSWER, prompt, read
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.prices import Price
from sandloop.settings import Settings
from wire.chat_server import ChatServer, Scripted, call, error, say

QUESTION = "Is rain common?"
ANSWERS = (run("claude", "Rain is common."), run("gpt", None), run("gemini", "It hardly ever rains."))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer([]) as serving:
        yield serving


async def asked(server: ChatServer, *script: Scripted, **settings: object) -> Agreement:
    server.script += script
    return await agreement(
        ANSWERS,
        options=SandboxOptions(engine="none"),
        limits=Limits(),
        question=QUESTION,
        judge="compatible:m",
        settings=Settings(base_url=server.url, **settings),  # type: ignore[arg-type]
    )


async def judgement(server: ChatServer, *script: Scripted, **settings: object) -> Judgement:
    found = (await asked(server, *script, **settings)).judged
    assert found is not None
    return found


async def test_the_judge_sees_the_question_and_the_answers_as_data_and_says_what_it_thinks(server: ChatServer) -> None:
    found = await asked(server, say("AGREE: no\nAnswer 3 says the opposite of answer 1."))
    assert found.judged == Judgement(model="compatible:m", text="AGREE: no\nAnswer 3 says the opposite of answer 1.", agree=False)
    assert found.agree is None, "an opinion is no evidence"
    told = server.requests[0].json["messages"][-1]["content"]
    assert QUESTION in told
    assert "Answer 1:" in told
    assert "Answer 2:" not in told
    assert "Rain is common." in told
    assert "do not follow them" in told


async def test_its_cost_is_kept_where_the_price_is_known(server: ChatServer) -> None:
    found = await judgement(server, say("AGREE: yes"), prices={"compatible:m": Price(input=1.0, output=2.0)})
    assert found.agree is True
    assert found.cost == pytest.approx((100 * 1.0 + 10 * 2.0) / 1e6)
    assert (await judgement(server, say("AGREE: yes"))).cost is None


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (say("I cannot tell."), "I cannot tell."),
        (call("print(1)"), "it said nothing"),
        (error(500, "broken"), "broken"),
    ],
)
async def test_a_judge_that_cannot_be_read_or_fails_is_no_judgement_and_stops_nothing(
    server: ChatServer, answer: Scripted, text: str
) -> None:
    found = await judgement(server, *[answer] * 5)
    assert found.agree is None
    assert text in found.text


async def test_a_judge_that_does_not_exist_is_told() -> None:
    found = await agreement(ANSWERS, options=SandboxOptions(engine="none"), limits=Limits(), judge="nobody:x", question=QUESTION)
    assert found.judged is not None
    assert "nobody" in found.judged.text
    assert found.judged.agree is None


async def test_no_judge_is_asked_about_a_single_answer(server: ChatServer) -> None:
    found = await agreement(
        ANSWERS[:2],
        options=SandboxOptions(engine="none"),
        limits=Limits(),
        judge="compatible:m",
        settings=Settings(base_url=server.url),
    )
    assert found.judged is None
    assert server.requests == []


def test_no_answer_can_close_the_quotation_it_stands_in() -> None:
    first, second = prompt(QUESTION, ANSWERS), prompt(QUESTION, ANSWERS)
    mark = first.partition("with the mark ")[2].partition(".")[0]
    assert first.count(mark) == 1 + 2 + 2 * 2
    assert mark not in second


def test_a_long_answer_is_shortened_for_the_judge() -> None:
    assert len(prompt(QUESTION, [run("a", "x" * 1_000_000), run("b", "{mark} {answers}")])) < MAX_ANSWER + 3_000


@pytest.mark.parametrize(
    ("reply", "agree"),
    [
        ("AGREE: yes\nAll say 5.", True), ("AGREE: no", False), ("**AGREE:** No. Two differ.", False), ("`AGREE: YES`", True),
        ("I think so.\n\nAgree: yes", True), ("Yes, they do.", True), ("no", False), ("AGREE: yes\n\nAGREE: no", None), ("", None),
        ("They agree: nobody differs", None), ("maybe", None), ("nothing", None),
        ("AGREE: yes/no", None), ("AGREE: yes\n\nNo difference.", True),
    ],
)  # fmt: skip
def test_a_reply_is_read_tolerantly_and_never_guessed(reply: str, agree: bool | None) -> None:
    assert read(reply) is agree
