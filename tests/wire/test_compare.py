"""Several models at once over loopback servers: each for itself, bounded, and whatever happens nothing that was done is lost."""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from sandloop import Comparison, Limits, Settings, UsageError, acompare, compare
from sandloop.comparing.run import Comparing
from sandloop.events import Answered, Event, Failed, RunStarted, Text
from sandloop.settings import Profile
from wire.anthropic_script import Hold, Reply, python, text
from wire.anthropic_server import AnthropicServer
from wire.families import ANSWER, FAMILIES, KEY, Family

NATIVE = [family for family in FAMILIES if family.route == "native"]
QUESTION = "What is the sum of b?"
FORTY_TWO = Reply([*python("print(42)", "42\n"), text(ANSWER)])


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("KEY_OF_TEST", KEY)
    for variable in list(os.environ):
        if variable.endswith(("_API_KEY", "_AUTH_TOKEN")):
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,10\n2,32\n")
    return path


class Servers:
    """Each family's own server, and a profile of its name that points there."""

    def __init__(self, families: Sequence[Family]) -> None:
        self.families = families
        self._stack = ExitStack()
        self.of: dict[str, Any] = {family.name: self._stack.enter_context(family.server()) for family in families}

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def settings(self) -> Settings:
        profiles = {
            family.name: replace((family.settings(self.of[family.name]).models or {})["p"], route=family.route)
            for family in self.families
        }
        return Settings(models=profiles)

    def left(self) -> list[str]:
        return [held for family in self.families for held in family.left(self.of[family.name])]


@pytest.fixture
def native() -> Iterator[Servers]:
    with Servers(NATIVE) as servers:
        yield servers


def claudes(*servers: AnthropicServer) -> Settings:
    """A profile `c1`, `c2` … for each server."""
    return Settings(
        models={
            f"c{number}": Profile(provider="claude", model="test-model", base_url=server.url, key_variable="KEY_OF_TEST")
            for number, server in enumerate(servers, 1)
        }
    )


def claude(*script: Reply) -> AnthropicServer:
    return AnthropicServer(script, key=KEY, models={"test-model": True})


class Counted:
    """Events as they are told, and how many runs there were at once."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self.running = self.peak = 0

    def __call__(self, label: str, event: Event) -> None:
        self.events.append((label, event))
        self.running += isinstance(event, RunStarted) - isinstance(event, Answered | Failed)
        self.peak = max(self.peak, self.running)


async def test_models_of_every_provider_answer_side_by_side_and_leave_nothing_behind(native: Servers, csv: Path) -> None:
    for family in NATIVE:
        native.of[family.name].script += family.scenario()
    told = Counted()
    names = [family.name for family in NATIVE]
    found = await acompare(QUESTION, [csv], models=names, settings=native.settings, on_event=told)

    assert [entry.label for entry in found.entries] == names
    assert [(entry.answered, entry.error) for entry in found.entries] == [(True, "")] * len(names)
    assert {entry.result.text for entry in found.entries if entry.result is not None} == {ANSWER}
    assert [file.name for file in found.files] == ["a.csv"]
    assert all(entry.seconds > 0 for entry in found.entries)
    assert {label for label, _ in told.events} == set(names)
    assert told.peak > 1
    assert native.left() == []
    assert found.agreement.agree is True


async def test_one_that_fails_stops_no_other_and_no_key_is_in_the_record(
    native: Servers, csv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOTHER_KEY", "another-secret")
    refused, *fine = NATIVE
    native.of[refused.name].script.append(refused.refuse(401, "invalid key"))
    for family in fine:
        native.of[family.name].script += family.scenario()
    settings = native.settings
    keyless = Profile(provider="claude", key_variable="NOT_SET")
    settings = replace(settings, models={**(settings.models or {}), "keyless": keyless})
    told = Counted()
    models = [*native.of, "keyless", "clade", "replay:none.jsonl"]
    found = await acompare(QUESTION, [csv], models=models, settings=settings, on_event=told)

    errors = {entry.label: entry.error for entry in found.entries}
    assert errors == {
        refused.name: "KeyRefused",
        **{family.name: "" for family in fine},
        "keyless": "MissingKey",
        "clade": "UnknownModel",
        "replay:none.jsonl": "BadFile",
    }
    assert "Did you mean 'claude'?" in found.entry("clade").message
    failed = found.entry(refused.name)
    assert failed.result is not None
    assert isinstance(failed.result.events[-1], Failed)
    assert found.entry("keyless").result is None
    assert [label for label, event in told.events if isinstance(event, Failed)] == [*models[-3:], refused.name]
    assert KEY not in found.to_json(files=True)
    assert KEY not in repr(found)


@pytest.mark.parametrize("how", ["task", "scope"])
async def test_a_cancelled_comparison_keeps_what_is_done_and_deletes_what_was_uploaded(csv: Path, how: str) -> None:
    hold, done, half = Hold(), asyncio.Event(), asyncio.Event()
    with claude(FORTY_TWO) as quick, claude(Reply([text("Half an "), hold, text("answer.")])) as slow, claude() as last:

        def told(label: str, event: Event) -> None:
            if label == "c1" and isinstance(event, Answered):
                done.set()
            elif label == "c2" and isinstance(event, Text):
                half.set()

        comparing = Comparing(
            QUESTION, [csv], models=["c1", "c2", "c3"], settings=claudes(quick, slow, last), concurrency=2, on_event=told
        )
        last.script.append(Reply([Hold()]))
        scope = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await comparing.run()

        task = asyncio.create_task(run())
        await done.wait()
        await half.wait()
        if how == "task":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            scope.cancel()
            await task
        hold.go.set()
        left = [server.files for server in (quick, slow, last)]
    assert left == [{}, {}, {}]
    found = comparing.comparison
    assert found is not None
    assert [(entry.answered, entry.error) for entry in found.entries] == [(True, ""), (False, "Cancelled"), (False, "Cancelled")]
    assert found.entries[1].result is not None
    assert "Half an " in "".join(e.text for e in found.entries[1].result.events if isinstance(e, Text))
    assert found.agreement.agree is None
    assert "stopped" in found.agreement.verdict


@pytest.mark.parametrize(("concurrency", "peak"), [(1, 1), (2, 2), (None, 4)])
async def test_no_more_run_at_once_than_may(csv: Path, concurrency: int | None, peak: int) -> None:
    holds = [Hold() for _ in range(peak)]
    script = [*(Reply([hold, *FORTY_TWO.parts]) for hold in holds), *([FORTY_TWO] * (5 - peak))]
    told = Counted()
    with claude(*script) as server:

        def let_go() -> None:
            for hold in holds:
                assert hold.reached.wait(10)
            for hold in holds:
                hold.go.set()

        letting = asyncio.create_task(asyncio.to_thread(let_go))
        found = await acompare(
            QUESTION, [csv], models=["c1"], repeat=5, settings=claudes(server), concurrency=concurrency, on_event=told
        )
        await letting
    assert [entry.label for entry in found.entries] == [f"c1 #{number}" for number in range(1, 6)]
    assert all(entry.answered for entry in found.entries)
    assert told.peak == peak


async def test_files_are_read_once_for_all(tmp_path: Path) -> None:
    with claude(FORTY_TWO) as first, claude(FORTY_TWO) as second:
        settings = claudes(first, second)
        read_once = io.BytesIO(b"a,b\n1,42\n")
        found = await acompare(QUESTION, [("b.csv", b"x\n1\n"), read_once], models=["c1", "c2"], settings=settings)
        uploads = [server.asked("POST", "/v1/files") for server in (first, second)]
    assert [entry.error for entry in found.entries] == ["", ""]
    assert [len(requests) for requests in uploads] == [2, 2]
    names = [
        event.files for entry in found.entries if entry.result for event in entry.result.events if isinstance(event, RunStarted)
    ]
    assert names == [found.files, found.files]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question": "  "}, "question is empty"),
        ({"models": []}, "needs the names of models"),
        ({"models": ["c1", " "]}, "needs the names of models"),
        ({"models": "c1"}, "must be a list"),
        ({"repeat": 0}, "repeat is 0"),
        ({"concurrency": 0}, "concurrency is 0"),
        ({"tolerance": float("nan")}, "tolerance is nan"),
        ({"models": ["c1"] * 3, "repeat": 100}, "over 200 runs"),
        ({"files": ["none.csv"]}, "'none.csv' does not exist"),
        ({"files": "a.csv"}, "must be a list"),
        ({"route": "sideways"}, "must be auto, native or local"),
    ],
)
def test_a_wrong_call_is_refused_before_anybody_is_asked(csv: Path, change: dict[str, Any], says: str) -> None:
    with claude(FORTY_TWO) as server:
        call: dict[str, Any] = {"question": QUESTION, "files": [csv], "models": ["c1"], "settings": claudes(server)} | change
        with pytest.raises(UsageError, match=says):
            compare(**call)
        assert server.requests == []


async def test_a_limit_ends_one_run_with_what_it_has(csv: Path) -> None:
    paused = Reply([*python("print(1)", "1\n")], stop="pause_turn")
    with claude(paused, paused) as stuck, claude(FORTY_TWO) as fine:
        found = await acompare(QUESTION, [csv], models=["c1", "c2"], settings=claudes(stuck, fine), limits=Limits(turns=1))
    assert [entry.error for entry in found.entries] == ["LimitReached", ""]
    assert found.entries[0].result is not None
    assert len(found.entries[0].result.steps) == 1


async def test_the_sync_call_works_inside_a_running_loop_and_tells_events_from_its_thread(csv: Path) -> None:
    threads = set[int]()
    with claude(FORTY_TWO, FORTY_TWO) as server:
        found = compare(
            QUESTION,
            [csv],
            models=["c1", "c1"],
            settings=claudes(server),
            on_event=lambda label, event: threads.add(threading.get_ident()),
        )
    assert [entry.label for entry in found.entries] == ["c1 #1", "c1 #2"]
    assert threads
    assert threading.get_ident() not in threads


async def test_a_comparison_comes_back_from_its_json_and_from_its_folder(csv: Path, tmp_path: Path) -> None:
    family = NATIVE[0]
    with Servers([family]) as servers, claude() as failing:
        servers.of[family.name].script += family.scenario()
        settings = servers.settings
        settings = replace(settings, models={**(settings.models or {}), **(claudes(failing).models or {})})
        found = await acompare(QUESTION, [csv], models=[family.name, "c1"], settings=settings)

    again = Comparison.from_json(found.to_json(files=True))
    assert again.to_json(files=True) == found.to_json(files=True)
    folder = found.save(tmp_path / "out")
    assert folder == tmp_path / "out"
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "c1/events.jsonl",
        f"{family.name}/events.jsonl",
        f"{family.name}/made.csv",
        "comparison.json",
        "report.html",
    ]
    assert Comparison.from_json((folder / "comparison.json").read_bytes()).to_json() == found.to_json()
    assert again.save(tmp_path / "out") == tmp_path / "out" / found.id
    assert json.loads((tmp_path / "out" / found.id / "comparison.json").read_text())["id"] == found.id
