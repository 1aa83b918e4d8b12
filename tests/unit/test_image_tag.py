"""The image's name says what it was built from."""

from __future__ import annotations

import json
import re
import tarfile
from importlib.resources import files
from pathlib import Path

import pytest

from sandloop.errors import ImageUnavailable
from sandloop_sandbox.image import LOCAL_BASE, PUBLIC_BASE, base_images, build_inputs, digest, image_tag
from sandloop_sandbox.image_build import ImageBuild, build_context, certificates

INPUTS = {"Dockerfile": b"FROM x", "kernel.py": b"pass", "requirements.txt": b"numpy==1"}


def test_the_same_inputs_have_the_same_name() -> None:
    assert digest(INPUTS, "base") == digest(dict(reversed(INPUTS.items())), "base")
    assert re.fullmatch(r"sandloop/sandbox:[0-9a-f]{12}", image_tag())


@pytest.mark.parametrize("name", INPUTS)
def test_a_changed_input_changes_the_name(name: str) -> None:
    assert digest({**INPUTS, name: INPUTS[name] + b"\n"}, "base") != digest(INPUTS, "base")


def test_a_new_a_missing_a_renamed_and_an_exchanged_file_change_the_name() -> None:
    new = {**INPUTS, "more.py": b""}
    missing = {"Dockerfile": b"FROM x", "kernel.py": b"pass"}
    renamed = {**missing, "requirements.in": b"numpy==1"}
    exchanged = {**INPUTS, "Dockerfile": b"pass", "kernel.py": b"FROM x"}
    assert len({digest(inputs, "base") for inputs in (INPUTS, new, missing, renamed, exchanged)}) == 5


def test_bytes_that_move_from_one_file_to_the_next_change_the_name() -> None:
    assert digest({"a": b"xy", "b": b"z"}, "base") != digest({"a": b"x", "b": b"yz"}, "base")


def test_another_base_image_changes_the_name() -> None:
    assert image_tag(PUBLIC_BASE) != image_tag(LOCAL_BASE)


def test_a_named_base_image_is_the_only_one_used() -> None:
    assert base_images("example/base:1") == ("example/base:1",)
    assert base_images(None)[-1] == PUBLIC_BASE
    assert base_images("") == base_images(None)


def test_every_file_that_the_dockerfile_copies_is_an_input() -> None:
    dockerfile = build_inputs()["Dockerfile"].decode()
    programs = {name for name in build_inputs() if name.endswith(".py")}
    copied = {word for line in re.findall(r"^COPY (?!--)(.*) \S+$", dockerfile, re.MULTILINE) for word in line.split()}
    assert copied == {"requirements.txt", "ca.pem*", "matplotlibrc", "*.py"}
    assert {"requirements.txt", "matplotlibrc", "Dockerfile", "supervisor.py"} <= set(build_inputs())
    assert programs == {p.name for p in Path(str(files("sandloop_image"))).glob("*.py")}


def test_the_dockerfile_builds_with_either_builder() -> None:
    dockerfile = build_inputs()["Dockerfile"].decode()
    assert "# syntax" not in dockerfile
    assert "--mount" not in re.sub("^#.*$", "", dockerfile, flags=re.MULTILINE)
    assert not re.search(r"^(VOLUME|HEALTHCHECK)", dockerfile, re.MULTILINE)


def test_every_package_has_one_exact_version_and_no_address() -> None:
    lines = build_inputs()["requirements.txt"].decode().splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert packages
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9.a-z]*", line) for line in packages)


def test_the_context_is_the_same_for_the_same_inputs_and_owned_by_root() -> None:
    assert build_context(INPUTS).getvalue() == build_context(dict(reversed(INPUTS.items()))).getvalue()
    with tarfile.open(fileobj=build_context(INPUTS)) as tar:
        members = tar.getmembers()
    assert [m.name for m in members] == sorted(INPUTS)
    assert {(m.uid, m.gid, m.mode, m.mtime) for m in members} == {(0, 0, 0o644, 0)}


def test_the_machines_own_certificates_go_into_the_build_and_not_into_the_name(tmp_path: Path) -> None:
    (tmp_path / "authorities.pem").write_bytes(b"certificate")
    assert certificates({"PIP_CERT": str(tmp_path / "missing.pem")}) == {}
    assert certificates({"SSL_CERT_FILE": str(tmp_path / "authorities.pem")}) == {"ca.pem": b"certificate"}
    assert "ca.pem" not in build_inputs()


def test_a_person_is_told_the_steps_in_words() -> None:
    told: list[str] = []
    stream = [
        {"stream": "Step 5/16 : RUN python3 -m pip install --requirement x\n"},
        {"stream": "Collecting numpy==2.4.6\n  Downloading numpy-2.4.6-cp311-manylinux.whl (16.9 MB)\n"},
        {"stream": "Downloading six-1.0-py3-none-any.whl (11 kB)\n"},
        {"stream": " ---> 0123456789ab\n"},
        {"aux": {"ID": "sha256:0"}},
    ]
    ImageBuild("image", told.append).follow(stream)
    assert told == [
        "building the sandbox image: step 5 of 16, installing Python packages",
        "building the sandbox image: step 5 of 16, installing Python packages: downloading numpy, 16.9 MB",
    ]


def test_a_failed_build_says_its_last_useful_lines_and_what_to_do() -> None:
    stream = [
        {"stream": "Step 5/16 : RUN pip install\n"},
        {"stream": "\x1b[91mERROR: No matching distribution found for numpy\x1b[0m\n"},
        {"stream": "Removing intermediate container 0123\n"},
        {"error": "The command '/bin/sh -c pip install' returned a non-zero code: 1"},
    ]
    with pytest.raises(ImageUnavailable) as caught:
        ImageBuild("sandloop/sandbox:x", lambda line: None).follow(stream)
    assert caught.value.said == "the build ended with: ERROR: No matching distribution found for numpy"
    assert "PIP_CERT" in caught.value.do


def test_what_the_build_says_is_bounded_and_cannot_move_the_cursor() -> None:
    stream = [{"stream": "\x1b[2Jx" * 10_000 + "\n"}, {"error": "failed"}]
    with pytest.raises(ImageUnavailable) as caught:
        ImageBuild("image", lambda line: None).follow(stream)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 3_000


def test_the_seccomp_profile_is_an_allow_list_for_the_native_architecture() -> None:
    profile = json.loads((files("sandloop_image") / "seccomp.json").read_text())
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert all(entry["subArchitectures"] == [] for entry in profile["archMap"])
    everywhere = [name for rule in profile["syscalls"] if "args" not in rule for name in rule["names"]]
    assert len(everywhere) == len(set(everywhere))
    assert not {"socket", "socketpair", "clone", "personality", "unshare", "ptrace", "bpf", "keyctl"} & set(everywhere)
    (clone3,) = [rule for rule in profile["syscalls"] if "clone3" in rule["names"]]
    assert (clone3["action"], clone3["errnoRet"]) == ("SCMP_ACT_ERRNO", 38)
