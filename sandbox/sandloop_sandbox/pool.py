"""Containers made ahead: started, checked, with a kernel that has the usual libraries. Each is given out once, to one session.

One thread does the work, and there is none while there is nothing to keep. All else is a lock held for microseconds, so threads and
event loops share a pool freely. A forked child has a pool of its own, empty; what it inherited is the parent's.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

from sandloop_sandbox.container import Container
from sandloop_sandbox.request import Request
from sandloop_sandbox.stock import AGE, Plan, Shelf, plan

IDLE_SECONDS = int(AGE) + 120
"""After which a container ends by itself if it was neither taken nor ended; its making is part of it."""
MOST_SEEN = 100

log = logging.getLogger("sandloop.sandbox")

Make = Callable[[Request], Container]
"""A container for that request, not started."""
Start = Callable[[Request, Container, str], None]
"""Starts it, from the image of that id. May raise anything."""


@dataclass(slots=True)
class _Kept:
    shelf: Shelf
    image: str
    ready: deque[tuple[float, Container]] = field(default_factory=deque[tuple[float, Container]])
    """Each with the time since when."""


class Pool:
    """Keeps containers ready."""

    def __init__(self, make: Make, start: Start) -> None:
        self._make, self._start = make, start
        self._changed = threading.Condition()
        self._kept: dict[Request, _Kept] = {}
        self._seen: dict[Request, None] = {}
        self._openings: list[float] = []
        self._starting: Container | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def take(self, request: Request) -> Container | None:
        """One that is ready and alive, for good; None when there is none. Never waits."""
        dead: list[Container] = []
        found = None
        with self._changed:
            kept = self._kept.get(request)
            if kept is None:
                return None
            while kept.ready and found is None:
                _, container = kept.ready.popleft()
                if container.is_ready():
                    found = container
                else:
                    dead.append(container)
            self._count(request, asked=time.monotonic())
            self._changed.notify()
        for container in dead:
            container.end()
        return found

    def has_seen(self, request: Request) -> bool:
        """Whether this was asked before."""
        with self._changed:
            seen = request in self._seen
            self._seen[request] = None
            while len(self._seen) > MOST_SEEN:
                del self._seen[next(iter(self._seen))]
            return seen

    def keep(self, request: Request, image: str, size: int) -> None:
        """From now on have `size` of them ready, made from the image of that id. Returns at once."""
        with self._changed:
            if self._closed or not size:
                return
            now, kept = time.monotonic(), self._kept.get(request)
            if kept is None:
                kept = self._kept[request] = _Kept(Shelf(size=size, asked=now), image)
            kept.image, kept.shelf = image, replace(kept.shelf, size=size)
            self._count(request, asked=now)
            self._changed.notify()
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="sandloop-pool", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is ending
                    thread.start()
                    self._thread = thread

    @contextlib.contextmanager
    def opening(self) -> Generator[None]:
        """While a session starts without the pool: it has the processors to itself."""
        began = time.monotonic()
        with self._changed:
            self._openings.append(began)
        try:
            yield
        finally:
            with self._changed:
                self._openings.remove(began)
                self._changed.notify()

    def ready(self) -> int:
        """How many are ready now."""
        with self._changed:
            return sum(len(kept.ready) for kept in self._kept.values())

    def close(self) -> None:
        """End all, also the one that is just starting, and keep no more."""
        with self._changed:
            self._closed = True
            containers, starting = self._all(), self._starting
            self._kept.clear()
            self._changed.notify()
        for container in containers:
            container.end()
        if starting is not None:
            starting.see_it_settled()

    def let_go(self) -> None:
        """In a forked child, where no other thread is and any lock may be held: our copies of the parent's lines are closed."""
        self._closed = True
        for container in self._all():
            container.let_go()

    def _all(self) -> list[Container]:
        there = [container for kept in self._kept.values() for _, container in kept.ready]
        return there if self._starting is None else [*there, self._starting]

    def _count(self, request: Request, *, asked: float | None = None) -> None:
        """Note what is on a shelf now."""
        kept = self._kept[request]
        now = time.monotonic()
        few = len(kept.ready) < kept.shelf.size
        kept.shelf = replace(
            kept.shelf,
            ready=tuple(since for since, _ in kept.ready),
            asked=kept.shelf.asked if asked is None else asked,
            short=(kept.shelf.short or now) if few else None,
        )

    def _work(self) -> None:
        while (todo := self._next()) is not None:
            ending, request, container, image = todo
            for one in ending:
                one.end()
            if container is not None and request is not None:
                self._fill(request, container, image)

    def _next(self) -> tuple[list[Container], Request | None, Container | None, str] | None:
        """Wait for something to do, and take it off the shelves. None: there is nothing to keep any more."""
        with self._changed:
            while True:
                if self._closed or not self._kept:
                    self._thread = None
                    return None
                shelves = {request: kept.shelf for request, kept in self._kept.items()}
                openings = self._openings
                todo = plan(shelves, opening=len(openings), opening_since=min(openings, default=0.0), now=time.monotonic())
                if todo.end or todo.drop or todo.start is not None:
                    return self._begin(todo)
                self._changed.wait(todo.look_again)

    def _begin(self, todo: Plan[Request]) -> tuple[list[Container], Request | None, Container | None, str]:
        ending = [container for request in todo.drop for _, container in self._kept.pop(request).ready]
        for request, many in todo.end.items():
            ending += [self._kept[request].ready.popleft()[1] for _ in range(many)]
            self._count(request)
        if todo.start is None:
            return ending, None, None, ""
        self._starting = self._make(todo.start)
        return ending, todo.start, self._starting, self._kept[todo.start].image

    def _fill(self, request: Request, container: Container, image: str) -> None:
        well = False
        try:
            self._start(request, container, image)
            well = True
        except Exception as error:
            log.log(logging.DEBUG if self._closed else logging.WARNING, "no container could be made ahead: %s", error)
        with self._changed:
            self._starting, now = None, time.monotonic()
            kept = self._kept.get(request)
            if kept is not None and not self._closed:
                kept.shelf = replace(kept.shelf, failures=0 if well else kept.shelf.failures + 1, failed=now)
                if well:
                    kept.ready.append((now, container))
                self._count(request)
            else:
                well = False  # nobody wants it any more
        if not well:
            container.end()


_pool: Pool | None = None
_making = threading.Lock()


def process_pool(make: Make, start: Start) -> Pool:
    """This process's pool, ended with it."""
    global _pool
    with _making:
        if _pool is None:
            _pool = Pool(make, start)
        return _pool


def _at_exit() -> None:
    if _pool is not None:
        _pool.close()


def _in_child() -> None:
    global _pool, _making
    inherited, _pool, _making = _pool, None, threading.Lock()
    if inherited is not None:
        inherited.let_go()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_child)
