"""What the doctor says of the local sandbox: the engine and the image."""

from __future__ import annotations

import os
from typing import Any

from sandloop.errors import SandboxError
from sandloop.ports import Finding
from sandloop.sizes import human_size
from sandloop_sandbox.engine import Engine, engine
from sandloop_sandbox.image import BASE_VARIABLE, base_images, image_id, image_tag


def findings() -> list[Finding]:
    """Looks, and changes nothing: no image is built or fetched."""
    try:
        found = engine()
        info: dict[str, Any] = found.client.version()
    except SandboxError as error:
        said, do = str(error), str(getattr(error, "do", ""))
        return [Finding(what="container engine", state="missing", says=said.removesuffix(f" {do}."), do=do)]
    where = f"{info.get('Version', '?')} at {found.address}, {found.host.cpus} cores, {human_size(found.host.memory)} of memory"
    return [Finding(what="container engine", state="ready", says=f"Docker {where}"), _image(found)]


def _image(found: Engine) -> Finding:
    tags = [image_tag(base) for base in base_images(os.environ.get(BASE_VARIABLE))]
    present = next((tag for tag in tags if image_id(found.client, tag)), None)
    if present is not None:
        return Finding(what="sandbox image", state="ready", says=present)
    says = "not built yet; the first question builds it, once, in about 2 minutes, with network"
    return Finding(what="sandbox image", state="optional", says=says, do="in a checkout, `make image` builds it now")
