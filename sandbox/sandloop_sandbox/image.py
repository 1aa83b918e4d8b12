"""The sandbox image: named by the hash of all that goes into it, so the right one is either there or is built, once.

The inputs are files of the package `sandloop_image` and the name of the base image. Asking whether the image is there is one
call of the engine; only when it isn't are the base image fetched and the packages installed, which needs the network.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
from collections.abc import Callable, Generator, Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from sandloop.errors import BadSetting
from sandloop_sandbox.image_build import ImageBuild, pull
from sandloop_sandbox.unreachable import translated

if TYPE_CHECKING:
    from docker import APIClient

NAME = "sandloop/sandbox"
BASE_VARIABLE = "SANDLOOP_BASE_IMAGE"
PUBLIC_BASE = "python:3.11-slim-bookworm"
LOCAL_BASE = "sandloop/base:debian-bookworm"
"""Made from Debian packages by the checkout's set-up on a machine that reaches no image registry."""

_IMAGE = re.compile(
    # A registry, folders and a name; then a tag, a digest or both. Or an id.
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{12,64}"
)
OnProgress = Callable[[str], None]


def ensure_image(client: APIClient, on_progress: OnProgress, packages: Sequence[str] = ()) -> str:
    """The id of the sandbox image, with these packages beside the usual ones, which is built first when the engine hasn't got it.

    Raises `ImageUnavailable`, or `BadSetting` for a package or a base image whose name can't be one.
    """
    if packages:
        from sandloop_sandbox.packages import ensure_packages

        return ensure_packages(client, on_progress, packages)
    bases = base_images(os.environ.get(BASE_VARIABLE))
    for base in bases:
        if present := image_id(client, image_tag(base)):
            return present
    base = next((base for base in bases if image_id(client, base)), bases[-1])
    if not image_id(client, base):
        pull(client, base, image=image_tag(base), on_progress=on_progress)
    tag = image_tag(base)
    with one_build_at_a_time(on_progress):
        if present := image_id(client, tag):  # somebody else built it while we waited
            return present
        ImageBuild(tag, on_progress).run(client, build_inputs(), base)
    built = image_id(client, tag)
    assert built, f"the engine built {tag} and does not know it"  # noqa: S101 - the engine said so a moment ago
    return built


def base_images(named: str | None) -> tuple[str, ...]:
    """The base images that may be used, the one to fetch last. Raises `BadSetting` for a name that no image can have."""
    if named and not _IMAGE.fullmatch(named):
        why = f"is {named!r}, but must be the name of an image, such as {PUBLIC_BASE!r}, or its id"
        raise BadSetting(name=BASE_VARIABLE, why=why, where="the environment")
    return (named,) if named else (LOCAL_BASE, PUBLIC_BASE)


@functools.cache
def image_tag(base: str = PUBLIC_BASE) -> str:
    """The name of the image made on `base`; twelve digits of a hash say from what."""
    return f"{NAME}:{digest(build_inputs(), base)}"


def digest(inputs: Mapping[str, bytes], base: str) -> str:
    """Twelve hexadecimal digits that differ when a name, a byte or the base differs."""
    whole = hashlib.sha256(base.encode())
    for name in sorted(inputs):
        for part in (name.encode(), inputs[name]):
            whole.update(len(part).to_bytes(8, "big") + part)
    return whole.hexdigest()[:12]


@functools.cache
def build_inputs() -> Mapping[str, bytes]:
    """The files that the image is built from, by name. The seccomp profile is none: it is given to the engine at each start."""
    folder = files("sandloop_image")
    wanted = ("Dockerfile", "requirements.txt", "matplotlibrc")
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.name in wanted or f.name.endswith(".py")}


def image_id(client: APIClient, name: str) -> str | None:
    """The id of the image of that name, if the engine has it. Raises `EngineUnavailable`."""
    from docker.errors import ImageNotFound

    with translated(str(client.base_url)):
        try:
            return str(cast("Any", client).inspect_image(name)["Id"])
        except ImageNotFound:
            return None


@contextlib.contextmanager
def one_build_at_a_time(on_progress: OnProgress) -> Generator[None]:
    """Makes the user's other processes wait, as two builds at once give the same image in twice the time."""
    import fcntl

    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("sandloop", ensure_exists=True)
        lock = (folder / "image-build.lock").open("w")
    except OSError:
        # No home to keep a lock in. Two builds at once are wasteful, never wrong.
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress("another process is building the sandbox image: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
