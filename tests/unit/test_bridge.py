"""Async driven from sync: plain, inside a running loop, with an error, and with a caller that stops early."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio.from_thread import start_blocking_portal

from sandloop import Session
from sandloop.bridge import Background, Caller, iterate

EXAMPLES = Path(__file__).parents[2] / "examples"


class Source:
    """Counts to `stop`, and remembers whether it was cleaned up."""

    def __init__(self, stop: int, error: Exception | None = None) -> None:
        self.stop, self.error, self.cleaned = stop, error, False

    async def __call__(self) -> AsyncGenerator[int]:
        try:
            for number in range(self.stop):
                await anyio.lowlevel.checkpoint()
                yield number
            if self.error is not None:
                raise self.error
            if self.stop == 3:
                await anyio.sleep_forever()
        finally:
            self.cleaned = True


def test_items_come_in_order() -> None:
    assert list(iterate(Source(5))) == [0, 1, 2, 3, 4]


async def test_it_works_inside_a_running_loop() -> None:
    assert list(iterate(Source(2))) == [0, 1]


def test_an_error_inside_is_raised_outside() -> None:
    source = Source(2, ValueError("inside"))
    with pytest.raises(ValueError, match="inside"):
        list(iterate(source))
    assert source.cleaned


@pytest.mark.parametrize("shared", [False, True])
def test_a_caller_that_stops_early_waits_for_the_clean_up(shared: bool) -> None:
    source = Source(3)
    if shared:
        with start_blocking_portal() as portal:
            for item in iterate(source, portal):
                if item == 2:
                    break
            assert list(iterate(Source(2), portal)) == [0, 1]
    else:
        items = iterate(source)
        assert next(items) == 0
        items.close()
    assert source.cleaned


def test_async_work_can_have_something_done_in_the_thread_that_iterates() -> None:
    caller = Caller()

    async def asks() -> AsyncGenerator[object]:
        yield threading.current_thread()
        yield await caller.call(threading.current_thread)
        yield await caller.call(lambda: 42)

    elsewhere, here, answer = iterate(asks, caller=caller)
    assert here is threading.current_thread()
    assert elsewhere is not here
    assert answer == 42


def test_an_error_of_what_is_done_there_is_raised_there_and_ends_the_work() -> None:
    caller, ended = Caller(), list[str]()

    async def asks() -> AsyncGenerator[int]:
        try:
            yield 1
            await caller.call(lambda: 1 // 0)
        finally:
            ended.append("cleaned up")

    items = iterate(asks, caller=caller)
    assert next(items) == 1
    with pytest.raises(ZeroDivisionError):
        next(items)
    assert ended == ["cleaned up"]


class Owner:
    """Has something that lives in a thread, and says when that was closed."""

    def __init__(self, said: list[str]) -> None:
        async def close() -> None:
            said.append("closed")

        self.background = Background(self, close)


def test_what_lives_in_a_thread_is_closed_once_by_name_or_when_its_owner_goes() -> None:
    said: list[str] = []
    owner = Owner(said)
    owner.background.close()
    owner.background.close()
    assert said == ["closed"]

    owner = Owner(said)
    del owner
    gc.collect()
    assert said == ["closed", "closed"]


NOBODY_CLOSES = """
import os, sys
from sandloop.bridge import Background

class Owner: pass
async def close(): print("closed", flush=True)

owner = Owner()
owner.background = Background(owner, close)
if os.fork() == 0:
    sys.exit(0)
print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
"""


def test_what_nobody_closes_ends_with_its_process_and_is_no_matter_of_a_forked_child() -> None:
    done = subprocess.run([sys.executable, "-c", NOBODY_CLOSES], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\nclosed\n", "")


def test_a_session_that_may_ask_a_person_goes_when_it_is_dropped() -> None:
    session = Session(f"replay:{EXAMPLES / 'recordings/xlsx.jsonl'}", confirm=lambda cell: True)
    there = weakref.ref(session)
    del session
    gc.collect()
    assert there() is None


def test_an_interrupt_that_ends_no_wait_is_heard_soon() -> None:
    code = """
        import asyncio, signal, threading, time
        from sandloop.bridge import iterate

        def elsewhere():
            time.sleep(0.3)  # until the other one waits
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)

        async def items():
            yield 1
            threading.Thread(target=elsewhere).start()
            try:
                await asyncio.sleep(60)
            finally:
                print("cleaned up")

        signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for item in iterate(items):
                pass
        except KeyboardInterrupt:
            print("interrupted")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=20)
    assert (done.stdout, done.stderr) == ("cleaned up\ninterrupted\n", "")
