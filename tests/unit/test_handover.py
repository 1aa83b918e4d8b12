"""Where two processes of one user meet, and who else can't."""

from __future__ import annotations

import array
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandloop_sandbox import handover

BE_NOBODY = "import os, socket, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534)"
"""Once the interpreter is up: it may lie where nobody may look."""


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder as a login gives it, and a temporary folder for all."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o700)
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    yield folder
    shutil.rmtree(folder)


@contextmanager
def answering(place: Path, reply: Callable[[socket.socket], object]) -> Generator[None]:
    listener = handover.listen(place)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            reply(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        listener.close()


def test_the_folder_is_the_users_alone(runtime: Path) -> None:
    folder = handover.folder()

    assert folder == runtime / "sandloop"
    assert folder.stat().st_mode & 0o777 == 0o700


def test_without_a_runtime_folder_it_is_one_among_the_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")

    assert handover.folder() == Path(tempfile.gettempdir()) / f"sandloop-{os.geteuid()}"


def _open_to_others(place: Path) -> None:
    place.mkdir()
    place.chmod(0o755)


def _a_link(place: Path) -> None:
    target = place.with_name("elsewhere")
    target.mkdir(mode=0o700)
    place.symlink_to(target)


def _a_file(place: Path) -> None:
    place.write_text("")


def _anothers(place: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can make a folder of somebody else")
    place.mkdir(mode=0o700)
    os.chown(place, 65534, 65534)


@pytest.mark.parametrize("spoil", [_open_to_others, _a_link, _a_file, _anothers])
def test_a_folder_that_others_could_have_made_is_not_used(spoil: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    spoil(Path(tempfile.gettempdir()) / f"sandloop-{os.geteuid()}")

    with pytest.raises(handover.Unfit):
        handover.folder()
    assert not handover.possible("unix:///var/run/docker.sock")


def test_a_runtime_folder_that_is_open_to_others_is_passed_over(runtime: Path) -> None:
    runtime.chmod(0o770)

    assert handover.folder().parent == Path(tempfile.gettempdir())


@pytest.mark.parametrize(
    ("address", "can"), [("unix:///var/run/docker.sock", True), ("tcp://127.0.0.1:2376", False), ("ssh://me@there", False)]
)
def test_only_plain_sockets_can_be_given_away(address: str, can: bool) -> None:
    assert handover.possible(address) is can


def test_a_connection_goes_over_and_the_other_end_sees_who_has_it() -> None:
    near, far = socket.socketpair()
    place = handover.meeting_place("test")

    def give(connection: socket.socket) -> None:
        assert handover.receive(connection) == (b"please", None)
        handover.answer(connection, b"here", near)
        near.close()

    with answering(place, give):
        message, given = handover.call(place, b"please", 5)
    assert message == b"here"
    assert given is not None
    with given:
        far.sendall(b"hello")
        assert given.recv(10) == b"hello"
        assert not given.get_inheritable()
    assert far.recv(1) == b"", "no copy was kept"
    far.close()


def test_an_answer_that_does_not_come_costs_no_more_than_was_said() -> None:
    place, over = handover.meeting_place("test"), threading.Event()
    with answering(place, lambda connection: over.wait(10)):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            handover.call(place, b"please", 0.05)
        took = time.monotonic() - began
        over.set()
    assert took < 1


def test_nobody_there_is_said_at_once() -> None:
    place = handover.meeting_place("test")
    with pytest.raises(FileNotFoundError):
        handover.call(place, b"please", 5)
    handover.listen(place).close()
    with pytest.raises(ConnectionRefusedError):
        handover.call(place, b"please", 5)


def test_more_than_was_agreed_is_refused_and_closed() -> None:
    near, far = socket.socketpair()

    def give_two(connection: socket.socket) -> None:
        connection.recv(100)
        rights = array.array("i", [near.fileno(), near.fileno()])
        connection.sendmsg([b"here"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        near.close()

    place = handover.meeting_place("test")
    with answering(place, give_two), pytest.raises(handover.Unfit):
        handover.call(place, b"please", 5)
    assert far.recv(1) == b"", "none was kept"
    far.close()


def test_a_long_message_is_refused() -> None:
    place = handover.meeting_place("test")
    with answering(place, lambda c: handover.answer(c, c.recv(1) * (handover.MOST + 1))), pytest.raises(handover.Unfit):
        handover.call(place, b"please", 5)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_another_user_can_neither_reach_the_socket_nor_is_answered(runtime: Path) -> None:
    place, refused = handover.meeting_place("test"), list[bool]()
    script = f"{BE_NOBODY}; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(sys.argv[1])"

    def connects() -> bool:
        return subprocess.run([sys.executable, "-c", script, str(place)], stderr=subprocess.DEVNULL).returncode == 0

    handover.listen(place).close()
    assert not connects(), "the folder keeps others out"
    # Even where somebody has opened the folder: the kernel says who calls.
    for opened in (runtime, place.parent):
        opened.chmod(0o755)
    with answering(place, lambda connection: refused.append(not handover.peer_is_ours(connection))):
        place.chmod(0o777)
        assert connects()
    assert refused == [True]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_what_another_user_listens_at_is_not_spoken_to(runtime: Path) -> None:
    place = handover.meeting_place("test")
    for opened in (runtime, place.parent):
        opened.chmod(0o777)
    script = (
        f"{BE_NOBODY}; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen();"
        "print('there', flush=True); c, _ = s.accept(); sys.exit(len(c.recv(100)))"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(place)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"there\n"
        with pytest.raises(handover.Unfit):
            handover.call(place, b"a request", 5)
    assert other.returncode == 0, "it heard nothing"
