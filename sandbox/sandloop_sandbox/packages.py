"""Images with more packages than the sandbox image has: one for each set of them, built once, named by what it was asked to hold.

The name is that of the sandbox image and a hash of the packages, so a new sandbox image gives new ones. What the user's pip is told
about indexes goes into a stage that is removed after the build, and so into no image that stays.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from sandloop.errors import ImageUnavailable
from sandloop.settings.sandbox import checked
from sandloop_image.packages.add import REFUSED
from sandloop_sandbox.image import (
    BASE_VARIABLE,
    OnProgress,
    base_images,
    digest,
    ensure_image,
    image_id,
    image_tag,
    one_build_at_a_time,
)
from sandloop_sandbox.image_build import CHECK_NETWORK, ImageBuild, certificates
from sandloop_sandbox.pip_settings import as_file, needs_host_network, pip_settings

if TYPE_CHECKING:
    from docker import APIClient

LABEL = "dev.sandloop.packages"
BUILD_LABEL = "dev.sandloop.build"
FORGET_SECONDS = 10.0
"""A build that was given up ends in a second."""
_SPEC = re.compile(r"([^\[=<>~!]+)(?:\[([^\]]*)\])?(.*)")
_NAME_ONE = (
    "Check its name and version, and that the engine reaches the index: one of your own is named as for pip (PIP_INDEX_URL, "
    "PIP_EXTRA_INDEX_URL, pip.conf), its certificates with PIP_CERT. Only wheels are taken, as building from source runs a package"
)
_FITTING = "The image's own packages stay at their versions: name versions that go with them, or leave the version out"
_CONFLICT = re.compile(r"The conflict is caused by:")
_PINNED = re.compile(r"The user requested \(constraint\) (\S+)==(\S+)")


def normalised(packages: Sequence[str]) -> tuple[str, ...]:
    """The packages as they are compared: sorted, each once, in the one spelling that a name has. Raises `BadSetting`."""
    return tuple(sorted({_normal(spec) for spec in checked("packages", list(packages))}))


def _normal(spec: str) -> str:
    found = _SPEC.fullmatch(spec)
    assert found is not None  # noqa: S101 - it was checked
    name, extras, versions = found[1], found[2], found[3]
    inner = ",".join(sorted(_name(extra) for extra in (extras or "").split(",") if extra))
    return _name(name) + (f"[{inner}]" if inner else "") + ",".join(sorted(filter(None, versions.split(","))))


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", text).lower()


def packages_tag(sandbox: str, packages: Sequence[str]) -> str:
    """The name of the image that is made of the one of that name and these packages."""
    return f"{sandbox}-{digest(recipe(), ' '.join(normalised(packages)))}"


@functools.cache
def recipe() -> Mapping[str, bytes]:
    """The files of the build, by name."""
    folder = files("sandloop_image") / "packages"
    return {name: (folder / name).read_bytes() for name in ("Dockerfile", "add.py")}


def ensure_packages(client: APIClient, on_progress: OnProgress, packages: Sequence[str]) -> str:
    """The id of the image with these packages, built first when the engine hasn't got it.

    Raises `ImageUnavailable`, or `BadSetting`.
    """
    wanted = normalised(packages)
    bases = base_images(os.environ.get(BASE_VARIABLE))
    for base in bases:
        if present := image_id(client, packages_tag(image_tag(base), wanted)):
            return present
    sandbox_id = ensure_image(client, on_progress)
    sandbox = next(image_tag(base) for base in bases if image_id(client, image_tag(base)) == sandbox_id)
    tag = packages_tag(sandbox, wanted)
    with one_build_at_a_time(on_progress):
        if present := image_id(client, tag):  # somebody else built it while we waited
            return present
        PackagesBuild(tag, on_progress).add(client, sandbox, wanted)
    built = image_id(client, tag)
    assert built, f"the engine built {tag} and does not know it"  # noqa: S101 - the engine said so a moment ago
    return built


class PackagesBuild(ImageBuild):
    """Builds one image with more packages."""

    what = "the image with your packages"
    kept_lines = 40
    """pip says first what went wrong, and much after it."""

    def add(self, client: APIClient, sandbox: str, packages: Sequence[str]) -> None:
        """Raises `ImageUnavailable` with what pip said of it."""
        self._on_progress(f"building {self.what} (once): {' '.join(packages)}")
        settings, build = pip_settings(os.environ), secrets.token_hex(8)
        context = {**recipe(), "requirements.txt": "\n".join(packages).encode() + b"\n"}
        try:
            self.send(
                client,
                {**context, **as_file(settings), **certificates(os.environ)},
                buildargs={"SANDBOX_IMAGE": sandbox, "BUILD": build},
                labels={LABEL: " ".join(packages)},
                network_mode="host" if needs_host_network(settings) else None,
            )
        finally:
            forget_build(client, build)

    def failed(self, last: list[str]) -> ImageUnavailable:
        """pip's own reason, and what to do about it."""
        said, do = why_it_failed(last)
        return ImageUnavailable(image=self.image, said=said, do=do)


def why_it_failed(last: Sequence[str]) -> tuple[str, str]:
    """What happened and what to do, from the last lines of the build."""
    begin = next((place for place, line in enumerate(last) if _CONFLICT.match(line)), None)
    if begin is not None:
        reasons = [line for line in last[begin + 1 :] if "requested" in line or "depends on" in line]
        said = "; ".join(_PINNED.sub(r"the image has \1 \2", line) for line in reasons)
        return f"the packages do not go together: {said}", _FITTING
    errors = [line.removeprefix("ERROR: ") for line in last if line.startswith("ERROR: ")]
    if not errors:
        return "the build ended with: " + " | ".join(last[-6:]), CHECK_NETWORK
    if errors[-1].startswith(REFUSED):
        return errors[-1], "Leave that package out; `pip download` and a look into the wheels say which it is"
    unknown = any("No matching distribution" in line for line in errors)
    return errors[-1].rstrip("."), _NAME_ONE if unknown else CHECK_NETWORK


def forget_build(client: APIClient, build: str) -> None:
    """Remove what a build left beside its image: the stage that knows the user's settings of pip. Where it can't, `prune` does."""
    from docker.errors import DockerException
    from requests.exceptions import RequestException

    sdk, end = cast("Any", client), time.monotonic() + FORGET_SECONDS
    with contextlib.suppress(DockerException, RequestException):
        while left := sdk.images(filters={"dangling": True, "label": f"{BUILD_LABEL}={build}"}):
            for image in left:
                with contextlib.suppress(DockerException):  # a build that was given up is just ending
                    sdk.remove_image(image["Id"])
            if time.monotonic() > end:
                return
            time.sleep(0.1)
