"""A container's life: created closed, attached, started, checked from inside; ended by hanging up. Blocking; used from threads."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from datetime import UTC, datetime
from importlib.resources import files

from sandloop.errors import EngineUnavailable, SandboxLost, Unsafe
from sandloop.events import SandboxOpened
from sandloop.limits import Limits
from sandloop.options import DEFAULT_OPTIONS, SandboxOptions
from sandloop_image import frames
from sandloop_sandbox import owner
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.engine import engine as find_engine
from sandloop_sandbox.fate import fate, is_told
from sandloop_sandbox.line import Line
from sandloop_sandbox.policy import FIRST_UID, LAST_UID, Identity, check_facts, container_config, memory, not_limited

LABEL = "dev.sandloop"
START_SECONDS = 60.0
"""From start to the supervisor's first word; a tenth of a second on a quiet machine."""
SETTLE_SECONDS = 3.0
"""Creating, starting and removing take a quarter of a second."""
ENDING_SECONDS = 0.02
"""No container has gone before that. Asking at once would only keep the caller of `close()` from going on."""
GONE_SECONDS = 10
WHY_SECONDS = 1.0
"""What the engine has to say of an end comes within a tenth of a second of it."""
LATE_SECONDS = 600.0
"""After its deadline a container ends itself; if it has not by then, another process may remove it."""

log = logging.getLogger("sandloop.sandbox")
_owed = set[tuple[str, str]]()
"""Engine and id of each container that could not be removed, since its engine was gone: an engine may come back with it."""


def new_identity(limits: Limits, *, idle_seconds: int = 0, shared: bool = False) -> Identity:
    """A session's name, user and labels. `shared`: another process than this one may come to use it."""
    session, now = secrets.token_hex(8), time.time()
    labels = {
        f"{LABEL}.session": session,
        f"{LABEL}.owner": owner.me(),
        f"{LABEL}.created": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        f"{LABEL}.deadline": str(int(now + idle_seconds + limits.session_seconds + LATE_SECONDS)),
    }
    if shared:
        labels[f"{LABEL}.shared"] = "1"
    return Identity(session=session, uid=FIRST_UID + secrets.randbelow(LAST_UID - FIRST_UID), labels=labels)


class Container:
    """One container, for one session."""

    def __init__(
        self, limits: Limits, options: SandboxOptions = DEFAULT_OPTIONS, *, idle_seconds: int = 0, shared: bool = False
    ) -> None:
        """`idle_seconds`: made ahead, started with a kernel in it, and how long it may wait for its session."""
        self.limits, self.options = limits, options
        self.identity = new_identity(limits, idle_seconds=idle_seconds, shared=shared)
        self.on_gone: Callable[[], None] | None = None
        """Called once it has ended, from a thread; not when the interpreter is ending."""
        self._idle_seconds, self._pid, self._made_ahead = idle_seconds, os.getpid(), bool(idle_seconds)
        self._lock = threading.Lock()
        self._ended, self._starting = False, True
        self._creating, self._settled = False, threading.Event()
        self._stands_still = False
        """It was paused, so it can't see that its line ended."""
        self._engine: Engine | None = None
        self._id: str | None = None
        self._image = self._engine_name = ""
        self._not_limited: tuple[str, ...] = ()
        self._line: Line | None = None

    @property
    def line(self) -> Line:
        if self._line is None or self._ended:
            raise SandboxLost(said="it was closed")
        return self._line

    @property
    def made_ahead(self) -> bool:
        return self._made_ahead

    @property
    def image(self) -> str:
        """The id of the image it is made from."""
        return self._image

    def opened(self, *, seconds: float) -> SandboxOpened:
        """What it is made of."""
        return SandboxOpened(
            sandbox=self.options.engine,
            id=self.identity.session,
            engine=self._engine_name,
            runtime=self.options.runtime or "",
            image=self._image,
            packages=self.options.packages,
            warm=self.made_ahead,
            seconds=round(seconds, 4),
            not_limited=self._not_limited,
            weakened=self.options.weakened,
        )

    def start(self, engine: Engine, image: str) -> None:
        """Create, attach, start, and check. Raises a `SandboxError`, and then leaves nothing."""
        with self._lock:
            if self._ended:
                raise SandboxLost(said="it was closed before it started")
            self._creating = True
        config = container_config(
            self.limits, engine.host, self.identity, image, seccomp_profile(), self.options, self._idle_seconds
        )
        self._engine, self._engine_name, self._image = engine, engine.name, image
        well = False
        try:
            with self._explained(engine):
                self._id = engine.create(config, self.identity.name)
                # Before the start, so that no word is missed and the container has a line from its first moment.
                self._line = Line(engine.attach(self._id), self.why_gone)
                self.line  # noqa: B018 - ended meanwhile
                engine.start(self._id)
            self._check(engine)
            well = True
        finally:
            with self._lock:
                self._starting = False
                well = well and not self._ended
                self._ended = not well
            if not well:
                self._hang_up()
                self._remove()
            self._settled.set()
        if not well:
            raise SandboxLost(said="it was closed while it started")
        if _owed:
            threading.Thread(target=remove_owed, args=(engine,), name="sandloop-owed", daemon=True).start()

    @contextlib.contextmanager
    def _explained(self, engine: Engine) -> Generator[None]:
        """What an engine that answers refused, in words that name the cause."""
        try:
            yield
        except EngineUnavailable as error:
            runtime = self.options.runtime
            if error.answers and runtime is not None and runtime not in engine.runtimes:
                said = f"it has no runtime {runtime!r}, only {', '.join(engine.runtimes)}"
                do = 'Register it with the engine (`dockerd --add-runtime`, or "runtimes" in daemon.json), or name another'
                raise EngineUnavailable(address=error.address, said=said, do=do, answers=True) from error
            # Not after another refusal: an engine that can't start a container removes it, too.
            unknown = getattr(error.__cause__, "status_code", None) in (404, 409)
            if unknown and self._id is not None and (said := self.why_gone()):
                raise SandboxLost(said=said) from error
            raise

    def _check(self, engine: Engine) -> None:
        line = self.line
        facts = answer(line, *line.read(time.monotonic() + START_SECONDS))
        if facts is None or facts.get("op") != "ready":
            raise line.lost("it began with another word than 'ready'")
        check_facts(facts, self.limits, engine.host, self.identity, self.options)
        self._not_limited = not_limited(facts)

    def end(self) -> None:
        """Hang up: the supervisor sees its line end and ends the container, which removes itself. Idempotent, quick."""
        if os.getpid() != self._pid:
            return self.let_go()
        with self._lock:
            ended, self._ended = self._ended, True
            if ended:
                return None
        self._hang_up()
        if self._engine is None and self.on_gone is None:
            return None
        if self._starting:  # the thread that starts it sees that it has to end
            return None
        with contextlib.suppress(RuntimeError):  # the interpreter is ending; the container ends by itself
            threading.Thread(target=self._see_it_gone, name="sandloop-close", daemon=True).start()
        return None

    def is_ready(self) -> bool:
        """Whether it waits for its session: alive, as far as can be seen without asking."""
        return not self._ended and self._line is not None and self._line.is_quiet()

    def let_go(self) -> None:
        """In a forked child: it is the parent's, and must not live on because we have its line, too."""
        self._ended = True
        if self._line is not None:
            self._line.let_go()

    def give_away(self) -> tuple[dict[str, str], socket.socket]:
        """What another process needs to go on with it; from now on it lives and ends with that one."""
        connection = self.line.give_away()
        self._ended = True
        facts = {"session": self.identity.session, "uid": str(self.identity.uid), "container": self._id or ""}
        about = {"image": self._image, "engine": self._engine_name, "not_limited": "\n".join(self._not_limited)}
        return facts | about, connection

    @classmethod
    def taken_over(cls, facts: Mapping[str, str], connection: socket.socket, limits: Limits, options: SandboxOptions) -> Container:
        """A container that another process of ours has made, checked and given away."""
        container = cls(limits, options)
        container._made_ahead = True
        container.identity = Identity(session=facts["session"], uid=int(facts["uid"]), labels={})
        container._id, container._image, container._engine_name = facts["container"], facts["image"], facts["engine"]
        container._not_limited = tuple(text for text in facts["not_limited"].split("\n") if text)
        container._line, container._starting = Line(connection, container.why_gone), False
        return container

    def see_it_settled(self) -> None:
        """Wait until a start that was given up has removed what it made: our process may be about to end, with its threads."""
        if self._creating:
            self._settled.wait(SETTLE_SECONDS)

    def why_gone(self) -> str:
        """What the engine says became of the container, as a clause; empty when it knows of nothing. Takes seconds at most."""
        if not self._id:
            return ""
        until = time.monotonic() + WHY_SECONDS
        try:
            asked = self._engine or find_engine()  # one that another process made has not needed an engine so far
            while not is_told(happened := asked.happened(self._id)) and time.monotonic() < until:
                state = asked.state(self._id)
                if state is not None and state.get("Paused"):
                    self._stands_still = True
                    break
                time.sleep(0.05)  # the end of a stream comes a moment before the end of its container
            state = asked.state(self._id)
        except EngineUnavailable as error:
            return f"the engine at {error.address} went away ({error.said})"
        except Unsafe:  # another engine answers there by now
            return ""
        return fate(happened, state, memory=memory(self.limits, asked.host))

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.hang_up()

    def _see_it_gone(self) -> None:
        time.sleep(ENDING_SECONDS)
        engine, container = self._engine, self._id
        if engine and container and (self._stands_still or not engine.wait_removed(container, GONE_SECONDS)):
            self._remove()
        if self.on_gone is not None:
            self.on_gone()

    def _remove(self) -> None:
        if self._engine is None or self._id is None:
            return
        try:
            self._engine.remove(self._id)
        except EngineUnavailable as error:
            _owed.add((self._engine.address, self._id))
            log.warning("container %s could not be removed: %s", self.identity.name, error)


def remove_owed(engine: Engine) -> None:
    """Remove what this process could not while the engine was gone."""
    for address, container in [one for one in _owed if one[0] == engine.address]:
        with contextlib.suppress(EngineUnavailable):
            engine.remove(container)
            _owed.discard((address, container))


def answer(line: Line, kind: bytes, payload: bytes) -> dict[str, str] | None:
    """The record of an answer frame; None for any other kind. Raises `SandboxLost` when it is none."""
    if kind != frames.ANSWER:
        return None
    try:
        return frames.parse_record(payload)
    except frames.Malformed as error:
        raise line.lost(f"it sent {error}") from error


def seccomp_profile() -> str:
    """Our allow-list of system calls, as the engine takes it."""
    text = (files("sandloop_image") / "seccomp.json").read_text()
    return json.dumps(json.loads(text), separators=(",", ":"))
