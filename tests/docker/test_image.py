"""The image, as it was built: its packages, its files, and what the seccomp profile lets through and what it refuses."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, cast

import pytest

from docker_image_programs import CALLS, DO_WORK, LOOK_AT_FILES, PACKAGES, TITLE, TRY_CALLS, WORK
from docker_runs import SMALL
from sandloop.errors import ImageUnavailable
from sandloop.limits import MB, Limits
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import LOCAL_BASE, PUBLIC_BASE, build_inputs, ensure_image, image_id
from sandloop_sandbox.image_build import ImageBuild, pull
from sandloop_sandbox.policy import Identity, container_config

pytestmark = pytest.mark.alone

ROOMY = Limits(memory=1_500 * MB, processes=128, disk=SMALL.disk, input_bytes=SMALL.input_bytes)
START = """
import os, sys
with open("/tmp/program.py", "w") as program:
    program.write(sys.argv[1])
os.execv(sys.executable, ["python", "/tmp/program.py", *sys.argv[2:]])
"""
SECCOMP = (files("sandloop_image") / "seccomp.json").read_text()


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    return ensure_image(engine.client, lambda line: None)


def run_inside(engine: Engine, image: str, program: str, *arguments: str, seccomp: str = SECCOMP, uid: int = 31_234) -> Any:
    """Runs a program in a container closed as a session's is, and gives back what it printed as its result."""
    client: Any = engine.client
    identity = Identity(session="image-test", uid=uid, labels={"dev.sandloop.test": "image"})
    config = container_config(ROOMY, engine.host, identity, image, seccomp)
    config |= {"OpenStdin": False, "StdinOnce": False, "AttachStdin": False}
    config |= {"Entrypoint": ["/usr/local/bin/python3", "-c", START, program, *arguments], "Cmd": []}
    config["HostConfig"] |= {"AutoRemove": False, "LogConfig": {"Type": "json-file", "Config": {}}}
    container = client.create_container_from_config(config)["Id"]
    try:
        client.start(container)
        client.wait(container)
        said = client.logs(container).decode()
    finally:
        client.remove_container(container, force=True, v=True)
    _, found, result = said.rpartition("RESULT ")
    assert found, said
    return json.loads(result)


@pytest.fixture(scope="module")
def work(engine: Engine, image: str) -> dict[str, str]:
    return cast("dict[str, str]", run_inside(engine, image, DO_WORK, json.dumps(WORK)))


@pytest.fixture(scope="module")
def answers(engine: Engine, image: str) -> dict[str, str]:
    return cast("dict[str, str]", run_inside(engine, image, TRY_CALLS, json.dumps(CALLS)))


@pytest.fixture(scope="module")
def unfiltered(engine: Engine, image: str) -> dict[str, str]:
    return cast("dict[str, str]", run_inside(engine, image, TRY_CALLS, json.dumps(CALLS), seccomp="unconfined"))


@pytest.fixture(scope="module")
def files_of_root(engine: Engine, image: str) -> dict[str, list[str]]:
    return cast("dict[str, list[str]]", run_inside(engine, image, LOOK_AT_FILES, uid=0))


def test_every_package_is_there_at_its_pinned_version_and_imports(engine: Engine, image: str) -> None:
    lines = build_inputs()["requirements.txt"].decode().splitlines()
    pinned = dict(line.split("==") for line in lines if "==" in line)
    found = run_inside(engine, image, PACKAGES)
    assert {name: found["versions"].get(name) for name in pinned} == pinned
    assert found["failed"] == {}


@pytest.mark.parametrize("what", WORK)
def test_data_work_is_not_disturbed_by_the_closed_sandbox(work: dict[str, str], what: str) -> None:
    assert work[what] == "done"


def test_titles_in_chinese_japanese_and_korean_need_no_setting_and_warn_of_nothing(engine: Engine, image: str) -> None:
    found = run_inside(engine, image, TITLE)
    assert found["settings"] == "/opt/mplconfig/matplotlibrc"
    # The cache of the image served: none was made in a folder of its own.
    assert found["cache"] == "/opt/mplconfig"
    assert found["left"] == ["program.py", "title.png"]


@pytest.mark.parametrize("call", CALLS)
def test_the_filter_refuses_the_call(answers: dict[str, str], call: str) -> None:
    assert answers[call] == "EPERM"


def test_the_calls_are_refused_by_the_filter_and_by_nothing_else(unfiltered: dict[str, str]) -> None:
    assert [name for name in CALLS if unfiltered[name] == "EPERM" and name != "bpf"] == []


def test_no_new_namespace_can_be_made(answers: dict[str, str]) -> None:
    assert answers["clone with a new user namespace"] == "EPERM"
    # ENOSYS, as the C library then uses clone, whose flags the filter sees.
    assert answers["clone3"] == "ENOSYS"


def test_only_local_sockets_can_be_made(answers: dict[str, str], unfiltered: dict[str, str]) -> None:
    families = {name: said for name, said in answers.items() if name.startswith("family ")}
    assert {name for name, said in families.items() if said != "EPERM"} == {"family 1"}
    assert {"family 1", "family 2", "family 16"} <= {name for name, said in unfiltered.items() if said == "done"}


def test_the_32_bit_gate_is_closed(answers: dict[str, str]) -> None:
    assert answers.get("the gate of 32 bit", "SIGSYS") in ("SIGSYS", "SIGSEGV")


def test_no_program_gains_a_privilege(files_of_root: dict[str, list[str]]) -> None:
    assert files_of_root["set-id"] == []


def test_nothing_may_be_written_by_all_but_folders_for_temporary_files(files_of_root: dict[str, list[str]]) -> None:
    assert [path for path in files_of_root["writable by all"] if not path.startswith(("/workspace", "/input"))] == []


def test_our_programs_belong_to_root_and_are_read_only(files_of_root: dict[str, list[str]]) -> None:
    assert files_of_root["programs"] == []


def test_nothing_of_the_building_machine_is_left(engine: Engine, image: str, files_of_root: dict[str, list[str]]) -> None:
    assert files_of_root["certificates of the build"] == []
    assert [name for name in files_of_root["root's own"] if name.startswith(".cache")] == []
    client: Any = engine.client
    history = json.dumps(client.history(image)) + json.dumps(client.inspect_image(image)["Config"])
    for word in ("ca.pem", "PIP_", "index-url", "proxy"):
        assert word not in history


def test_a_base_image_that_cannot_be_fetched_is_said_with_what_else_can_serve(engine: Engine) -> None:
    told: list[str] = []
    with pytest.raises(ImageUnavailable) as caught:
        pull(engine.client, "registry.invalid/nothing:1", image="sandloop/sandbox:x", on_progress=told.append)
    assert told == ["fetching the base image registry.invalid/nothing:1"]
    assert "registry.invalid/nothing:1" in caught.value.said
    assert "SANDLOOP_BASE_IMAGE" in caught.value.do


def test_a_build_that_fails_ends_with_the_engines_own_words(engine: Engine) -> None:
    inputs = {"Dockerfile": b"ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN echo the cause >&2; exit 3\n"}
    base = next(base for base in (LOCAL_BASE, PUBLIC_BASE) if image_id(engine.client, base))
    with pytest.raises(ImageUnavailable) as caught:
        ImageBuild("sandloop/test:fails", lambda line: None).run(engine.client, inputs, base)
    assert caught.value.said == "the build ended with: the cause"


def test_the_image_starts_nothing_by_itself_and_not_as_root(engine: Engine, image: str) -> None:
    client: Any = engine.client
    config = client.inspect_image(image)["Config"]
    assert config["User"] == "10001:10001"
    assert not config.get("Volumes")
    assert not config.get("Healthcheck")
    assert not config.get("ExposedPorts")
    assert config["Labels"]["dev.sandloop.image"] == "1"
