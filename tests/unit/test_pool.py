"""The pool's own promises, on containers that only the test moves: each given once, the dead never, nothing raised, all ended."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop_sandbox import stock
from sandloop_sandbox.container import Container
from sandloop_sandbox.pool import Pool
from sandloop_sandbox.request import Request

USUAL = Request.of(Limits(), SandboxOptions())
OTHER = Request.of(Limits(memory=10**8), SandboxOptions())


class Dummy:
    """Alive from its start until somebody ends it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.alive, self.ended, self.let_gone = False, 0, False

    def is_ready(self) -> bool:
        return self.alive

    def end(self) -> None:
        self.alive, self.ended = False, self.ended + 1

    def see_it_settled(self) -> None:
        """Nothing to settle."""

    def let_go(self) -> None:
        self.let_gone = True


class Maker:
    """Makes them, and remembers all."""

    def __init__(self) -> None:
        self.made: list[Dummy] = []
        self.images: list[str] = []
        self.fail = 0
        self.hold = threading.Event()
        self.hold.set()
        self.begun = threading.Event()

    def make(self, request: Request) -> Container:
        self.made.append(Dummy(request))
        return cast("Container", self.made[-1])

    def start(self, request: Request, container: Container, image: str) -> None:
        self.begun.set()
        self.hold.wait(10)
        self.images.append(image)
        if self.fail:
            self.fail -= 1
            raise RuntimeError("the engine is away")
        cast("Dummy", container).alive = True


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> Maker:
    monkeypatch.setattr(stock, "QUIET", 0.0)
    monkeypatch.setattr(stock, "FIRST_PAUSE", 0.01)
    return Maker()


@pytest.fixture
def pool(maker: Maker) -> Iterator[Pool]:
    made = Pool(maker.make, maker.start)
    yield made
    maker.hold.set()
    made.close()
    until(lambda: "sandloop-pool" not in {thread.name for thread in threading.enumerate()})


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.002)


def test_nothing_is_made_before_it_is_asked_for(pool: Pool, maker: Maker) -> None:
    assert pool.take(USUAL) is None
    assert not maker.made
    assert not pool.has_seen(USUAL)
    assert pool.has_seen(USUAL)


def test_as_many_as_wanted_are_made_and_replaced_when_taken(pool: Pool, maker: Maker) -> None:
    pool.keep(USUAL, "image", 3)
    until(lambda: pool.ready() == 3)
    taken = pool.take(USUAL)

    assert taken is cast("Container", maker.made[0]), "the oldest first"
    until(lambda: pool.ready() == 3)
    assert len(maker.made) == 4
    assert not maker.made[0].ended


def test_a_request_gets_its_own_kind_only(pool: Pool) -> None:
    pool.keep(USUAL, "image", 1)
    until(lambda: pool.ready() == 1)

    assert pool.take(OTHER) is None
    assert pool.take(USUAL) is not None


def test_one_that_died_meanwhile_is_not_given_out_but_ended_and_replaced(pool: Pool, maker: Maker) -> None:
    pool.keep(USUAL, "image", 2)
    until(lambda: pool.ready() == 2)
    maker.made[0].alive = False

    assert pool.take(USUAL) is cast("Container", maker.made[1])
    assert maker.made[0].ended == 1
    until(lambda: pool.ready() == 2)


def test_a_smaller_size_ends_the_rest_and_a_new_image_is_used(pool: Pool, maker: Maker) -> None:
    pool.keep(USUAL, "image", 3)
    until(lambda: pool.ready() == 3)
    pool.keep(USUAL, "newer", 1)
    until(lambda: pool.ready() == 1)

    assert sum(one.ended for one in maker.made) == 2
    pool.take(USUAL)
    until(lambda: pool.ready() == 1)
    assert maker.images[-1] == "newer"


def test_many_threads_never_get_the_same_one(pool: Pool, maker: Maker) -> None:
    pool.keep(USUAL, "image", 8)
    taken: list[Container] = []

    def work() -> None:
        for _ in range(200):
            if (one := pool.take(USUAL)) is not None:
                taken.append(one)
            time.sleep(0)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: pool.ready() == 8)

    assert taken
    assert len({id(one) for one in taken}) == len(taken)
    assert not any(one.ended for one in maker.made)


def test_a_start_that_fails_is_logged_tried_again_and_never_raised(
    pool: Pool, maker: Maker, caplog: pytest.LogCaptureFixture
) -> None:
    maker.fail = 3
    with caplog.at_level("WARNING", "sandloop.sandbox"):
        pool.keep(USUAL, "image", 1)
        until(lambda: pool.ready() == 1)

    assert len(maker.made) == 4
    assert [one.ended for one in maker.made] == [1, 1, 1, 0]
    assert caplog.text.count("the engine is away") == 3


def test_the_old_are_ended_and_then_it_has_no_thread_left(pool: Pool, maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock, "AGE", 0.2)
    pool.keep(USUAL, "image", 2)
    until(lambda: pool.ready() == 2)
    until(lambda: pool.ready() == 0)

    until(lambda: all(one.ended for one in maker.made))
    until(lambda: "sandloop-pool" not in {thread.name for thread in threading.enumerate()})
    pool.keep(USUAL, "image", 1)
    until(lambda: pool.ready() == 1)


def test_it_waits_while_sessions_start_without_it(pool: Pool, maker: Maker) -> None:
    with pool.opening(), pool.opening():
        pool.keep(USUAL, "image", 1)
        assert not maker.begun.wait(0.2)
    until(lambda: pool.ready() == 1)


def test_closing_ends_all_even_the_one_that_is_starting_and_makes_no_more(pool: Pool, maker: Maker) -> None:
    pool.keep(USUAL, "image", 2)
    until(lambda: pool.ready() == 2)
    maker.hold.clear()
    maker.begun.clear()
    pool.keep(USUAL, "image", 3)
    assert maker.begun.wait(10)
    pool.close()

    assert all(one.ended for one in maker.made)
    maker.hold.set()
    until(lambda: "sandloop-pool" not in {thread.name for thread in threading.enumerate()})
    assert not any(one.alive and not one.ended for one in maker.made)
    pool.keep(USUAL, "image", 3)
    assert pool.ready() == 0
    assert len(maker.made) == 3


def test_a_forked_child_lets_go_of_the_parents_and_ends_none(monkeypatch: pytest.MonkeyPatch, maker: Maker) -> None:
    from sandloop_sandbox import pool as module

    monkeypatch.setattr(module, "_pool", None)
    mine = module.process_pool(maker.make, maker.start)
    mine.keep(USUAL, "image", 2)
    until(lambda: mine.ready() == 2)
    child = os.fork()
    if not child:
        let_go = all(one.let_gone and not one.ended for one in maker.made)
        fresh = module.process_pool(maker.make, maker.start)
        os._exit(0 if let_go and fresh is not mine and fresh.take(USUAL) is None else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mine.take(USUAL) is not None
    mine.close()
