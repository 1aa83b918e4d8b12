"""The input files of one session at Gemini: small ones inline, larger ones uploaded once and deleted at the end.

What we can't delete, because we were killed, ends by itself after 48 hours.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio

from sandloop.errors import BadFile
from sandloop.ports import LocalFile
from sandloop_providers.gemini_wire import Part
from sandloop_providers.plain_http import Fault, Http
from sandloop_providers.untrusted import mapping, text

INLINE_BYTES = 2_000_000
"""Of one file. A request may hold 20 MB, and all of it goes again with every question."""
PIECE = 1 << 20
ACTIVE_SECONDS = 60.0
log = logging.getLogger("sandloop")


class RemoteFiles:
    """What this session has at the provider, by the name the code sees."""

    def __init__(self, http: Http, version: str) -> None:
        self._http, self._version = http, version
        self.parts: dict[str, Part] = {}
        self._uploaded: list[str] = []

    async def ready(self, files: Sequence[LocalFile]) -> None:
        """Every file as a part of a request. Raises `BadFile` and `Fault`."""
        for local in files:
            if local.file.name not in self.parts:
                try:
                    self.parts[local.file.name] = await self._part(local)
                except OSError as error:
                    why = f"can't be read: {error.strerror or error}"
                    raise BadFile(name=local.file.name, why=why, do="Check that it is still there") from error

    async def _part(self, local: LocalFile) -> Part:
        if local.file.size <= INLINE_BYTES:
            data = base64.b64encode(await anyio.Path(local.path).read_bytes()).decode()
            return {"inlineData": {"mimeType": local.file.mime, "data": data}}
        uri = await self._upload(local)
        return {"fileData": {"mimeType": local.file.mime, "fileUri": uri}}

    async def _upload(self, local: LocalFile) -> str:
        start = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(local.file.size),
            "X-Goog-Upload-Header-Content-Type": local.file.mime,
        }
        path = f"/upload/{self._version}/files"
        _, headers = await self._http.call("POST", path, headers=start, json={"file": {"displayName": local.file.name}})
        address = next((v for k, v in headers.items() if k.lower() == "x-goog-upload-url"), "")
        if not address:
            raise Fault("unreadable", "an upload was answered without an address")
        finish = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0", "Content-Length": str(local.file.size)}
        body, _ = await self._http.call("POST", address, headers=finish, content=_pieces(local))
        return await self._active(mapping(body.get("file")))

    async def _active(self, file: Any) -> str:
        name = text(file.get("name"))
        if not name:
            raise Fault("unreadable", "an upload was answered without a name")
        self._uploaded.append(name)
        with anyio.move_on_after(ACTIVE_SECONDS):
            while file.get("state") == "PROCESSING":
                await anyio.sleep(0.5)
                file, _ = await self._http.call("GET", f"/{self._version}/{name}")
        if file.get("state") not in ("ACTIVE", None) or not text(file.get("uri")):
            raise Fault("status", f"an uploaded file is {file.get('state')}", status=400)
        return text(file["uri"])

    async def delete_all(self) -> None:
        """Delete the uploads. What can't be deleted is logged."""
        uploaded, self._uploaded = self._uploaded, []
        self.parts.clear()
        for name in uploaded:
            try:
                await self._http.call("DELETE", f"/{self._version}/{name}")
            except Fault as fault:
                if fault.status != 404:
                    log.warning("Gemini did not delete %s: %s", name, fault.kind)


async def _pieces(local: LocalFile) -> AsyncIterator[bytes]:
    async with await anyio.open_file(local.path, "rb") as file:
        while piece := await file.read(PIECE):
            yield piece
