"""A server that really answers: the host reaches it, code in the sandbox reaches neither it nor the host nor its network."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from docker_runs import Open, run, says
from sandloop.limits import Limits
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image

pytestmark = pytest.mark.alone

FOLDER = Path(__file__).parent / "neighbour"


@pytest.fixture(scope="session")
def docker_compose_command() -> str:
    """Compose v2 as a plug-in where there is one, else the program of version 1."""
    plug_in = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode == 0
    if not plug_in and shutil.which("docker-compose") is None:
        pytest.fail("neither 'docker compose' nor 'docker-compose' is installed: run `make test`, which installs it")
    # Without what the tests give to processes of ours: version 1 is a Python program of the system's.
    return "env -u PYTHONPATH " + ("docker compose" if plug_in else "docker-compose")


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    """Without `--wait`, which version 1 has not."""
    return ["up -d"]


@pytest.fixture(scope="session")
def docker_compose_file() -> str:
    """The server of this test."""
    return str(FOLDER / "docker-compose.yml")


@pytest.fixture(scope="session", autouse=True)
def image_named(engine: Engine) -> None:
    """The server runs from our own image: it is here anyway, and no other can be fetched everywhere."""
    os.environ["SANDLOOP_TEST_IMAGE"] = ensure_image(engine.client, lambda line: None)


@pytest.fixture
def neighbour(image_named: None, docker_services: Any, docker_compose_project_name: str, engine: Engine) -> tuple[str, int, str]:
    """The address for the host, and the server's own address on its network."""
    port = int(docker_services.port_for("web", 8000))

    def answers() -> bool:
        try:
            return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1).status == 200)
        except OSError:
            return False

    docker_services.wait_until_responsive(check=answers, timeout=20, pause=0.1)
    client: Any = engine.client
    (container,) = client.containers(filters={"label": f"com.docker.compose.project={docker_compose_project_name}"})
    (network,) = container["NetworkSettings"]["Networks"].values()
    return "127.0.0.1", port, str(network["IPAddress"])


async def test_the_host_reaches_it_and_the_sandbox_does_not(neighbour: tuple[str, int, str], open_session: Open) -> None:
    host, port, inside = neighbour
    assert b"matplotlibrc" in urllib.request.urlopen(f"http://{host}:{port}/", timeout=5).read()
    with socket.create_connection((inside, 8000), timeout=5):
        pass
    session = await open_session(Limits())
    gateway = inside.rpartition(".")[0] + ".1"
    attempt = """
import urllib.request
for address in {addresses!r}:
    try:
        print(address, urllib.request.urlopen(address, timeout=2).status)
    except Exception as error:
        print("refused")
"""
    addresses = [f"http://{a}/" for a in (f"{host}:{port}", f"{inside}:8000", f"{gateway}:{port}", f"host.docker.internal:{port}")]
    assert await says(session, attempt.format(addresses=addresses)) == "\n".join(["refused"] * len(addresses))


async def test_there_is_no_interface_but_the_loopback_and_no_route(neighbour: tuple[str, int, str], open_session: Open) -> None:
    session = await open_session(Limits())
    assert await says(session, "import os; print(sorted(os.listdir('/sys/class/net')))") == "['lo']"
    assert len((await says(session, "print(open('/proc/net/route').read())")).splitlines()) <= 1
    ran = await run(session, f"exec 3<>/dev/tcp/{neighbour[2]}/8000 && echo reached", "bash")
    assert "reached" not in ran.stdout
    assert ran.exit_code != 0
