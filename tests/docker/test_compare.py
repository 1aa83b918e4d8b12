"""Comparing on the local route: sandboxes side by side, models of this machine one by one, and nothing left of either."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from docker_runs import SMALL
from sandloop import Settings, acompare
from sandloop.comparing.run import Comparing
from sandloop.events import Answered, CodeWritten, Event, Failed, Output, RunStarted
from sandloop.settings import Profile
from sandloop_sandbox.engine import Engine
from wire.chat_server import ChatServer, call, say

EXAMPLES = Path(__file__).parents[2] / "examples"
REPLAY = f"replay:{EXAMPLES / 'recordings' / 'csv.jsonl'}"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)


async def gone(ours: Callable[[], set[str]]) -> bool:
    """Closing returns before the engine has finished."""
    for _ in range(100):
        if not await asyncio.to_thread(ours):
            return True
        await asyncio.sleep(0.05)
    return False


async def test_recorded_runs_agree_run_at_once_and_leave_no_container(ours: Callable[[], set[str]], tmp_path: Path) -> None:
    running, peak = 0, 0

    def told(label: str, event: Event) -> None:
        nonlocal running, peak
        running += isinstance(event, RunStarted) - isinstance(event, Answered | Failed)
        peak = max(peak, running)

    found = await acompare(
        "Which month is warmest?", [EXAMPLES / "seattle-weather.csv"], models=[REPLAY], repeat=2, limits=SMALL, on_event=told
    )
    assert [entry.error for entry in found.entries] == ["", ""]
    assert peak == 2
    assert found.agreement.agree is True, found.agreement
    (chart,) = [row for row in found.agreement.files if row.kind == "picture"]
    assert chart.same is True
    assert sorted(path.name for path in found.save(tmp_path / "out").iterdir())[0] == "comparison.json"
    assert await gone(ours)


def of_this_machine(*servers: ChatServer) -> Settings:
    return Settings(
        models={
            f"m{number}": Profile(provider="ollama", model="test-model", base_url=server.url)
            for number, server in enumerate(servers)
        }
    )


async def test_models_that_run_on_this_machine_are_asked_one_by_one() -> None:
    order: list[tuple[str, str]] = []
    with ExitStack() as stack:
        servers = [stack.enter_context(ChatServer([call("print(6 * 7)"), say("It is 42.")])) for _ in range(2)]
        found = await acompare(
            "How much is 6 * 7?",
            models=["m0", "m1"],
            settings=of_this_machine(*servers),
            limits=SMALL,
            on_event=lambda label, event: order.append((label, event.kind)),
        )
    assert [entry.error for entry in found.entries] == ["", ""]
    assert found.agreement.agree is True
    assert [one for one in order if one[1] in ("run_started", "answered")] == [
        ("m0", "run_started"),
        ("m0", "answered"),
        ("m1", "run_started"),
        ("m1", "answered"),
    ]


async def test_cancelled_in_the_middle_of_code_its_containers_go_and_what_ran_is_kept(ours: Callable[[], set[str]]) -> None:
    printed = asyncio.Event()

    def told(label: str, event: Event) -> None:
        if isinstance(event, Output):
            printed.set()

    endless = "import time\nprint('begun', flush=True)\ntime.sleep(600)"
    with ChatServer([call(endless)]) as server:
        comparing = Comparing("How long?", models=["m0", "nobody"], settings=of_this_machine(server), limits=SMALL, on_event=told)
        task = asyncio.create_task(comparing.run())
        await printed.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert comparing.comparison is not None
    entry, unknown = comparing.comparison.entries
    assert (entry.error, unknown.error) == ("Cancelled", "UnknownModel")
    assert entry.result is not None
    assert [event.source for event in entry.result.events if isinstance(event, CodeWritten)] == [endless]
    assert await gone(ours)
