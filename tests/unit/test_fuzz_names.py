"""Names that a sandbox lists, from there to the user's disk: each stays in its folder, none takes another's place.

Every test saves into a folder that has a neighbour, and the neighbour stays as it was.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import anyio
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandloop.events import CodeRan, CodeWritten, FileMade, SandboxOpened
from sandloop.limits import Limits
from sandloop.names import clean_path
from sandloop.options import SandboxOptions
from sandloop.ports import FoundFile, Listing
from sandloop.result import Result
from sandloop.store import FileStore
from sandloop.workspace import Workspace

HOSTILE = [
    "..", "../up", "/etc/passwd", "a/../../up", "a//b", "a/./b", "C:\\x", "C:x", "\\\\host\\share", "con", "NUL.txt",
    "com1.tar.gz", "COM¹", "aux .txt", "x.", "x. . .", " x", "x ", "-rf", "~", "~root/x", ".bashrc", ".git/config", "...",
    "a\0b", "a\nb", "\x1b[2J", "\u202egpj.exe", "\u200b", "e\u0301", "é", "ﬁ", "K", "ß", "SS", "İ", "A", "a", "a:b", "a?b",
    "a*b", "a|b", "x" * 255, "é" * 127, "東" * 85 + ".csv", "/".join("d" * 40), "a", "a/b", "a/b/c", "\ufffe", "\ue000",
    "\u2028", "desktop.ini", "$(id)", "`id`", "%PATH%", "'", '"', "a;b", "\t",
]  # fmt: skip
CHARACTERS = st.characters(exclude_categories=["Cs"])
PARTS = st.one_of(st.sampled_from(HOSTILE), st.text(CHARACTERS, max_size=8), st.sampled_from(["a", "A", "b", ".."]))
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)


class Lister:
    """A sandbox whose folder has files of those names after the first cell, each with its own content."""

    opened = SandboxOpened(sandbox="lister", id="s")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    async def open(self) -> Lister:
        return self

    async def close(self) -> None:
        """As of a session."""

    async def interrupt(self) -> None:
        """As of a session: its cells end at once."""

    async def run(self, code_id: str, *_: object) -> CodeRan:
        return CodeRan(code_id=code_id, exit_code=0)

    async def files(self) -> Listing:
        return Listing(files=tuple(FoundFile(name=name, size=1, version="v") for name in self.names))

    async def get(self, name: str) -> AsyncIterator[bytes]:
        yield content(name)


def content(name: str) -> bytes:
    return b"content of " + name.encode("utf-8", "surrogatepass")


async def fetched(names: Sequence[str], store: FileStore) -> list[FileMade]:

    def factory(_: str) -> Callable[..., Lister]:
        return lambda *_: Lister(names)

    workspace = Workspace(options=SandboxOptions(), limits=Limits(), store=store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sandloop.workspace.sandbox_factory", factory)
        events = [event async for event in workspace.prepare([], preview=False)]
        events += [event async for event in workspace.run(CODE)]
    assert {type(event) for event in events} == {SandboxOpened, CodeRan, FileMade}
    return [event for event in events if isinstance(event, FileMade)]


CODE = CodeWritten(code_id="c1", source="", language="python", origin="fenced")


def saved(names: Sequence[str], folder: Path, times: int = 1) -> list[Path]:
    store = FileStore(file_bytes=10_000)
    events = anyio.run(lambda: fetched(names, store))
    files = Result(events=(CODE, *events), store=store).files
    assert [file.name for file in files] == [clean_path(file.name) for file in files]
    return [path for _ in range(times) for path in files.save(folder)]


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True))
@example(HOSTILE)
@example(["a:b", "a?b", "a*b"])
@example(["a", "a/b"])
@example(["a/b", "A/b", "a", "A"])
@example(["/".join("d" * 40), "x/" + "/".join("d" * 40)])
@settings(deadline=None, max_examples=150)
def test_every_listed_file_is_saved_once_inside_its_folder_and_nothing_else_is_touched(names: list[str]) -> None:
    names = list(dict.fromkeys(names))
    with tempfile.TemporaryDirectory() as top:
        folder, neighbour = Path(top, "folder"), Path(top, "up")
        neighbour.write_text("untouched")
        folder.mkdir()
        (folder / "a").write_text("the user's")

        paths = saved(names, folder, times=2)

        assert sorted(Path(top).iterdir()) == [folder, neighbour]
        assert neighbour.read_text() == "untouched"
        assert (folder / "a").read_text() == "the user's"
        on_disk = [path for path in folder.rglob("*") if not path.is_dir()]
        assert len(set(paths)) == len(paths) == 2 * len(names) == len(on_disk) - 1
        assert all(path.resolve().is_relative_to(folder.resolve()) and not path.is_symlink() for path in on_disk)
        assert sorted(path.read_bytes() for path in paths) == sorted(2 * [content(name) for name in names])
        assert {path.stat().st_mode & 0o777 for path in paths} <= {0o600}


def test_a_folder_in_the_way_of_a_file_and_a_file_in_the_way_of_a_folder_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "plot.png").mkdir()
    (tmp_path / "out").write_text("the user's")
    first, second = saved(["plot.png", "out/a.txt"], tmp_path)

    assert first == tmp_path / "plot-2.png"
    assert second == tmp_path / "out-2" / "a.txt"
    assert (tmp_path / "out").read_text() == "the user's"


@pytest.mark.parametrize("name", ["COM¹", "com².txt", "LPT³", "CONIN$", "conout$.txt"])
def test_every_reserved_device_is_renamed(name: str) -> None:
    assert clean_path(name).startswith("_")
