"""What the doctor says of the local sandbox: the engine, the image, and the settings that decide how it is made."""

from __future__ import annotations

import os
from typing import Any, Literal, cast

from sandloop.errors import BadSetting, SandboxError
from sandloop.options import SandboxOptions
from sandloop.ports import Finding
from sandloop.settings import resolve
from sandloop.sizes import human_size
from sandloop_sandbox.engine import Engine, engine
from sandloop_sandbox.image import BASE_VARIABLE, base_images, image_id, image_tag
from sandloop_sandbox.packages import normalised, packages_tag
from sandloop_sandbox.unreachable import translated

WARM = {
    "auto": "containers are kept ready where that pays",
    "process": "containers are kept ready in each process",
    "shared": "containers are kept ready for all your processes by one in the background",
    "off": "no container is kept ready",
}


def findings() -> list[Finding]:
    """Looks, and changes nothing: no image is built or fetched."""
    try:
        options = resolve().sandbox or SandboxOptions()
        bases = base_images(os.environ.get(BASE_VARIABLE))
    except BadSetting as error:
        return [Finding(what="settings", state="missing", says=str(error), do="correct it, then run `sandloop doctor` again")]
    return [*_of_engine(options, bases), *of_options(options)]


def _of_engine(options: SandboxOptions, bases: tuple[str, ...]) -> list[Finding]:
    try:
        found = engine()
        with translated(found.address):
            version: dict[str, Any] = found.client.version()
            info: dict[str, Any] = found.client.info()
            runtimes = list(cast("dict[str, Any]", info.get("Runtimes") or {}))
        where = (
            f"{version.get('Version', '?')} at {found.address}, {found.host.cpus} cores, {human_size(found.host.memory)} of memory"
        )
        ready = Finding(what="container engine", state="ready", says=f"Docker {where}")
        return [ready, *_runtime(options.runtime, runtimes), *_images(found, bases, options)]
    except SandboxError as error:
        said, do = str(error), str(getattr(error, "do", ""))
        state: Literal["missing", "optional"] = "missing" if options.engine == "docker" else "optional"
        return [Finding(what="container engine", state=state, says=said.removesuffix(f" {do}."), do=do)]


def _runtime(wanted: str | None, known: list[str]) -> list[Finding]:
    if wanted is None:
        return []
    if wanted in known:
        return [Finding(what="container runtime", state="ready", says=wanted)]
    says = f"{wanted!r} is set, and the engine knows {', '.join(sorted(known)) or 'none by name'}"
    return [Finding(what="container runtime", state="missing", says=says, do="install it in the engine, or unset SANDLOOP_RUNTIME")]


def _images(found: Engine, bases: tuple[str, ...], options: SandboxOptions) -> list[Finding]:
    tags = [image_tag(base) for base in bases]
    says = "not built yet; the first question builds it, once, in about 2 minutes, with network"
    all_found = [_image(found, "sandbox image", tags, says, "`sandloop sandbox build` builds it now")]
    if options.packages:
        wanted = " ".join(normalised(options.packages))
        says = f"no image with {wanted} yet; the first question builds it, once, with network"
        tags = [packages_tag(tag, options.packages) for tag in tags]
        all_found.append(
            _image(found, "image with packages", tags, says, "`sandloop sandbox build` builds it now", f" with {wanted}")
        )
    return all_found


def _image(found: Engine, what: str, tags: list[str], says: str, do: str, holds: str = "") -> Finding:
    present = next((tag for tag in tags if image_id(found.client, tag)), None)
    if present is not None:
        return Finding(what=what, state="ready", says=present + holds)
    return Finding(what=what, state="optional", says=says, do=do)


def of_options(options: SandboxOptions) -> list[Finding]:
    """How sandboxes are made, and what of that weakens them. Pure."""
    kept = f", {options.pool} at a time" if options.warm != "off" else ""
    made = Finding(what="sandbox", state="ready", says=f"{options.engine}; warm = {options.warm}: {WARM[options.warm]}{kept}")
    if not options.weakened:
        return [made]
    says = f"weakened on purpose: {', '.join(f'{name} = {_value(getattr(options, name))}' for name in options.weakened)}"
    do = "unset what is not meant: in the environment " + ", ".join(f"SANDLOOP_{name.upper()}" for name in options.weakened)
    return [made, Finding(what="sandbox", state="warning", says=says, do=f"{do}, or in your settings file")]


def _value(value: object) -> str:
    return " ".join(str(one) for one in cast("tuple[object, ...]", value)) if isinstance(value, tuple) else str(value).lower()
