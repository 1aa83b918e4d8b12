"""The files of one session at Anthropic: inputs up once, outputs down bounded, and all of them deleted at the end.

An id is remembered the moment it is known. What we never learn, because we were killed or the answer to an upload was lost,
ends by itself: every upload carries an expiry.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

import anyio

from sandloop.errors import BadFile, SandloopError
from sandloop.events import FileMade, Noted
from sandloop.ports import LocalFile, Turn
from sandloop.sizes import human_size
from sandloop_providers.anthropic_blocks import Output
from sandloop_providers.anthropic_errors import NAME, Fault, fault_of, upload_error
from sandloop_providers.untrusted import text

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

EXPIRES_SECONDS = 24 * 3600
"""The net for a killed process. A session lives 6 hours by default; the API takes 1 hour to 90 days."""
AT_ONCE = 4
CHUNK = 256 * 1024
DOWNLOAD_SILENCE = 60.0
"""Seconds without a byte after which a download is given up."""
log = logging.getLogger("sandloop")


class RemoteFiles:
    """What this session has at the provider."""

    def __init__(self, *, key: str, model: str, address: str) -> None:
        self._key, self._model, self._address = key, model, address
        self.ids: dict[str, str] = {}
        """The file id of each input, by the name the code sees."""
        self._to_delete: dict[str, None] = {}
        self._asked: set[str] = set()
        self._names: set[str] = set()

    async def upload(self, client: AsyncAnthropic, files: Sequence[LocalFile]) -> None:
        """Upload what is not there yet, streamed from disk. Raises `BadFile` or a `ProviderError` when one is not taken."""
        limiter = anyio.CapacityLimiter(AT_ONCE)
        failed: list[SandloopError] = []

        async def put(local: LocalFile) -> None:
            async with limiter:
                try:
                    self._learn(local.file.name, await self._put(client, local))
                except OSError as error:
                    why = f"can't be read: {error.strerror or error}"
                    failed.append(BadFile(name=local.file.name, why=why, do="Check that it is still there"))
                except Exception as error:
                    fault = fault_of(error, key=self._key)
                    failed.append(upload_error(fault, name=local.file.name, model=self._model, address=self._address))

        # A failed upload does not cancel its siblings: a request that is cut off may leave a file whose id nobody learns.
        async with anyio.create_task_group() as group:
            for local in files:
                if local.file.name not in self.ids:
                    group.start_soon(put, local)
        if failed:
            raise failed[0]

    async def _put(self, client: AsyncAnthropic, local: LocalFile) -> str:
        with local.path.open("rb") as content:
            stored = await client.files.upload(file=(local.file.name, content, local.file.mime), expires_in_seconds=EXPIRES_SECONDS)
        return text(stored.id)

    def _learn(self, name: str, file_id: str) -> None:
        if not file_id:
            raise Fault("unreadable", "an upload was answered without a file id")
        self.ids[name] = file_id
        self._to_delete[file_id] = None

    def forget(self, said: str) -> None:
        """An upload is gone at the provider: the one whose id it said, or else all. The next `upload` sends them again."""
        named = [name for name, file_id in self.ids.items() if file_id in said]
        for name in named or list(self.ids):
            self._asked.add(self.ids.pop(name))

    def remember(self, outputs: Sequence[Output]) -> None:
        """To be deleted at the end, whatever becomes of the reply that named them."""
        self._to_delete.update(dict.fromkeys(o.file_id for o in outputs))

    async def download(self, client: AsyncAnthropic, outputs: Sequence[Output], turn: Turn) -> AsyncGenerator[FileMade | Noted]:
        """The bytes of made files into the sink. A file that can't be had is noted and stops nothing."""
        wanted = [o for o in outputs if o.file_id not in self._asked and o.file_id not in self.ids.values()]
        for output in wanted[: turn.limits.files]:
            self._asked.add(output.file_id)
            yield await self._one(client, output, turn)
        left = len(wanted) - turn.limits.files
        if left > 0:
            yield Noted(about="file", text=f"{left} more made files were not brought back: the limit is {turn.limits.files}.")

    async def _one(self, client: AsyncAnthropic, output: Output, turn: Turn) -> FileMade | Noted:
        name = output.file_id
        try:
            about = await client.files.retrieve_metadata(output.file_id)
            name = text(about.filename)[:255] or output.file_id
            said_size = cast("object", about.size_bytes)  # the SDK checks no types
            size = said_size if isinstance(said_size, int) else 0
            if about.downloadable is False:
                return Noted(about="file", text=f"{name!r} was not brought back: {NAME} says it can't be downloaded.")
            if size > turn.limits.file_bytes:
                limit = human_size(turn.limits.file_bytes)
                return Noted(about="file", text=f"{name!r} was not brought back: it is {human_size(size)}, the limit is {limit}.")
            async with client.files.with_streaming_response.download(output.file_id, timeout=DOWNLOAD_SILENCE) as response:
                chunks = cast("AsyncGenerator[bytes]", response.iter_bytes(CHUNK))
                async with aclosing(chunks):
                    made = await turn.sink.add(
                        name, chunks, code_id=output.code_id, change="changed" if name in self._names else "new"
                    )
        except BadFile as error:
            return Noted(about="file", text=str(error))
        except OSError as error:  # the disk here, not the provider
            return Noted(about="file", text=f"{name!r} was not brought back: {error.strerror or error}.")
        except Exception as error:
            return Noted(about="file", text=f"{name!r} was not brought back: {fault_of(error, key=self._key).said}.")
        self._names.add(name)
        return made

    async def delete_all(self, client: AsyncAnthropic) -> None:
        """Delete uploads and outputs. What can't be deleted is logged; it ends by its expiry or stays in the account."""
        limiter = anyio.CapacityLimiter(AT_ONCE * 2)
        self.ids.clear()

        async def delete(file_id: str) -> None:
            async with limiter:
                try:
                    await client.files.delete(file_id)
                except Exception as error:  # closing never raises
                    if getattr(error, "status_code", None) != 404:  # 404: gone already
                        log.warning("%s did not delete the file %s: %s", NAME, file_id, type(error).__name__)
                        return
                self._to_delete.pop(file_id, None)

        async with anyio.create_task_group() as group:
            for file_id in tuple(self._to_delete):
                group.start_soon(delete, file_id)
