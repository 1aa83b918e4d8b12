"""One session's container at OpenAI, and the files that go in and come out of it. Deleted at the end, container first.

An id is remembered the moment it is known. What we never learn, because we were killed, ends by itself: a container after 20
minutes without use, an upload by its expiry.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio

from sandloop.errors import BadFile
from sandloop.events import FileMade, Noted
from sandloop.ports import LocalFile, Turn
from sandloop.sizes import human_size
from sandloop_providers.chat_errors import Fault, fault_of
from sandloop_providers.http_errors import plain
from sandloop_providers.remote_runs import PICTURE_TYPES, Inline
from sandloop_providers.responses_items import Cited
from sandloop_providers.responses_wire import native_tool

if TYPE_CHECKING:
    from openai import AsyncOpenAI

EXPIRES_SECONDS = 24 * 3600
IDLE_MINUTES = 20
"""The most that OpenAI gives."""
MAX_LISTED = 500
AT_ONCE = 4
CHUNK = 256 * 1024
DOWNLOAD_SILENCE = 60.0
log = logging.getLogger("sandloop")


def _id_of(answer: object, to: str) -> str:
    """The SDK hands on whatever came, text too."""
    found = getattr(answer, "id", None)
    if not isinstance(found, str) or not found:
        raise Fault("unreadable", f"{to} was answered without an id")
    return found


class RemoteContainer:
    """What this session has at the provider."""

    def __init__(self, *, key: str, purpose: str = "user_data") -> None:
        self._key, self._purpose = key, purpose
        self.id = ""
        self.paths: dict[str, str] = {}
        """Where each input lies in the container, by its name."""
        self._uploads: dict[str, str] = {}
        self._seen: set[str] = set()
        self._made: dict[str, str] = {}
        """The SHA-256 of the last version of each made file, by its name."""
        self._containers: list[str] = []

    async def ready(self, client: AsyncOpenAI, files: Sequence[LocalFile]) -> None:
        """A live container with all the files in it. Raises what the SDK raises."""
        for local in files:
            if local.file.name not in self._uploads:
                self._uploads[local.file.name] = await self._upload(client, local)
        if not self.id:
            await self._create(client)
        for name in [n for n in self._uploads if n not in self.paths]:
            entry: Any = await client.containers.files.create(self.id, file_id=self._uploads[name])
            self._learn(name, entry)

    def tool(self, kind: str) -> dict[str, Any]:
        """The declaration of the tool, in this container."""
        return native_tool(kind, self.id)

    @property
    def request(self) -> dict[str, Any]:
        """What the body of a request says about the container besides the tool."""
        return {}

    def lost(self) -> None:
        """The container is gone: the next `ready` makes another, with the same uploads."""
        self.id, self.paths = "", {}

    async def _upload(self, client: AsyncOpenAI, local: LocalFile) -> str:
        with local.path.open("rb") as content:
            kind: Any = self._purpose
            stored = await client.files.create(
                file=(local.file.name, content, local.file.mime),
                purpose=kind,
                expires_after={"anchor": "created_at", "seconds": EXPIRES_SECONDS},
            )
        return _id_of(stored, "an upload")

    async def _create(self, client: AsyncOpenAI) -> None:
        made: Any = await client.containers.create(
            name="sandloop",
            expires_after={"anchor": "last_active_at", "minutes": IDLE_MINUTES},
            file_ids=list(self._uploads.values()),
            network_policy={"type": "disabled"},
        )
        self.id = _id_of(made, "a request for a container")
        self._containers.append(self.id)
        by_upload = {upload: name for name, upload in self._uploads.items()}
        async for entry in self._listed(client):
            # `/mnt/data/<upload>-<name>`, as seen.
            upload = next((u for u in by_upload if u in str(entry.path)), None)
            if upload is not None:
                self._learn(by_upload[upload], entry)
            self._seen.add(str(entry.id))
        for upload, name in by_upload.items():
            self.paths.setdefault(name, f"/mnt/data/{upload}-{name}")

    def _learn(self, name: str, entry: Any) -> None:
        path = getattr(entry, "path", None)
        self.paths[name] = path if isinstance(path, str) and path else f"/mnt/data/{self._uploads[name]}-{name}"
        self._seen.add(str(getattr(entry, "id", "")))

    async def _listed(self, client: AsyncOpenAI) -> AsyncIterator[Any]:
        count = 0
        async for entry in client.containers.files.list(self.id, limit=100, order="asc"):
            yield entry
            count += 1
            if count >= MAX_LISTED:
                return

    async def made(
        self, client: AsyncOpenAI, pictures: Sequence[Inline], cited: Sequence[Cited], code_id: str | None, turn: Turn
    ) -> AsyncGenerator[FileMade | Noted]:
        """What the reply made: pictures that came inline, files it names, and files it does not name. Each once, bounded.

        A file that can't be had is noted and stops nothing.
        """
        shown: set[str] = set()
        for picture in pictures[: turn.limits.files]:
            made = await self._inline(picture, turn)
            if isinstance(made, FileMade):
                if made.sha256 in shown:
                    continue
                shown.add(made.sha256)
            yield made
        wanted = await self._wanted(client, cited)
        for file_id, name in wanted[: turn.limits.files]:
            made = await self._fetch(client, file_id, name, code_id, turn)
            if not (isinstance(made, FileMade) and made.sha256 in shown):
                yield made
        if (left := len(wanted) - turn.limits.files) > 0:
            yield Noted(about="file", text=f"{left} more made files were not brought back: the limit is {turn.limits.files}.")

    async def _inline(self, picture: Inline, turn: Turn) -> FileMade | Noted:
        name = f"figure-{1 + sum(n.startswith('figure-') for n in self._made)}.{PICTURE_TYPES[picture.mime]}"

        async def once() -> AsyncIterator[bytes]:
            yield picture.data

        try:
            made = await turn.sink.add(name, once(), code_id=picture.code_id)
        except BadFile as error:
            return Noted(about="file", text=str(error))
        self._made[name] = made.sha256
        return made

    async def _wanted(self, client: AsyncOpenAI, cited: Sequence[Cited]) -> list[tuple[str, str]]:
        """Ids and names of files that are new in the container; entries without content are none."""
        wanted = {c.file_id: c.name for c in cited if c.container == self.id and c.file_id not in self._seen}
        try:
            async for entry in self._listed(client):
                name = posixpath.basename(str(entry.path or ""))
                if entry.source == "assistant" and entry.bytes is not None and name and str(entry.id) not in self._seen:
                    wanted.setdefault(str(entry.id), name)
        except Exception as error:
            log.info("the container's files could not be listed: %s", type(error).__name__)
        self._seen |= set(wanted)
        return list(wanted.items())

    async def _fetch(self, client: AsyncOpenAI, file_id: str, name: str, code_id: str | None, turn: Turn) -> FileMade | Noted:
        name = name[:255] or file_id
        try:
            content = client.containers.files.content.with_streaming_response
            async with content.retrieve(file_id, container_id=self.id, timeout=DOWNLOAD_SILENCE) as response:
                size = response.headers.get("content-length", "")
                if size.isdigit() and int(size) > turn.limits.file_bytes:
                    limit = human_size(turn.limits.file_bytes)
                    return Noted(
                        about="file", text=f"{name!r} was not brought back: it is {human_size(int(size))}, the limit is {limit}."
                    )
                chunks: Any = response.iter_bytes(CHUNK)
                async with aclosing(chunks):
                    made = await turn.sink.add(name, chunks, code_id=code_id, change="changed" if name in self._made else "new")
        except BadFile as error:
            return Noted(about="file", text=str(error))
        except OSError as error:  # the disk here, not the provider
            return Noted(about="file", text=f"{name!r} was not brought back: {error.strerror or error}.")
        except Exception as error:
            return Noted(about="file", text=f"{name!r} was not brought back: {plain(fault_of(error).said, self._key)}.")
        self._made[name] = made.sha256
        return made

    async def delete_all(self, client: AsyncOpenAI) -> None:
        """Delete containers and uploads. What can't be deleted is logged; it ends by its expiry."""
        limiter = anyio.CapacityLimiter(AT_ONCE)

        async def delete(what: Any, name: str) -> None:
            async with limiter:
                try:
                    await what(name)
                except Exception as error:  # closing never raises
                    if getattr(error, "status_code", None) != 404:  # 404: gone already
                        log.warning("OpenAI did not delete %s: %s", name, type(error).__name__)

        containers, uploads = self._containers, list(self._uploads.values())
        self._containers, self._uploads = [], {}
        self.lost()
        async with anyio.create_task_group() as group:
            for container in containers:
                group.start_soon(delete, client.containers.delete, container)
            for upload in uploads:
                group.start_soon(delete, client.files.delete, upload)
