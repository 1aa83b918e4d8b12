"""The files of a question: each bad one gets its sentence, each good one a name of its own."""

from __future__ import annotations

import gc
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandloop.errors import BadFile, UsageError
from sandloop.files import FileLike, Inputs

ROOM = 10_000


@pytest.fixture
def inputs() -> Inputs:
    return Inputs(input_bytes=ROOM)


def write(path: Path, text: str = "a,b\n1,2\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_path_is_hashed_sized_and_typed_from_its_content(inputs: Inputs, tmp_path: Path) -> None:
    (file,) = inputs.add([write(tmp_path / "a.csv")]).files
    assert (file.file.name, file.file.size, file.file.mime) == ("a.csv", 8, "text/csv")
    assert file.file.sha256 == hashlib.sha256(b"a,b\n1,2\n").hexdigest()


def test_bytes_and_open_files_are_taken_without_a_path(inputs: Inputs, tmp_path: Path) -> None:
    with write(tmp_path / "open.txt", "hello").open("rb") as opened:
        resolved = inputs.add([("mem.csv", b"x\n1\n"), opened, io.BytesIO(b"plain")])
    assert [f.file.name for f in resolved.files] == ["mem.csv", "open.txt", "file"]
    assert [f.path.read_bytes() for f in resolved.files] == [b"x\n1\n", b"hello", b"plain"]


def test_a_glob_takes_regular_files_in_order_and_no_links_or_folders(inputs: Inputs, tmp_path: Path) -> None:
    write(tmp_path / "b.csv", "b")
    write(tmp_path / "a.csv", "a")
    (tmp_path / "dir.csv").mkdir()
    (tmp_path / "link.csv").symlink_to("/etc/hostname")
    assert [f.file.name for f in inputs.add([str(tmp_path / "*.csv")]).files] == ["a.csv", "b.csv"]


def test_a_name_with_glob_characters_that_exists_is_no_glob(inputs: Inputs, tmp_path: Path) -> None:
    (file,) = inputs.add([write(tmp_path / "data[1].csv")]).files
    assert file.path.name == "data[1].csv"


def test_two_files_with_one_name_get_two_names_and_a_note(inputs: Inputs, tmp_path: Path) -> None:
    resolved = inputs.add([write(tmp_path / "x/a.csv", "1"), write(tmp_path / "y/a.csv", "2")])
    assert [f.file.name for f in resolved.files] == ["a.csv", "a-2.csv"]
    assert "'a-2.csv'" in resolved.notes[0]


def test_the_same_file_twice_counts_once(inputs: Inputs, tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv")
    assert len(inputs.add([path, path]).files) == 1
    assert inputs.add([path]).files == ()


@pytest.mark.parametrize("name", ["a\nb.csv", "../../up.csv", "-rf.csv", ".hidden.csv"])
def test_a_hostile_name_is_cleaned_and_told(inputs: Inputs, name: str) -> None:
    resolved = inputs.add([(name, b"x")])
    clean = resolved.files[0].file.name
    assert "\n" not in clean
    assert "/" not in clean
    assert not clean.startswith((".", "-"))
    if Path(name).name != clean:
        assert clean in resolved.notes[0]


def bad(tmp_path: Path) -> dict[str, FileLike]:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    return {
        "does not exist": str(tmp_path / "none.csv"),
        "nobody-of-that-name/a.csv' does not exist": "~nobody-of-that-name/a.csv",
        "is a folder": tmp_path / "folder",
        "is empty": write(tmp_path / "empty.csv", ""),
        "not a regular file": tmp_path / "pipe",
        "matches no file": str(tmp_path / "*.xlsx"),
        "is not a file name": "a\0b",
        "is 10.0 kB": write(tmp_path / "big.csv", "x" * (ROOM + 1)),
        "is 20.0 kB": ("big", b"x" * 20_000),
    }


@pytest.mark.parametrize(
    "why",
    [
        "does not exist",
        "nobody-of-that-name/a.csv' does not exist",
        "is a folder",
        "is empty",
        "not a regular file",
        "matches no file",
        "is not a file name",
        "is 10.0 kB",
        "is 20.0 kB",
    ],
)
def test_a_file_that_cannot_be_taken_is_one_sentence_and_takes_none(inputs: Inputs, tmp_path: Path, why: str) -> None:
    good = write(tmp_path / "good.csv")
    with pytest.raises(BadFile, match=why) as raised:
        inputs.add([good, bad(tmp_path)[why]])
    assert raised.value.exit_code == 2
    assert inputs.files == []
    assert len(inputs.add([good]).files) == 1


@pytest.fixture
def not_root() -> Iterator[None]:
    """Root may read everything, so the test takes another user's rights for its time."""
    gc.collect()  # no clean-up of earlier tests with the wrong rights
    gc.disable()
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    yield
    os.seteuid(before)
    gc.enable()


def test_an_unreadable_file_is_told(inputs: Inputs, not_root: None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "secret.csv")
        path.chmod(0)
        with pytest.raises(BadFile, match="may not be read"):
            inputs.add([path])


def test_all_files_of_a_session_count_together(inputs: Inputs) -> None:
    inputs.add([("a", b"x" * 6000)])
    with pytest.raises(BadFile, match=r"beside 6\.0 kB of other files"):
        inputs.add([("b", b"x" * 6000)])


@pytest.mark.parametrize(
    ("content", "name", "mime"),
    [
        (b"PK\x03\x04rest", "a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"PK\x03\x04rest", "a.csv", "application/zip"),
        (b"PAR1....PAR1", "a.bin", "application/vnd.apache.parquet"),
        (b"%PDF-1.7 ...", "a.txt", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "a.csv", "image/png"),
        (b"a,b\n", "a.png", "text/plain"),
        (b"\xff\xfea\0,\0b\0", "a.csv", "text/csv"),
        (b'{"a": 1}', "a.json", "application/json"),
        (b"\0\1\2\3", "a.csv", "application/octet-stream"),
    ],
)
def test_the_type_comes_from_the_content_first(inputs: Inputs, content: bytes, name: str, mime: str) -> None:
    assert inputs.add([(name, content)]).files[0].file.mime == mime


@pytest.mark.parametrize("given", ["a.csv", b"a.csv", Path("a.csv")])
def test_one_path_instead_of_a_list_is_told_how_to_write_it(inputs: Inputs, given: object) -> None:
    with pytest.raises(UsageError, match=r"must be a list\. Write files=\["):
        inputs.add(given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("item", [5, b"bytes", ("a.csv",), ("a.csv", "text"), io.StringIO("text")])
def test_what_is_no_file_is_refused_with_what_would_be_one(inputs: Inputs, item: object) -> None:
    with pytest.raises(UsageError, match="opened with 'rb'"):
        inputs.add([item])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


def test_a_path_of_windows_is_told_as_it_is_written() -> None:
    with pytest.raises(BadFile, match="does not exist") as caught:
        Inputs(input_bytes=1).add(["C:\\new\\temp.csv"])
    assert str(caught.value).startswith("'C:\\new\\temp.csv' does not exist.")
    assert "\n" not in str(BadFile(name="a\nb", why="is odd", do="Go"))
