"""The container of every baseline: created by the sandbox's own policy, so that all subjects pay for the same flags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop_sandbox.container import LABEL, new_identity, seccomp_profile
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.policy import container_config

ENVIRONMENT = ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp", "MPLBACKEND=Agg", "MPLCONFIGDIR=/opt/mplconfig"]

BASELINE = f"{LABEL}.baseline"
"""The label of a container that is not the sandbox's own."""


def limits(**changed: Any) -> Limits:
    """The defaults, which are what is measured."""
    return replace(Limits(), **changed)


def closed_config(engine: Engine, image: str, argv: Sequence[str], mounts: tuple[str, ...] = ()) -> tuple[dict[str, Any], str]:
    """The request for a hardened container that runs a program, and its name. By its labels a sweep finds it."""
    identity = new_identity(limits())
    options = SandboxOptions(unsafe_mounts=mounts)
    config = container_config(limits(), engine.host, identity, image, seccomp_profile(), options)
    config["Labels"][BASELINE] = "1"
    config |= {"Entrypoint": list(argv), "Cmd": [], "Env": ENVIRONMENT, "WorkingDir": "/workspace"}
    return config, identity.name
