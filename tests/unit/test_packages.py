"""Packages of the user's own: one name for what is the same, the settings of pip that a build can use, why a build failed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandloop.errors import BadSetting
from sandloop_image.packages.add import REFUSED, refused
from sandloop_sandbox.image import base_images
from sandloop_sandbox.packages import normalised, packages_tag, recipe, why_it_failed
from sandloop_sandbox.pip_settings import as_file, config_files, needs_host_network, pip_settings

SANDBOX = "sandloop/sandbox:0123456789ab"


@pytest.mark.parametrize(
    ("packages", "as_one"),
    [
        (["GeoPandas"], ("geopandas",)),
        (["b", "a", "b"], ("a", "b")),
        (["zope.interface", "ruamel_yaml"], ("ruamel-yaml", "zope-interface")),
        (["x<2,>=1"], ("x<2,>=1",)),
        (["x>=1,<2"], ("x<2,>=1",)),
        (["X[B_b,a]==1.0"], ("x[a,b-b]==1.0",)),
    ],
)
def test_what_is_the_same_has_one_spelling(packages: list[str], as_one: tuple[str, ...]) -> None:
    assert normalised(packages) == as_one
    assert packages_tag(SANDBOX, packages) == packages_tag(SANDBOX, as_one)


def test_another_package_version_or_sandbox_image_has_another_name() -> None:
    asked = [["a"], ["b"], ["a", "b"], ["a==1"], ["a==2"], ["a>=1"], ["a[x]"]]
    names = {packages_tag(sandbox, packages) for packages in asked for sandbox in (SANDBOX, "sandloop/sandbox:x")}
    assert len(names) == 2 * len(asked)
    assert all(name.startswith((f"{SANDBOX}-", "sandloop/sandbox:x-")) for name in names)


@pytest.mark.parametrize(
    "text", ["a b", "-r/etc/passwd", "--index-url=x", "git+https://x", "./x", "a @ file:///x", "a\nb", "a;x", ""]
)
def test_what_is_no_name_of_a_package_is_refused(text: str) -> None:
    with pytest.raises(BadSetting):
        normalised([text])


def test_the_recipe_builds_with_either_builder_and_copies_what_it_is_given() -> None:
    dockerfile = recipe()["Dockerfile"].decode()
    assert "# syntax" not in dockerfile
    assert "\nRUN --mount" not in dockerfile
    assert "COPY requirements.txt add.py pip.conf* ca.pem* /build/" in dockerfile


CONFLICT = [
    "Collecting pandas==2.0",
    "ERROR: Cannot install pandas==2.0 because these package versions have conflicting dependencies.",
    "The conflict is caused by:",
    "The user requested pandas==2.0",
    "The user requested (constraint) pandas==3.1.1",
    "To fix this you could try to:",
    "1. loosen the range of package versions you've specified",
    "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/en/latest/topics/dependency-resolution/",
]


@pytest.mark.parametrize(
    ("last", "said", "do"),
    [
        (
            CONFLICT,
            "the packages do not go together: The user requested pandas==2.0; the image has pandas 3.1.1",
            "stay at their versions",
        ),
        (
            ["ERROR: Could not find a version", "ERROR: No matching distribution found for x"],
            "No matching distribution found for x",
            "wheels",
        ),
        (
            [f"ERROR: {REFUSED} the file /usr/bin/x, which the image already has"],
            f"{REFUSED} the file /usr/bin/x",
            "Leave that package out",
        ),
        (["one", "two"], "the build ended with: one | two", "PIP_CERT"),
    ],
    ids=["conflict", "unknown", "refused", "other"],
)
def test_a_failed_build_says_pips_own_reason_and_what_to_do(last: list[str], said: str, do: str) -> None:
    says, to_do = why_it_failed(last)
    assert said in says
    assert do in to_do


PACKAGES, BIN, DATA = {Path("/usr/local/lib/python3.11/site-packages")}, Path("/usr/local/bin"), Path("/usr/local")


@pytest.mark.parametrize(
    ("inside", "may"),
    [
        ("/usr/local/lib/python3.11/site-packages/x/__init__.py", True),
        ("/usr/local/bin/pyproj", True),
        ("/usr/local/share/x/data.csv", True),
        ("/usr/local/lib/libx.so.2", True),
        ("/usr/local/lib/python3.11/os2.py", False),
        ("/usr/local/lib/python311.zip", False),
        ("/usr/local/bin/python3.99", False),
        ("/usr/local/bin/pyvenv.cfg", False),
        ("/usr/local/pyvenv.cfg", False),
        ("/opt/sandloop/more.py", False),
        (os.path.realpath(os.__file__), False),
    ],
)
def test_a_package_may_add_files_of_its_own_and_change_none(inside: str, may: bool) -> None:
    assert (not refused(Path(inside), PACKAGES, BIN, DATA)) == may


def test_settings_of_pip_come_in_its_own_order_and_without_places_on_this_machine(tmp_path: Path) -> None:
    machine, user = tmp_path / "machine.conf", tmp_path / "user.conf"
    machine.write_text(
        "[global]\nindex-url = https://a.example/simple\ntimeout = 5\n[install]\nno-index = true\n[freeze]\nproxy = x\n"
    )
    user.write_text(
        "[global]\nindex-url = https://u:p@b.example/simple\nextra-index-url =\n  https://c.example\n  file:///srv/simple\n"
    )
    environ = {
        "PIP_FIND_LINKS": "/srv/wheels https://d.example/w",
        "PIP_TRUSTED_HOST": "d.example",
        "HTTPS_PROXY": "http://proxy:1",
    }
    assert pip_settings(environ, (machine, user, tmp_path / "none.conf")) == {
        "index-url": "https://u:p@b.example/simple",
        "extra-index-url": "https://c.example",
        "find-links": "https://d.example/w",
        "trusted-host": "d.example",
        "timeout": "5",
        "no-index": "true",
        "proxy": "http://proxy:1",
    }


def test_what_is_written_for_the_build_is_what_pip_reads_back(tmp_path: Path) -> None:
    settings = {"index-url": "https://u:p%40@b.example/simple", "extra-index-url": "https://c.example\nhttps://d.example"}
    (tmp_path / "pip.conf").write_bytes(as_file(settings)["pip.conf"])
    assert pip_settings({}, (tmp_path / "pip.conf",)) == settings
    assert as_file({}) == {}


def test_a_file_that_is_no_settings_of_pip_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_bytes(b"\xff\0[")
    assert pip_settings({}, (tmp_path / "pip.conf", tmp_path)) == {}


def test_pips_files_are_looked_for_where_pip_does() -> None:
    found = [str(path) for path in config_files({"HOME": "/home/me", "PIP_CONFIG_FILE": "/x/own.conf"})]
    assert found.index("/etc/pip.conf") < found.index("/home/me/.config/pip/pip.conf") < found.index("/x/own.conf")
    assert config_files({"PIP_CONFIG_FILE": os.devnull}) == ()


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, False),
        ({"index-url": "https://index.example/simple"}, False),
        ({"index-url": "http://127.0.0.1:3141/simple"}, True),
        ({"index-url": "https://a.example", "extra-index-url": "https://b.example\nhttp://localhost/simple"}, True),
        ({"proxy": "localhost:3128"}, True),
        ({"trusted-host": "localhost"}, False),
    ],
)
def test_the_hosts_network_is_taken_only_for_an_index_on_this_machine(settings: dict[str, str], host: bool) -> None:
    assert needs_host_network(settings) == host


@pytest.mark.parametrize("name", ["Bad Name", "UPPER:1", "x:", "a//b", "-x", "x@sha256:1", "http://x/y", "a\n", ":tag", "../x"])
def test_a_base_image_of_no_possible_name_is_a_bad_setting(name: str) -> None:
    with pytest.raises(BadSetting, match="SANDLOOP_BASE_IMAGE"):
        base_images(name)


@pytest.mark.parametrize(
    "name",
    ["python", "python:3.11-slim", "localhost:5000/a/b:1", "ghcr.io/o/r@sha256:" + "0" * 64, "sha256:" + "a" * 64, "a__b/c.d:X"],
)
def test_a_base_image_of_a_possible_name_is_taken(name: str) -> None:
    assert base_images(name) == (name,)
