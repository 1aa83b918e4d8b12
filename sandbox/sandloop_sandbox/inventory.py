"""What the engine has of ours: containers with their owners, images by whether they are still the right ones; and its removal.

Containers are told by our label, images by our label and by having no name but ours: an image that somebody else built on ours
carries our label, too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sandloop.errors import EngineUnavailable
from sandloop.ports import Held, OnProgress
from sandloop.sizes import human_size
from sandloop_sandbox import owner
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import BASE_VARIABLE, LOCAL_BASE, NAME, PUBLIC_BASE, base_images, image_tag, one_build_at_a_time
from sandloop_sandbox.sweep import NOT_RUNNING, is_left_over, sweep
from sandloop_sandbox.unreachable import translated

IMAGE_LABEL = f"{LABEL}.image"
KEPT_SECONDS = 7 * 24 * 3600.0
"""Another installation of sandloop may have another right image, and use it."""
WAITING = "sandloop-ready"
"""The name of a supervisor before the first command."""
ASKED_AT_ONCE = 8
"""Questions to the engine."""
BUILD_SECONDS = 600.0
"""A younger stage may belong to a build that is going on, of another user of the engine."""


def held(engine: Engine) -> list[Held]:
    """Our containers, the oldest first."""
    now = time.time()
    still = engine.labelled(f"{LABEL}.session", *NOT_RUNNING)

    def look(container: str, labels: Mapping[str, str]) -> Held:
        running = container not in still
        memory = memory_held(engine, container)
        return as_held(labels, now, memory, running=running, waiting=running and waits(engine, container))

    found = engine.labelled(f"{LABEL}.session")
    with ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="sandloop-ps") as threads:
        return sorted(threads.map(look, found.keys(), found.values()), key=lambda one: one.created)


def as_held(labels: Mapping[str, str], now: float, memory: int | None, *, running: bool = True, waiting: bool = False) -> Held:
    """A container by its labels, by whether it runs, and by whether its supervisor waits for a first command."""
    deadline = labels.get(f"{LABEL}.deadline", "")
    left_over = is_left_over(labels, now, running=running)
    return Held(
        id=labels[f"{LABEL}.session"],
        state="left over" if left_over else "ready" if waiting else "in use",
        owner=owner_in_words(labels.get(f"{LABEL}.owner", "")),
        created=labels.get(f"{LABEL}.created", ""),
        memory=memory,
        deadline=datetime.fromtimestamp(int(deadline), UTC).isoformat() if deadline.isdigit() else "",
    )


def owner_in_words(made_by: str) -> str:
    """The process of an owner's label: its program and number."""
    host, _, rest = made_by.partition(" ")
    pid = rest.partition(" ")[0]
    if not pid.isdigit():
        return "unknown"
    if host != owner.host_id():
        return f"process {pid} elsewhere"
    if owner.is_gone(made_by):
        return f"process {pid}, which has ended"
    try:
        return f"{Path(f'/proc/{pid}/comm').read_text().strip()} ({pid})"
    except OSError:
        return f"process {pid}"


def waits(engine: Engine, container: str) -> bool:
    """Whether its supervisor still waits for its session, as the engine shows the supervisor's name. False when it can't say."""
    import docker.errors

    with translated(engine.address):
        try:
            said: dict[str, Any] = cast("Any", engine.client).top(container, ps_args="-eo pid,ppid,comm")
        except (docker.errors.APIError, ValueError):  # it is just going, or the engine knows no such list
            return False
    return is_waiting(cast("list[list[str]]", said.get("Processes") or []))


def is_waiting(processes: Iterable[Sequence[str]]) -> bool:
    """Whether the first of a container's processes, by number, parent's number and name, is a supervisor that waits. Pure.

    All others descend from it, whatever they call themselves: its parent alone is not among them.
    """
    rows = [tuple(row) for row in processes]
    numbers = {row[0] for row in rows if row}
    first = [row for row in rows if len(row) != 3 or row[1] not in numbers]
    return len(first) == 1 and first[0][2:] == (WAITING,)


def memory_held(engine: Engine, container: str) -> int | None:
    """Bytes that its processes and its files hold now. None when the engine doesn't say, as of one that is just going."""
    import docker.errors

    with translated(engine.address):
        try:
            said: dict[str, Any] = cast("Any", engine.client).stats(container, stream=False, one_shot=True)
        except (docker.errors.APIError, ValueError):
            return None
    return memory_of(said)


def memory_of(stats: Mapping[str, Any]) -> int | None:
    """What the kernel could not just drop: memory of the processes, and files, which are in memory, too.

    Of the control group's second version `anon` and `shmem`; its first has no number for files in memory but all cache.
    """
    of_memory = cast("dict[str, dict[str, int] | None]", stats.get("memory_stats") or {})
    numbers = of_memory.get("stats") or {}
    if "anon" in numbers:
        return numbers["anon"] + numbers.get("shmem", 0)
    if "total_rss" not in numbers:
        return None
    of_disk = numbers.get("total_active_file", 0) + numbers.get("total_inactive_file", 0)
    return numbers["total_rss"] + max(0, numbers.get("total_cache", 0) - of_disk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image with our label."""

    id: str
    names: tuple[str, ...]
    kind: str
    """The label: `1`, or `builder` for a stage that a build left behind."""
    created: float
    size: int


def images(engine: Engine, label: str = IMAGE_LABEL) -> list[Image]:
    """The images with our label, the youngest first: what is made of another comes before it."""
    with translated(engine.address):
        found: list[dict[str, Any]] = cast("Any", engine.client).images(filters={"label": label})
    ours = [
        Image(
            id=str(one["Id"]),
            names=tuple(name for name in one.get("RepoTags") or () if name != "<none>:<none>"),
            kind=cast("dict[str, str]", one.get("Labels") or {}).get(label, ""),
            created=float(one.get("Created") or 0),
            size=int(one.get("Size") or 0),
        )
        for one in found
    ]
    return sorted(ours, key=lambda image: image.created, reverse=True)


def out_of_date(found: Iterable[Image], current: Collection[str], now: float, name: str = NAME) -> list[Image]:
    """Those that nothing needs any more: stages of builds, and old images of ours neither `current` nor made of one that is."""

    def is_old(image: Image) -> bool:
        if not image.names:
            return image.kind == "builder" and now - image.created > BUILD_SECONDS
        ours = all(tag.startswith(f"{name}:") for tag in image.names)
        needed = any(tag == right or tag.startswith(f"{right}-") for tag in image.names for right in current)
        return ours and not needed and now - image.created > KEPT_SECONDS

    return [image for image in found if is_old(image)]


def current_images() -> tuple[str, ...]:
    """The names that the sandbox image may have now."""
    bases = {*base_images(os.environ.get(BASE_VARIABLE)), LOCAL_BASE, PUBLIC_BASE}
    return tuple(sorted(image_tag(base) for base in bases))


def prune(engine: Engine, on_progress: OnProgress) -> int:
    """Remove leftover containers and images that are out of date, where nothing uses them; returns how many."""
    removed = sweep(engine)
    for container in removed:
        on_progress(f"removed the container {container[:12]}, whose owner is gone")
    with one_build_at_a_time(on_progress):
        return len(removed) + remove_images(engine, out_of_date(images(engine), current_images(), time.time()), on_progress)


def remove_images(engine: Engine, old: Iterable[Image], on_progress: OnProgress) -> int:
    """Remove them, but for those that a container or another image uses; says which, and how much the engine's disk has back."""
    import docker.errors

    sdk, removed, before = cast("Any", engine.client), 0, _on_disk(engine)
    for image in old:
        what = ", ".join(image.names) or f"what a build left behind, {image.id.removeprefix('sha256:')[:12]}"
        days = int((time.time() - image.created) // 86_400)
        try:
            with translated(engine.address):
                try:
                    for name in image.names or (image.id,):
                        sdk.remove_image(name)
                except docker.errors.ImageNotFound:
                    continue
        except EngineUnavailable as error:
            on_progress(f"left {what}: {error.said}")
            continue
        removed += 1
        on_progress(f"removed {what} ({human_size(image.size)} with what it shares, {days} days old)")
    if removed:
        on_progress(f"{human_size(max(0, before - _on_disk(engine)))} of the engine's disk are free again")
    return removed


def _on_disk(engine: Engine) -> int:
    with translated(engine.address):
        said: dict[str, Any] = cast("Any", engine.client).df()
    return int(said.get("LayersSize") or 0)


def name_of(engine: Engine, image: str) -> str:
    """The name of ours that the image of this id has."""
    with translated(engine.address):
        said: dict[str, Any] = cast("Any", engine.client).inspect_image(image)
    return next((str(name) for name in said.get("RepoTags") or () if name.startswith(f"{NAME}:")), image)
