"""The proof holds on this engine, but for what it lacks; and it can fail: the command that starts it is weakened on purpose."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sandloop.options import SandboxOptions
from sandloop_sandbox.bubblewrap_cage import new_who
from sandloop_sandbox.bubblewrap_held import found
from sandloop_sandbox.bubblewrap_program import Program
from sandloop_sandbox.prove_bubblewrap import Change, lacks, prove

OPTIONS = SandboxOptions(engine="bubblewrap")
WEAKENINGS: dict[str, tuple[Callable[[Path], Change], tuple[str, ...]]] = {
    "no filter": (
        lambda folder: {"without": {"--seccomp": 1}},
        ("sockets: local only", "sockets: netlink", "system calls: filter", "system calls: namespaces", "system calls: io_uring"),
    ),
    "this machine's network": (
        lambda folder: {"more": ["--share-net"]},
        ("network: none", "network: abstract sockets", "namespaces: its own"),
    ),
    "one capability": (lambda folder: {"more": ["--cap-add", "CAP_NET_RAW"]}, ("capabilities: none",)),
    "a folder of this machine to write to": (
        lambda folder: {"more": ["--bind", str(folder), "/dev/shm"]},
        ("mounts: only scratch", "scratch: sizes", "sessions: nothing passes over"),
    ),
    "kernel settings to write to": (lambda folder: {"more": ["--proc", "/proc"]}, ("/proc and /sys: covered",)),
}


def test_every_control_holds_but_what_can_not_be_had(bubblewrap: Program) -> None:
    proofs = prove(OPTIONS, lambda line: None)

    assert [(proof.control, proof.happened) for proof in proofs if proof.held is False] == []
    assert {proof.control: proof.happened for proof in proofs if proof.held is None} == lacks(new_who())
    assert len(proofs) > 50


@pytest.mark.parametrize("name", WEAKENINGS)
def test_a_weakened_sandbox_is_caught(name: str, bubblewrap: Program) -> None:
    weaken, caught = WEAKENINGS[name]
    # Not pytest's own folder, which other users can't reach.
    with tempfile.TemporaryDirectory(prefix="sandloop-test-") as folder:
        Path(folder).chmod(0o777)
        proofs = prove(OPTIONS, lambda line: None, lambda: weaken(Path(folder)), caught)

    assert [(proof.control, proof.happened) for proof in proofs if proof.held is not False] == []
    # Caught for what happened, and not because nothing could be shown.
    assert [proof.happened for proof in proofs if proof.happened.startswith(("not shown", "the sandbox did"))] == []


def test_the_command_proves_the_engine_that_is_set_and_leaves_nothing(bubblewrap: Program, tmp_path: Path) -> None:
    environment = {**os.environ, "SANDLOOP_CONFIG": os.devnull, "SANDLOOP_SANDBOX": "bubblewrap", "DOCKER_HOST": "unix:///nowhere"}
    command = [str(Path(sys.executable).with_name("sandloop")), "doctor", "--prove"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, process_group=0
    ) as doctor:
        try:
            out, err = doctor.communicate(timeout=300)
        finally:
            if doctor.poll() is None:
                doctor.send_signal(signal.SIGKILL)

    assert (doctor.returncode, " controls held" in out) == (0, True), out + err
    assert [one.held.id for one in found() if f" {doctor.pid} " in one.held.owner] == []
