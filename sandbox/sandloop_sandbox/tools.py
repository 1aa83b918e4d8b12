"""What can be done with a Docker engine beside opening sandboxes: the entry point `docker` of `sandloop.sandbox_tools`."""

from __future__ import annotations

from sandloop.options import SandboxOptions
from sandloop.ports import Held, OnProgress, Proof
from sandloop_sandbox import inventory
from sandloop_sandbox.engine import engine


class DockerTools:
    """A `SandboxTools` on a Docker engine."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options

    def ps(self) -> list[Held]:
        """Our containers, the oldest first."""
        return inventory.held(engine())

    def prune(self, on_progress: OnProgress) -> int:
        """Remove containers without an owner and images that are out of date; returns how many."""
        return inventory.prune(engine(), on_progress)

    def build(self, on_progress: OnProgress) -> str:
        """Build the image for the options' packages, unless it is there; returns its name."""
        from sandloop_sandbox.image import ensure_image

        client = engine().client
        return inventory.name_of(engine(), ensure_image(client, on_progress, self._options.packages))

    def prove(self, on_progress: OnProgress) -> list[Proof]:
        """Open sandboxes and attack them from inside; takes about a quarter of a minute."""
        from sandloop_sandbox.prove_docker import prove

        return prove(self._options, on_progress)


def docker_tools(options: SandboxOptions) -> DockerTools:
    """The entry point `docker`."""
    return DockerTools(options)
