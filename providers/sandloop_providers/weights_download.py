"""A large file from the model hub: resumed where it broke off, bounded by its known size, kept only when its sum is right."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from sandloop.errors import LocalModelFailed
from sandloop_providers.server_models import on_this_machine
from sandloop_providers.weights import Weights, is_genuine, kept, mark, where_to_get

if TYPE_CHECKING:
    import httpx2

ATTEMPTS = 5
PAUSE_SECONDS = 0.5
"""Before the second attempt; doubled each time."""
TIMEOUT_SECONDS = 30.0
"""Without a byte."""
SPARE_BYTES = 100_000_000
"""Left free on the disk."""


class _Interrupted(Exception):
    """The transfer broke off; what came is kept."""


async def download(weights: Weights, folder: Path, hub: str, *, pause: float = PAUSE_SECONDS) -> AsyncGenerator[int]:
    """Fetch the file into `folder`, yielding how many bytes are there. A second download at the same time waits for the first.

    Raises:
        LocalModelFailed: It can't be had, or what came is not what was published. Says what to do.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / (weights.file + ".part")
    async with _alone(part.with_suffix(".lock")):
        if await anyio.to_thread.run_sync(kept, weights, folder) is not None:
            yield weights.size
            return
        missing = weights.size - _size(part)
        if (free := shutil.disk_usage(folder).free) < missing + SPARE_BYTES:
            raise _failed(weights, folder, hub, f"{missing} bytes are to come and {folder} has {free} free")
        for attempt in range(ATTEMPTS):
            try:
                async with aclosing(_rest(weights, part, hub)) as progress:
                    async for size in progress:
                        yield size
                break
            except _Interrupted as error:
                if attempt == ATTEMPTS - 1:
                    raise _failed(weights, folder, hub, f"{error}; {_size(part)} of {weights.size} bytes are kept") from error
                await anyio.sleep(pause * 2**attempt)
            except ConnectionRefusedError as error:
                raise _failed(weights, folder, hub, str(error)) from error
        if not await anyio.to_thread.run_sync(is_genuine, part, weights):
            part.unlink()
            raise _failed(weights, folder, hub, "what came has another SHA-256 than the published file, so it was deleted")
        final = folder / weights.file
        part.replace(final)
        mark(final, weights)


async def _rest(weights: Weights, part: Path, hub: str) -> AsyncGenerator[int]:
    """The bytes that are missing, appended to `part`."""
    import httpx2

    done = _size(part)
    if done >= weights.size:
        return
    url = f"{hub}/{weights.repository}/resolve/main/{weights.file}"
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={done}-"} if done else {})}
    try:
        async with (
            httpx2.AsyncClient(follow_redirects=True, timeout=TIMEOUT_SECONDS, trust_env=not on_this_machine(hub)) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            done = _start(response, part, done)
            with part.open("r+b" if part.exists() else "wb") as file:
                file.seek(done)
                file.truncate()
                async for piece in response.aiter_raw():  # as it comes: in larger pieces the last one would be lost with a cut
                    done += len(piece)
                    if done > weights.size:
                        file.seek(0)
                        file.truncate()
                        raise ConnectionRefusedError(f"it sends more than the {weights.size} bytes of the published file")
                    file.write(piece)
                    yield done
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        raise _Interrupted(str(error) or type(error).__name__) from error
    except httpx2.InvalidURL as error:
        raise ConnectionRefusedError(str(error)) from error
    if done < weights.size:
        raise _Interrupted("the transfer ended early")


def _start(response: httpx2.Response, part: Path, done: int) -> int:
    """Where in the file this answer begins."""
    match response.status_code:
        case 206 if response.headers.get("content-range", "").startswith(f"bytes {done}-"):
            return done
        case 200:
            return 0
        case 206 | 416:
            part.unlink(missing_ok=True)
            raise _Interrupted("it did not go on where the transfer broke off")
        case 408 | 429 | 500 | 502 | 503 | 504 as status:
            raise _Interrupted(f"it answered {status}")
        case status:
            raise ConnectionRefusedError(f"it answered {status}")


@asynccontextmanager
async def _alone(path: Path) -> AsyncGenerator[None]:
    """Only one process at a time. The lock goes with the process, however that ends."""
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await anyio.sleep(0.2)
        yield


def _failed(weights: Weights, folder: Path, hub: str, said: str) -> LocalModelFailed:
    return LocalModelFailed(said=f"its weights can't be downloaded from {hub}: {said}", do=where_to_get(weights, folder))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
