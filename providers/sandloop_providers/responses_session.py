"""A container that the server makes for a session: OpenRouter's shell has no call that makes one, and none that deletes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sandloop.ports import LocalFile
from sandloop_providers.responses_container import RemoteContainer

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class SessionContainer(RemoteContainer):
    """Named by the session id of the requests. Uploads are deleted at the end; the container ends by itself."""

    _session = ""

    async def ready(self, client: AsyncOpenAI, files: Sequence[LocalFile]) -> None:
        """All the files uploaded; the server puts them in. Raises what the SDK raises."""
        if not self.id:
            self._session = uuid4().hex
            self.id = f"sess_{self._session}"
        for local in files:
            if local.file.name not in self._uploads:
                self._uploads[local.file.name] = await self._upload(client, local)
            self.paths[local.file.name] = local.file.name

    def tool(self, kind: str) -> dict[str, Any]:
        """The declaration of the tool, closed to the network."""
        environment = {"type": "container_auto", "network_policy": {"type": "disabled"}}
        return {"type": kind, "environment": environment | ({"file_ids": [*self._uploads.values()]} if self._uploads else {})}

    @property
    def request(self) -> dict[str, Any]:
        """The session that the container belongs to."""
        return {"session_id": self._session}
