"""The proof holds on this engine, and it can fail: a container is weakened on purpose, one control after the other."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandloop.options import SandboxOptions
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image
from sandloop_sandbox.prove_docker import prove
from weakenings import WEAKENINGS, Weak

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def weak_image(engine: Engine) -> Iterator[str]:
    """The sandbox image with a set-id program and a volume."""
    client: Any = engine.client
    base = ensure_image(engine.client, lambda line: None)
    name = f"sandloop-test/weak:{os.getpid()}"
    make = "cp /bin/true /usr/local/bin/gain && chmod 4755 /usr/local/bin/gain && mkdir -m 777 /data"
    text = f"FROM {base}\nUSER 0\nRUN {make}\nVOLUME /data\n"
    *_, last = client.build(fileobj=io.BytesIO(text.encode()), rm=True, decode=True, tag=name)
    assert "error" not in last, last
    yield name
    client.remove_image(name, force=True)


def test_every_control_holds_here() -> None:
    told: list[str] = []
    proofs = prove(SandboxOptions(), told.append)

    assert [(proof.control, proof.happened) for proof in proofs if proof.held is not True] == []
    assert len(told) == len(proofs) > 50


@pytest.mark.parametrize("weak", WEAKENINGS, ids=[weak.name.replace(" ", "-") for weak in WEAKENINGS])
def test_a_weakened_container_is_caught(weak: Weak, request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> None:
    image = request.getfixturevalue("weak_image") if weak.image else ""
    tmp_path.chmod(0o777)

    proofs = prove(SandboxOptions(), lambda line: None, lambda: weak.change(tmp_path, image), weak.caught)

    assert [(proof.control, proof.happened) for proof in proofs if proof.held is not False] == []
    # Caught for what happened, and not because nothing could be shown.
    unshown = [(proof.control, proof.happened) for proof in proofs if proof.happened.startswith(("not shown", "the sandbox did"))]
    assert [(control, why) for control, why in unshown if control not in weak.lost] == []


def left(engine: Engine, pid: int) -> list[str]:
    """The containers of that process."""
    found = engine.labelled(f"{LABEL}.session")
    return [container for container, labels in found.items() if f" {pid} " in labels[f"{LABEL}.owner"]]


def command(tmp_path: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    sandloop = Path(sys.executable).with_name("sandloop")
    environment = {**os.environ, "SANDLOOP_CONFIG": os.devnull, **more}
    return subprocess.Popen(
        [sandloop, "doctor", "--prove", *arguments],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_prints_one_table_of_what_held(engine: Engine, tmp_path: Path) -> None:
    with command(tmp_path, COLUMNS="80") as doctor:
        out, err = doctor.communicate(timeout=300)

    assert (doctor.returncode, " controls held.\n" in out) == (0, True), out + err
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "held" in err
    assert left(engine, doctor.pid) == []


def test_what_was_opened_on_purpose_is_found_and_named(engine: Engine, tmp_path: Path) -> None:
    with command(tmp_path, "--json", SANDLOOP_UNSAFE_NETWORK="1") as doctor:
        out, _ = doctor.communicate(timeout=300)
    found = json.loads(out)

    assert doctor.returncode == 4
    assert (found["unsafe"], "network: none" in found["did_not_hold"]) == (["unsafe_network"], True)
    assert found["held"] == len(found["proofs"]) - len(found["did_not_hold"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_proof_that_is_interrupted_leaves_nothing(number: signal.Signals, engine: Engine, tmp_path: Path) -> None:
    with command(tmp_path) as doctor:
        assert doctor.stderr is not None
        while not doctor.stderr.readline().startswith("12 of "):
            pass
        doctor.send_signal(number)
        out, err = doctor.communicate(timeout=60)

    assert (doctor.returncode, out) == (128 + number, ""), err
    assert "Traceback" not in err
    for container in left(engine, doctor.pid):
        assert engine.wait_removed(container, 20)
