"""Why an engine can't be used, in our words: what the Docker SDK raises, and what the operating system said below it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager

from sandloop.errors import EngineUnavailable
from sandloop_sandbox.address import DEFAULT, usual_sockets
from sandloop_sandbox.image_build import clean

START_DOCKER = "Start Docker (sudo systemctl start docker, or Docker Desktop), or name its address in DOCKER_HOST"
INSTALL_DOCKER = "Install Docker (https://docs.docker.com/engine/install), start it, or name its address in DOCKER_HOST"
WITHOUT_DOCKER = "; where there can be none, SANDLOOP_SANDBOX=bubblewrap takes a weaker sandbox without it"
"""On Linux alone. It is never taken by itself."""
CHECK_DOCKER = "Check the engine with `docker info`"
MAKE_ROOM = "Make room on the engine's disk (`docker system df` shows what fills it), then try again"
JOIN_DOCKER = "Run `sudo usermod -aG docker $USER` and log in again, or use rootless Docker"


@contextmanager
def translated(address: str) -> Generator[None]:
    """Errors of the SDK and of its connection as ours."""
    import docker.errors
    import requests.exceptions

    try:
        yield
    except docker.errors.APIError as error:
        said = clean(str(error.explanation or error)).rstrip(".")
        do = MAKE_ROOM if "no space left" in said else CHECK_DOCKER
        raise EngineUnavailable(address=address, said=f"it refused: {said}", do=do, answers=True) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        said, do = why_unreachable(error, address)
        raise EngineUnavailable(address=address, said=said, do=do) from error


def why_unreachable(error: BaseException, address: str = DEFAULT) -> tuple[str, str]:
    """What happened and what to do, from the innermost error of the operating system."""
    chain = list(_chain(error))
    match next((e.errno for e in chain if isinstance(e, OSError) and e.errno is not None), None):
        case errno.ENOENT:
            nor = f"; nor is there {', '.join(map(str, usual_sockets(os.environ)[1:]))}" if address == DEFAULT else ""
            return f"there is no such socket, so Docker is not installed or not running{nor}", INSTALL_DOCKER + (
                WITHOUT_DOCKER if sys.platform == "linux" else ""
            )
        case errno.EACCES | errno.EPERM:
            return "you may not use its socket", JOIN_DOCKER
        case errno.ECONNREFUSED:
            return "it is not running", START_DOCKER
        case errno.EPIPE | errno.ECONNRESET:
            return "it ended in the middle of a request", START_DOCKER
        case _ if any(isinstance(e, TimeoutError) or "timed out" in str(e) for e in chain):
            return "it did not answer in time", f"{CHECK_DOCKER}, and restart it if that stands still, too"
        case _ if "paramiko" in str(error):
            return "the Docker SDK needs another package to use ssh://", "Install it with: pip install 'docker[ssh]'"
        case _ if "RemoteDisconnected" in str(error):
            return "it ended in the middle of a request", START_DOCKER
        case _:
            return clean(str(error)).rstrip(".") or type(error).__name__, START_DOCKER


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all it came from; requests and urllib3 keep the cause in their arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [e for e in inner if isinstance(e, BaseException)]
