"""The proof holds on this engine, and it can fail: a container is weakened on purpose, one control after the other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandloop.options import SandboxOptions
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image
from sandloop_sandbox.prove_docker import prove
from weakenings import WEAKENINGS, Weak


@pytest.fixture(scope="module")
def weak_image(engine: Engine) -> Iterator[str]:
    """The sandbox image with a set-id program and a volume."""
    client: Any = engine.client
    base = ensure_image(engine.client, lambda line: None)
    make = "cp /bin/true /usr/local/bin/gain && chmod 4755 /usr/local/bin/gain && mkdir -m 777 /data"
    text = f"FROM {base}\nUSER 0\nRUN {make}\nVOLUME /data\n"
    *_, last = client.build(fileobj=io.BytesIO(text.encode()), rm=True, decode=True, tag="sandloop-test/weak:latest")
    assert "error" not in last, last
    yield "sandloop-test/weak:latest"
    client.remove_image("sandloop-test/weak:latest", force=True)


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
