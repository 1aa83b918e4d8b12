"""The weights come once, whole, and from nobody but their publisher: against a hub on loopback."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from sandloop.errors import BadFile, LocalModelFailed
from sandloop_providers.weights import KNOWN, Weights, kept, own_file
from sandloop_providers.weights_download import download
from wire.hub_server import Hub

CONTENT = b"GGUF" + bytes(range(256)) * 1000
TINY = Weights(
    model=KNOWN["small"].model,
    file="tiny.gguf",
    size=len(CONTENT),
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    repository="Owner/Tiny",
    ollama=(),
)
PATH = "/Owner/Tiny/resolve/main/tiny.gguf"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(PATH, CONTENT) as running:
        yield running


async def fetched(hub: Hub, folder: Path) -> list[int]:
    async with aclosing(download(TINY, folder, hub.url, pause=0)) as progress:
        return [size async for size in progress]


async def test_a_download_is_verified_kept_and_not_asked_for_again(hub: Hub, tmp_path: Path) -> None:
    sizes = await fetched(hub, tmp_path)
    assert sizes[-1] == len(CONTENT)
    assert kept(TINY, tmp_path) == tmp_path / "tiny.gguf"
    assert (tmp_path / "tiny.gguf").read_bytes() == CONTENT
    await fetched(hub, tmp_path)
    assert hub.asked == [None]


async def test_an_interrupted_download_goes_on_where_it_broke_off(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [1000, 5000]
    await fetched(hub, tmp_path)
    assert hub.asked == [None, "bytes=1000-", "bytes=6000-"]
    assert (tmp_path / "tiny.gguf").read_bytes() == CONTENT


async def test_a_later_run_goes_on_with_what_an_earlier_one_left(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf.part").write_bytes(CONTENT[:777])
    await fetched(hub, tmp_path)
    assert hub.asked == ["bytes=777-"]
    assert kept(TINY, tmp_path) is not None


async def test_a_hub_that_ignores_ranges_is_read_from_the_start(hub: Hub, tmp_path: Path) -> None:
    hub.ranges = False
    (tmp_path / "tiny.gguf.part").write_bytes(b"x" * 777)
    await fetched(hub, tmp_path)
    assert (tmp_path / "tiny.gguf").read_bytes() == CONTENT


async def test_a_download_that_never_ends_well_keeps_what_came_and_says_where_to_put_the_file(hub: Hub, tmp_path: Path) -> None:
    hub.cuts = [100] * 9
    with pytest.raises(LocalModelFailed) as caught:
        await fetched(hub, tmp_path)
    assert "500 of 256004 bytes are kept" in str(caught.value)
    assert str(tmp_path) in caught.value.do
    assert "tools/fetch_weights.py small" in caught.value.do
    assert (tmp_path / "tiny.gguf.part").stat().st_size == 500


async def test_a_file_with_another_sum_is_deleted_and_never_used(hub: Hub, tmp_path: Path) -> None:
    hub.content = CONTENT[:-1] + b"!"
    with pytest.raises(LocalModelFailed, match="another SHA-256"):
        await fetched(hub, tmp_path)
    assert [p.name for p in tmp_path.iterdir() if "lock" not in p.name] == []


async def test_a_hub_that_sends_too_much_is_stopped_at_the_known_size(hub: Hub, tmp_path: Path) -> None:
    hub.content = CONTENT + b"more"
    with pytest.raises(LocalModelFailed, match="more than"):
        await fetched(hub, tmp_path)
    assert (tmp_path / "tiny.gguf.part").stat().st_size == 0


async def test_a_hub_without_the_file_is_asked_once(hub: Hub, tmp_path: Path) -> None:
    hub.status = 404
    with pytest.raises(LocalModelFailed, match="answered 404"):
        await fetched(hub, tmp_path)
    assert len(hub.asked) == 1


async def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with Hub(PATH, CONTENT) as gone:
        pass
    with pytest.raises(LocalModelFailed, match=r"tools/fetch_weights\.py"):
        await fetched(gone, tmp_path)


def test_a_wrong_file_in_the_cache_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"x" * len(CONTENT))
    with pytest.raises(LocalModelFailed, match="moved to"):
        kept(TINY, tmp_path)
    assert (tmp_path / "tiny.gguf.wrong").exists()
    assert kept(TINY, tmp_path) is None


def test_a_file_is_hashed_once_and_again_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(CONTENT)
    assert kept(TINY, tmp_path) == path
    stat = path.stat()
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert kept(TINY, tmp_path) == path, "same size and time: taken to be the same file"
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    with pytest.raises(LocalModelFailed):
        kept(TINY, tmp_path)


def test_a_file_the_user_names_must_be_gguf(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(b"GGUF....")
    (tmp_path / "b.gguf").write_bytes(b"PK")
    assert own_file(tmp_path / "a.gguf") == tmp_path / "a.gguf"
    for name in ("b.gguf", "missing.gguf"):
        with pytest.raises(BadFile):
            own_file(tmp_path / name)
