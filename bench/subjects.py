"""All subjects by name."""

from __future__ import annotations

from baselines import DockerExec, DockerRun
from limit import Limit, PooledLimit
from ours import Ours
from sandloop_sandbox.engine import Engine
from subject import Subject


def make(name: str, engine: Engine, image: str) -> Subject:
    """The subject of that name. Raises `KeyError`."""
    match name:
        case "ours":
            return Ours(engine)
        case "ours_warm":
            return Ours(engine, pool=1)
        case "limit":
            return Limit(engine, image)
        case "limit_warm":
            return PooledLimit(engine, image)
        case "exec":
            return DockerExec(engine, image)
        case "run":
            return DockerRun(engine, image)
        case _:
            raise KeyError(name)
