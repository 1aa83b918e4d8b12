"""What comes out of a sandbox is hostile: whatever the other end of the line sends, or does not take, the host ends it cleanly.

Nothing is unpacked on the host: no archive crosses the line, whose part listing and data frames play. Each operation gets arbitrary
bytes, well-formed frames that lie, floods, drips and silence; it may return something well-formed, or raise `SandboxLost`,
`BadFile` or `Unsafe`, within its time and a bounded memory.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import select
import socket
import threading
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Generator
from dataclasses import asdict, replace
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile_wire import LIMITS, Cage, Peer, Supervisor, file_at, says, says_for_ever, session_with
from sandloop.errors import BadFile, SandboxLost, Unsafe
from sandloop.events import CodeRan
from sandloop.options import DEFAULT_OPTIONS
from sandloop.ports import Listing
from sandloop_image import frames
from sandloop_image.frames import frame, record
from sandloop_sandbox import line, operations
from sandloop_sandbox.container import answer
from sandloop_sandbox.policy import Host, Identity, check_facts
from sandloop_sandbox.session import LineSession

Operation = Callable[[LineSession, Cage], Awaitable[object]]
SECONDS = 0.3
CORPUS = Path(__file__).parent.parent / "fuzz_corpus"
BIG = Path(__file__)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line, "SEND_SECONDS", SECONDS)
    for name in ("ANSWER_SECONDS", "PREVIEW_SECONDS", "LATE_SECONDS"):
        monkeypatch.setattr(operations, name, SECONDS)


async def run(session: LineSession, cage: Cage) -> CodeRan:
    heard: list[str] = []
    ran = await session.run("c", "1", "python", lambda _, text: heard.append(text))
    assert sum(map(len, heard)) <= 2 * LIMITS.output_kept + 100
    assert ran.exit_code in range(256)
    assert ran.seconds is not None
    assert math.isfinite(ran.seconds)
    json.dumps(asdict(ran), allow_nan=False)
    return ran


async def put(session: LineSession, cage: Cage) -> None:
    await session.put([file_at(BIG)])


async def list_(session: LineSession, cage: Cage) -> Listing:
    listing = await session.files()
    assert all(file.size >= 0 and file.name for file in listing.files)
    return listing


async def get(session: LineSession, cage: Cage) -> int:
    size = 0
    async for piece in session.get("made"):
        size += len(piece)
    assert size <= LIMITS.file_bytes
    return size


async def preview(session: LineSession, cage: Cage) -> str:
    text = await session.preview("in")
    assert len(text) <= operations.MAX_PREVIEW
    return text


async def ready(session: LineSession, cage: Cage) -> None:
    def check() -> None:
        facts = answer(cage.line, *cage.line.read(time.monotonic() + SECONDS))
        identity = Identity(session="s", uid=100_000, labels={})
        check_facts(facts or {}, cage.limits, Host(cpus=2, memory=1 << 32), identity, DEFAULT_OPTIONS)

    await anyio.to_thread.run_sync(check)


OPERATIONS: dict[str, Operation] = {"run": run, "put": put, "list": list_, "get": get, "preview": preview, "ready": ready}
every_operation = pytest.mark.parametrize("name", OPERATIONS)


async def outcome(name: str, peer: Peer, *, multiplexed: bool = False) -> str:
    """What came of an operation on a line to that peer: `well`, or the error's name. Anything else fails the test."""
    with anyio.fail_after(10):
        async with session_with(peer, multiplexed=multiplexed) as (session, cage):
            came = await what_came(OPERATIONS[name](session, cage))
            assert len(str(came)) < 3_000
            assert cage.ended or not isinstance(came, SandboxLost) or name == "ready"
            return type(came).__name__ if came else "well"


async def what_came(work: Awaitable[object]) -> SandboxLost | BadFile | Unsafe | None:
    try:
        await work
    except (SandboxLost, BadFile, Unsafe) as error:
        return error
    return None


NUMBERS = [
    "0",
    "1",
    "-1",
    "१",
    "²",
    "1_0",
    " 1",
    "1.5",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "9" * 5_000,
    "9" * 18,
    "",
    "x",
    "256",
    "0x1",
]
WORDS = st.sampled_from(["itself", "time", "kept", "lost", "", "refused", "../x", "a\nb\x1b[2J\u202e", "x" * 10_000, *NUMBERS])
NAMES = [
    "op",
    "n",
    "exit",
    "stopped",
    "state",
    "seconds",
    "out",
    "err",
    "name",
    "value",
    "trace",
    "refused",
    "size",
    "text",
    "oom",
    "uids",
]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A record as an answer has it, with some fields another, missing or unknown."""
    well = {
        "op": draw(st.sampled_from(OPS)),
        "n": "1",
        "exit": "0",
        "stopped": "itself",
        "state": "kept",
        "seconds": "0.1",
        "oom": "",
    }
    well |= {"out": "0", "err": "0", "name": "", "value": "", "trace": "", "refused": "", "size": "0", "text": "t"}
    changed = well | draw(st.dictionaries(st.sampled_from(NAMES), WORDS, max_size=3))
    for gone in draw(st.sets(st.sampled_from(NAMES), max_size=1)):
        changed.pop(gone, None)
    return record(changed)


OPS = ["run", "put", "list", "get", "preview", "ready"]
LISTED = st.lists(st.one_of(WORDS, st.text(max_size=10)), max_size=9).map(lambda texts: "\0".join(texts).encode("utf-8", "replace"))
PAYLOADS = st.one_of(answers(), LISTED, st.binary(max_size=300), st.just(b""))
KINDS = st.sampled_from([bytes([kind]) for kind in frames.FROM_SUPERVISOR])
LIES = st.lists(st.tuples(KINDS, PAYLOADS), max_size=8).map(lambda sent: b"".join(frame(*one) for one in sent))
fuzzed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@every_operation
@fuzzed
@given(data=st.one_of(st.binary(max_size=500), LIES), multiplexed=st.booleans())
def test_any_bytes_and_any_frames_are_an_answer_or_the_end_of_the_sandbox(name: str, data: bytes, multiplexed: bool) -> None:
    anyio.run(lambda: outcome(name, says(data), multiplexed=multiplexed))


@every_operation
@fuzzed
@given(changed=answers(), before=LIES)
def test_a_lying_answer_to_the_right_question_is_checked_field_by_field(name: str, changed: bytes, before: bytes) -> None:
    fields = frames.parse_record(changed) | {"op": name, "n": "1"}
    opening = frame(frames.FILES) + frame(frames.SKIPPED) if name == "list" else b""
    anyio.run(lambda: outcome(name, says(before + frame(frames.ANSWER, record(fields)))))
    anyio.run(lambda: outcome(name, says(opening + frame(frames.ANSWER, record(fields)))))


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
@every_operation
async def test_the_corpus_is_no_answer(name: str, path: Path) -> None:
    assert await outcome(name, says(path.read_bytes())) in ("SandboxLost", "Unsafe")


WELL: dict[str, str | int | float] = {
    **{"op": "run", "n": 1, "exit": 0, "stopped": "itself", "state": "kept", "seconds": 0.1, "out": 0, "err": 0},
    **{"name": "", "value": "", "trace": "", "oom": ""},
}


def ran(**changed: object) -> bytes:
    return frame(frames.ANSWER, record({key: str(value) for key, value in {**WELL, **changed}.items()}))


async def test_the_answer_that_the_lies_start_from_is_well() -> None:
    assert await outcome("run", says(ran())) == "well"


@pytest.mark.parametrize(
    "sent",
    [
        *(ran(**{key: value}) for key in ("exit", "out", "err") for value in NUMBERS if value not in ("0", "1", "256", "9" * 18)),
        *(ran(seconds=value) for value in ("nan", "inf", "-1", "1e999", "", "x")),
        ran(exit=256),
        ran(n=2),
        ran(n="१"),
        ran(op="get"),
        ran(stopped="boredom"),
        ran(state="x" * 1_000_000),
        frame(frames.STDOUT, b"x") + ran(out=0),  # more than it counted
        frame(frames.STDOUT, bytes(100_001)) + ran(out=100_001),  # more than was asked for
        frame(frames.DATA, b"x") + ran(),
        frame(frames.FILES) + ran(),
        frame(frames.ANSWER, b"\0" * 1_000_000),
        frame(frames.ANSWER, b"\xff" * 1_000),
        frame(frames.ANSWER),
        frame(frames.ANSWER, record(WELL)[:-8]),
        b"Z\0\0\0\0",
        b"O\xff\xff\xff\xff",
    ],
    ids=lambda sent: f"{len(sent)}-{sent[-40:]!r}",
)
async def test_a_result_that_cant_be_ends_the_sandbox(sent: bytes) -> None:
    assert await outcome("run", says(sent)) == "SandboxLost"


LISTED_WELL = frame(frames.FILES, b"a\x001\0v") + frame(frames.SKIPPED)
LIST_ENDS = frame(frames.ANSWER, record({"op": "list", "n": 1}))


def listed(*texts: str) -> bytes:
    return frame(frames.FILES, "\0".join(texts).encode()) + frame(frames.SKIPPED) + LIST_ENDS


@pytest.mark.parametrize(
    "sent",
    [
        listed("a", "-1", "v"),
        listed("a", "१", "v"),
        listed("a", "9" * 30, "v"),
        listed("a", "1"),
        listed("", "1", "v"),
        listed("n" * 1_001, "1", "v"),
        listed("a", "1", "v", "a", "2", "w"),
        frame(frames.FILES, b"\0" * 1_000_000) + frame(frames.SKIPPED) + LIST_ENDS,  # a million names
        frame(frames.FILES, b"\xff") + frame(frames.SKIPPED) + LIST_ENDS,
        frame(frames.SKIPPED) + frame(frames.FILES) + LIST_ENDS,
        frame(frames.FILES) + frame(frames.SKIPPED, b"only a name") + LIST_ENDS,
        frame(frames.FILES) + LISTED_WELL + LIST_ENDS,
        LISTED_WELL,
        LIST_ENDS,
    ],
    ids=lambda sent: f"{len(sent)}-{sent[:30]!r}",
)
async def test_a_listing_that_cant_be_ends_the_sandbox(sent: bytes) -> None:
    assert await outcome("list", says(LISTED_WELL + LIST_ENDS)) == "well"
    assert await outcome("list", says(sent)) == "SandboxLost"


GOT = frame(frames.ANSWER, record({"op": "get", "n": 1, "refused": ""}))
MIB = frame(frames.DATA, bytes(1 << 20))


async def test_a_file_is_no_longer_than_was_asked_for() -> None:
    assert await outcome("get", says(2 * MIB + GOT)) == "well"
    assert await outcome("get", says(3 * MIB + GOT)) == "SandboxLost"
    assert await outcome("get", says(MIB)) == "SandboxLost"
    assert await outcome("get", says(frame(frames.DATA) + GOT)) == "SandboxLost"


async def test_what_a_supervisor_says_of_a_refusal_is_cut() -> None:
    for name in ("get", "put"):
        refused = frame(frames.ANSWER, record({"op": name, "n": 1, "refused": "x" * 1_000_000}))
        assert await outcome(name, says(refused)) == "BadFile"


ENDLESS = {
    "nothing": (b"", 0.05),
    "a drip of a header": (b"A", 0.02),
    "a drip of a frame": (b"A\0\x0f\xff\xff" + b"x", 0.02),
    "empty output": (frame(frames.STDOUT) * 1_000, 0.0),
    "output a byte at a time": (frame(frames.STDOUT, b"x") * 1_000, 0.0),
    "empty pieces of a file": (frame(frames.DATA) * 1_000, 0.0),
    "a byte of a file at a time": (frame(frames.DATA, b"x"), 0.01),
    "a file": (MIB, 0.0),
    "names": (frame(frames.FILES, b"a\x001\0v"), 0.0),
    "left out": (frame(frames.SKIPPED, b"a\0why"), 0.0),
    "tails": (frame(frames.STDOUT_TAIL, b"x"), 0.0),
    "large answers": (frame(frames.ANSWER, bytes(1 << 20)), 0.0),
    "answers to the next question": (frame(frames.ANSWER, record({"op": "run", "n": 2})), 0.0),
    "kilobytes of nothing known": (bytes(1_000), 0.0),
}


@pytest.mark.parametrize("what", ENDLESS)
@every_operation
async def test_a_peer_that_goes_on_for_ever_is_given_up_in_time_and_does_not_grow_us(name: str, what: str) -> None:
    data, pause = ENDLESS[what]
    with measured() as grown:
        began = time.monotonic()
        assert await outcome(name, says_for_ever(data, pause=pause)) in ("SandboxLost", "Unsafe")
    assert time.monotonic() - began < 5
    assert grown() < 16_000_000


@pytest.mark.parametrize("header", [b"\2\0\0\0\0\0\1\0", b"\2\0\0\0\0\0\0\0", b"\1\0\0\0\0\0\0\0"])
@every_operation
async def test_endless_complaints_and_empty_pieces_on_the_engines_stream_are_given_up_too(name: str, header: bytes) -> None:
    data = (header + b"e" * int.from_bytes(header[4:], "big")) * 100
    with measured() as grown:
        assert await outcome(name, says_for_ever(data), multiplexed=True) == "SandboxLost"
    assert grown() < 16_000_000


@contextlib.contextmanager
def measured() -> Generator[Callable[[], int]]:
    """The most memory that was held meanwhile, beyond what there was at first."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    grown = 0
    try:
        yield lambda: grown
    finally:
        grown = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()


@pytest.mark.parametrize("bytes_at_a_time", [0, 1])
async def test_a_peer_that_does_not_take_what_we_send_is_given_up(bytes_at_a_time: int, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(5_000_000)

    def peer(theirs: socket.socket) -> None:
        hung_up = select.poll()
        hung_up.register(theirs, 0)
        while not hung_up.poll(20):
            if bytes_at_a_time:
                theirs.recv(bytes_at_a_time)

    with anyio.fail_after(10):
        async with session_with(peer) as (session, cage):
            with pytest.raises(SandboxLost, match="did not take"):
                await session.put([file_at(path)])
            assert cage.ended


async def test_live_output_comes_in_a_bounded_number_of_pieces() -> None:
    """An honest supervisor gathers: one that sends each byte by itself would make as many events."""
    calls: list[str] = []
    async with session_with(says_for_ever(frame(frames.STDOUT, b"x") * 1_000)) as (session, _):
        with pytest.raises(SandboxLost, match="too many pieces"):
            await session.run("c", "1", "python", lambda _, text: calls.append(text))
    assert len(calls) < 1_000


async def test_a_file_that_cant_be_read_to_its_end_is_a_bad_file_and_the_session_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "shorter"
    path.write_bytes(b"x" * 10)
    kinds = b""

    def peer(theirs: socket.socket) -> None:
        nonlocal kinds
        supervisor = Supervisor(theirs)
        kinds = b"".join(supervisor.next()[0] for _ in range(3))
        supervisor.send(frames.ANSWER, record({"op": "put", "n": 1, "refused": "was given up"}))
        supervisor.next()
        supervisor.send(frames.ANSWER, record({"op": "preview", "n": 2, "text": "still here", "stopped": "itself", "exit": 0}))
        supervisor.next()

    async with session_with(peer) as (session, cage):
        with pytest.raises(BadFile, match="shorter"):
            await session.put([file_at(path, size=1_000)])
        assert not cage.ended
        assert await session.preview("x") == "still here"
    assert kinds == frames.COMMAND + frames.DATA + frames.GIVEN_UP


@pytest.mark.parametrize("what", ["gone", "pipe", "folder"])
async def test_what_has_become_no_regular_file_is_a_bad_file_before_anything_is_sent(tmp_path: Path, what: str) -> None:
    path = tmp_path / what
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    async with session_with(says(b"")) as (session, cage):
        with anyio.fail_after(5), pytest.raises(BadFile):
            await session.put([file_at(path)])
        assert not cage.ended


async def test_a_name_that_no_frame_holds_is_a_bad_file() -> None:
    async with session_with(says(b"")) as (session, cage):
        for name in ("n" * 1_001, "n" * 2_000_000):
            with pytest.raises(BadFile, match="more than 1000 bytes"):
                await session.preview(name)
            with pytest.raises(BadFile, match="more than 1000 bytes"):
                await anext(session.get(name))
        assert not cage.ended


async def test_many_more_cells_run_at_once_than_threads_that_everybody_shares() -> None:
    """Each answers only when all have been asked."""
    many = 100
    all_asked = threading.Barrier(many)

    def peer(theirs: socket.socket) -> None:
        supervisor = Supervisor(theirs)
        for _ in range(3):
            supervisor.next()
        all_asked.wait(30)
        theirs.sendall(ran())
        theirs.recv(1)

    async def one() -> None:
        async with session_with(peer, limits=replace(LIMITS, step_seconds=60)) as (session, cage):
            done.append(await run(session, cage))

    done: list[CodeRan] = []
    with anyio.fail_after(40):
        async with anyio.create_task_group() as tasks:
            for _ in range(many):
                tasks.start_soon(one)
    assert len(done) == many
