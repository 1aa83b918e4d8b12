"""A container's life: created closed, attached, started, checked from inside; ended by hanging up. Blocking; used from threads."""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from datetime import UTC, datetime
from importlib.resources import files

from sandloop.errors import SandboxLost
from sandloop.limits import Limits
from sandloop_image import frames
from sandloop_sandbox import owner
from sandloop_sandbox.engine import Engine, translated
from sandloop_sandbox.line import Line
from sandloop_sandbox.policy import FIRST_UID, LAST_UID, Identity, check_facts, container_config

LABEL = "dev.sandloop"
START_SECONDS = 60.0
"""From start to the supervisor's first word; a tenth of a second on a quiet machine."""
GONE_SECONDS = 10
LATE_SECONDS = 600.0
"""After its deadline a container ends itself; if it has not by then, another process may remove it."""

log = logging.getLogger("sandloop.sandbox")


def new_identity(limits: Limits) -> Identity:
    """A session's name, user and labels."""
    session, now = secrets.token_hex(8), time.time()
    labels = {
        f"{LABEL}.session": session,
        f"{LABEL}.owner": owner.me(),
        f"{LABEL}.created": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        f"{LABEL}.deadline": str(int(now + limits.session_seconds + LATE_SECONDS)),
    }
    return Identity(session=session, uid=FIRST_UID + secrets.randbelow(LAST_UID - FIRST_UID), labels=labels)


class Container:
    """One container, for one session."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.identity = new_identity(limits)
        self._lock = threading.Lock()
        self._ended = False
        self._engine: Engine | None = None
        self._id: str | None = None
        self._line: Line | None = None

    @property
    def line(self) -> Line:
        if self._line is None or self._ended:
            raise SandboxLost(said="it was closed")
        return self._line

    def start(self, engine: Engine, image: str) -> None:
        """Create, attach, start, and check. Raises a `SandboxError`, and then leaves nothing."""
        config = container_config(self.limits, engine.host, self.identity, image, seccomp_profile())
        try:
            with translated(engine.address):
                self._engine = engine
                self._id = engine.client.create_container_from_config(config, name=self.identity.name)["Id"]
                streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
                # Before the start, so that no word is missed and the container has a line from its first moment.
                attached = Line(engine.client.attach_socket(self._id, params=streams))
                with self._lock:
                    self._line = attached
                engine.client.start(self._id)
            self._check(engine)
        except BaseException:
            self.end()
            raise
        if self._ended:  # while we were starting
            self._remove()
            raise SandboxLost(said="it was closed")

    def _check(self, engine: Engine) -> None:
        line = self.line
        for kind, payload in line.receive(time.monotonic() + START_SECONDS):
            facts = answer(line, kind, payload)
            if facts is None or facts.get("op") != "ready":
                raise line.lost("it began with another word than 'ready'")
            return check_facts(facts, self.limits, engine.host, self.identity)

    def end(self) -> None:
        """Hang up: the supervisor sees its line end and ends the container, which removes itself. Idempotent, quick."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        if self._line is not None:
            self._line.hang_up()
        if self._id is not None:
            try:
                threading.Thread(target=self._see_it_gone, name="sandloop-close", daemon=True).start()
            except RuntimeError:
                return  # the interpreter is ending; the container ends by itself

    def _see_it_gone(self) -> None:
        import docker.errors
        import requests.exceptions

        assert self._engine is not None  # noqa: S101 - set before the id
        try:
            if self._line is not None:
                self._engine.client.wait(self._id, timeout=GONE_SECONDS, condition="removed")
                return
        except docker.errors.NotFound:
            return
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
            log.info("container %s did not go by itself: %s", self.identity.name, error)
        self._remove()

    def _remove(self) -> None:
        assert self._engine is not None  # noqa: S101 - set before the id
        remove(self._engine, str(self._id))


def remove(engine: Engine, container: str) -> None:
    """Remove a container of ours, if it is still there."""
    import docker.errors
    import requests.exceptions

    try:
        engine.client.remove_container(container, force=True, v=True)
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):  # gone, or just going
            log.warning("container %s could not be removed: %s", container, error)
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        log.warning("container %s could not be removed: %s", container, error)


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
