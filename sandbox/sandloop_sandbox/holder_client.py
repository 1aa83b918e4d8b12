"""Asking the user's holder for a container, telling it what to hold, and starting it where there is none.

It is there to save time, so it may cost none: an answer comes within a twentieth of a second or not at all.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from sandloop_sandbox import handover
from sandloop_sandbox.container import Container
from sandloop_sandbox.request import Request

SECONDS = 0.05
"""How long an answer may take; 1 ms on a quiet machine."""
IDLE = 300.0
"""Seconds without a request after which a holder ends."""
KEPT = (
    "DOCKER_CERT_PATH",
    "DOCKER_TLS_VERIFY",
    "LANG",
    "PATH",
    "SANDLOOP_ALLOW_REMOTE_DOCKER",
    "SANDLOOP_BASE_IMAGE",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
)
"""All that a holder gets of the environment, which may be full of keys."""
START = """\
import os
if os.fork():
    os._exit(0)
import sys
sys.path[:0] = sys.argv[1:]
from sandloop_sandbox.holder import main
main()
"""
START_SECONDS = 10.0

log = logging.getLogger("sandloop.sandbox")


def ask(request: Request, size: int) -> Container | None:
    """A container from the holder, ours from now on. None: it has none, or there is no holder."""
    try:
        message, given = _call(request, "", size)
    except (OSError, handover.Unfit):
        return None
    if given is None:
        return None
    try:
        container = Container.taken_over(json.loads(message), given, request.limits, request.options)
    except (ValueError, TypeError, KeyError) as error:
        given.close()
        log.info("the holder's answer can't be read: %s", error)
        return None
    if container.is_ready():
        return container
    container.end()
    return None


def tell_or_start(request: Request, image: str, size: int, idle: float = IDLE) -> None:
    """Have the holder hold such containers, made from the image of that id. What goes wrong is logged."""
    try:
        try:
            _call(request, image, size)
        except TimeoutError:
            return  # it is there, and busy
        except OSError:
            start(request, image, size, idle)
    except (OSError, handover.Unfit, subprocess.SubprocessError) as error:
        log.info("no containers are held ready: %s", error)


def _call(request: Request, image: str, size: int) -> tuple[bytes, socket.socket | None]:
    message = {"request": request.to_json(), "image": image, "size": size}
    return handover.call(handover.meeting_place(f"holder-{request.place}"), json.dumps(message).encode(), SECONDS)


def start(request: Request, image: str, size: int, idle: float) -> None:
    """Start a holder: a process of nobody's session, in `/`, with nothing of ours but the code, and no keys."""
    handover.meeting_place(f"holder-{request.place}")
    if not Path(sys.executable).name.startswith("python"):
        return  # we are built into another program
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {"DOCKER_HOST": request.address, "HOME": "/"}
    told = {"place": request.place, "request": request.to_json(), "image": image, "size": size, "idle": idle}
    subprocess.run(  # noqa: S603 - our own program; what it is told goes where other users can't read it
        [sys.executable, "-I", "-S", "-c", START, *code_folders()],
        input=json.dumps(told).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=environment,
        start_new_session=True,
        timeout=START_SECONDS,
        check=True,
    )


def code_folders() -> list[str]:
    """Where a holder finds what it imports: our packages, and the installed ones; never the current or a script's folder."""
    found = (find_spec(name) for name in ("sandloop", "sandloop_sandbox", "sandloop_image", "docker"))
    ours = [str(Path(spec.origin).parent.parent.resolve()) for spec in found if spec is not None and spec.origin]
    installed = [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    return list(dict.fromkeys([*ours, *installed]))
