"""Packages of the user's own, from an index on this machine: in an image of their own, built once, with no trace of how."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from docker_runs import SMALL, says
from package_index import PASSWORD, PackageIndex, wheel
from sandloop.errors import ImageUnavailable
from sandloop.options import SandboxOptions
from sandloop_sandbox.docker import open_docker
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import base_images, ensure_image, image_id, image_tag
from sandloop_sandbox.packages import BUILD_LABEL, packages_tag

pytestmark = pytest.mark.alone

EVIL = "evil_{0}-1.0.data/data"
WHEELS = {
    "sandloop-example": wheel(
        "sandloop-example",
        "1.5",
        {"sandloop_example/__init__.py": "VALUE = 42\n", "sandloop_example/broken.py": "{{ a template }}\n"},
    ),
    "sandloop-twice": wheel(
        "sandloop-twice", "1.0", {"sandloop_twice.py": "VALUE = 2\n"}, requires=("sandloop-example>=1", "numpy")
    ),
    "sandloop-other-numpy": wheel("sandloop-other-numpy", "1.0", {"sandloop_other.py": ""}, requires=("numpy<1",)),
    "evil-numpy": wheel("evil-numpy", "1.0", {"numpy/__init__.py": "print('mine now')\n"}),
    "evil-python": wheel("evil-python", "1.0", {EVIL.format("python") + "/bin/python3": "#!/bin/sh\n"}),
    "evil-library": wheel("evil-library", "1.0", {EVIL.format("library") + "/lib/python311.zip": "PK"}),
    "evil-home": wheel("evil-home", "1.0", {EVIL.format("home") + "/bin/pyvenv.cfg": "home = /tmp\n"}),
}
TOLD: list[str] = []


@pytest.fixture(scope="module")
def index(engine: Engine) -> Iterator[PackageIndex]:
    """The index, named as the user's own, and nothing of this machine's settings of pip."""
    with pytest.MonkeyPatch.context() as patch, PackageIndex(WHEELS) as serving:
        for name in [name for name in os.environ if name.startswith("PIP_") and name != "PIP_CERT"]:
            patch.delenv(name)
        patch.setenv("PIP_INDEX_URL", serving.url)
        yield serving


@pytest.fixture(scope="module")
def tag(engine: Engine) -> Callable[..., str]:
    """The name that the image with these packages has."""
    ensure_image(engine.client, lambda line: None)
    sandbox = next(
        image_tag(base) for base in base_images(os.environ.get("SANDLOOP_BASE_IMAGE")) if image_id(engine.client, image_tag(base))
    )
    return lambda *packages: packages_tag(sandbox, packages)


def forget(engine: Engine, name: str) -> None:
    client: Any = engine.client
    end = time.monotonic() + 10
    while image_id(engine.client, name):
        try:
            client.remove_image(name)
        except APIError:  # a container of it is just going
            assert time.monotonic() < end
            time.sleep(0.1)


def left_of_builds(engine: Engine) -> set[str]:
    client: Any = engine.client
    return {image["Id"] for image in client.images(all=True, filters={"label": BUILD_LABEL})}


@pytest.fixture(scope="module")
def image(engine: Engine, index: PackageIndex, tag: Callable[..., str]) -> Iterator[str]:
    """The image with one more package, built now."""
    forget(engine, tag("sandloop-example"))
    yield ensure_image(engine.client, TOLD.append, ["sandloop-example"])
    forget(engine, tag("sandloop-example"))


async def test_a_package_is_there_at_once_and_is_named_by_the_session(image: str) -> None:
    options = SandboxOptions(packages=("sandloop-example",), warm="off")
    session = await open_docker(SMALL, options, lambda line: None).open()
    try:
        assert session.opened.packages == ("sandloop-example",)
        assert session.opened.image == image
        assert await says(session, "import sandloop_example; print(sandloop_example.VALUE)") == "42"
        found = json.loads(await says(session, LOOK))
        assert found == {"owner": 0, "mode": 0o644, "compiled": True, "of the build": []}
    finally:
        await session.close()


LOOK = """
import glob, json, os, sandloop_example as it
status = os.stat(it.__file__)
left = glob.glob('/build*') + glob.glob('/install*')
found = {'owner': status.st_uid, 'mode': status.st_mode & 0o7777, 'compiled': os.path.exists(it.__cached__), 'of the build': left}
print(json.dumps(found))
"""


def test_the_image_is_one_layer_more_and_knows_neither_index_nor_password(engine: Engine, image: str, index: PackageIndex) -> None:
    client: Any = engine.client
    below, whole = client.inspect_image(ensure_image(engine.client, lambda line: None)), client.inspect_image(image)
    assert whole["RootFS"]["Layers"][:-1] == below["RootFS"]["Layers"]
    history = json.dumps(client.history(image)) + json.dumps(whole)
    for word in (PASSWORD, "PIP_", "pip.conf", "ca.pem", str(index.url.rpartition(":")[2])):
        assert word not in history
    assert whole["Config"]["User"] == "10001:10001"
    assert "sandloop_example-1.5-py3-none-any.whl" in index.asked


def test_no_file_of_the_image_holds_the_password(engine: Engine, image: str) -> None:
    client: Any = engine.client
    # All that the packages' layer may hold lies below /usr/local; the layers below it are those of the sandbox image.
    command = ["/bin/sh", "-c", f"grep -rlF {PASSWORD} /usr/local /build /install /root /tmp /opt /etc 2>/dev/null; echo searched"]
    host = {"NetworkMode": "none"}
    config = {"Image": image, "Entrypoint": command, "User": "0:0", "Labels": {"dev.sandloop.test": "packages"}, "HostConfig": host}
    container = client.create_container_from_config(config)["Id"]
    try:
        client.start(container)
        client.wait(container)
        assert client.logs(container) == b"searched\n"
    finally:
        client.remove_container(container, force=True)


def test_the_stage_that_knew_the_password_is_gone(engine: Engine, index: PackageIndex, tag: Callable[..., str]) -> None:
    before = left_of_builds(engine)
    try:
        ensure_image(engine.client, lambda line: None, ["sandloop-twice"])
        assert left_of_builds(engine) <= before
    finally:
        forget(engine, tag("sandloop-twice"))


def test_it_is_built_once_whatever_way_it_is_written(engine: Engine, image: str, index: PackageIndex) -> None:
    asked, told = len(index.asked), list[str]()
    for spelling in ("sandloop-example", "Sandloop_Example", "sandloop.example"):
        assert ensure_image(engine.client, told.append, [spelling]) == image
    assert (len(index.asked), told) == (asked, [])
    assert TOLD[0] == "building the image with your packages (once): sandloop-example"


def test_two_processes_build_one_image(engine: Engine, index: PackageIndex, tag: Callable[..., str]) -> None:
    forget(engine, tag("sandloop-twice"))
    script = (
        "from sandloop_sandbox.engine import engine; from sandloop_sandbox.image import ensure_image\n"
        "print(ensure_image(engine().client, print, ['sandloop-twice']))"
    )
    both = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        said = [process.communicate(timeout=120)[0].splitlines() for process in both]
        assert said[0][-1] == said[1][-1] == image_id(engine.client, tag("sandloop-twice"))
        assert sum("(once)" in line for lines in said for line in lines) == 1
    finally:
        forget(engine, tag("sandloop-twice"))


@pytest.mark.parametrize(
    ("package", "said", "do"),
    [
        ("sandloop-no-such", "No matching distribution found for sandloop-no-such", "Only wheels are taken"),
        ("sandloop-example==9", "No matching distribution found for sandloop-example==9", "Check its name and version"),
        ("sandloop-other-numpy", "the image has numpy", "stay at their versions"),
        ("evil-numpy", "numpy/__init__.py, which the image already has", "Leave that package out"),
        ("evil-python", "/usr/local/bin/python3, which the image already has", "Leave that package out"),
        ("evil-library", "/lib/python311.zip, which does not belong", "Leave that package out"),
        ("evil-home", "/bin/pyvenv.cfg, which could change how Python starts", "Leave that package out"),
    ],
)
def test_what_cannot_be_built_says_why_and_leaves_nothing(
    engine: Engine, index: PackageIndex, tag: Callable[..., str], package: str, said: str, do: str
) -> None:
    before = left_of_builds(engine)
    with pytest.raises(ImageUnavailable) as caught:
        ensure_image(engine.client, lambda line: None, [package])
    assert said in caught.value.said
    assert do in caught.value.do
    assert PASSWORD not in str(caught.value)
    assert image_id(engine.client, tag(package)) is None
    assert left_of_builds(engine) <= before


def test_a_build_that_is_interrupted_leaves_nothing(engine: Engine, tag: Callable[..., str]) -> None:
    before = left_of_builds(engine)
    with PackageIndex(WHEELS) as index:
        index.holding = "sandloop-twice"
        command = [str(Path(sys.executable).with_name("sandloop")), "sandbox", "build", "--packages", "sandloop-twice"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        environ = kept | {"PIP_INDEX_URL": index.url, "SANDLOOP_CONFIG": "/dev/null"}
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert index.held.wait(60)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert left_of_builds(engine) <= before
    assert image_id(engine.client, tag("sandloop-twice")) is None
