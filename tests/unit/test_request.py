"""A container made ahead serves exactly those sessions whose own would have been made alike."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop_sandbox.policy import Host, Identity, container_config
from sandloop_sandbox.request import LIMITS, Request

LARGE = Host(cpus=64, memory=10**15)
NOBODY = Identity(session="0", uid=20_000, labels={})
OTHERWISE: dict[str, Any] = {
    "engine": "other",
    "packages": ("geopandas==1.1.1",),
    "runtime": "runsc",
    "unsafe_network": True,
    "unsafe_privileged": True,
    "unsafe_capabilities": ("NET_RAW",),
    "unsafe_mounts": ("/data:/data",),
}


def made(limits: Limits, options: SandboxOptions) -> dict[str, Any]:
    return container_config(limits, LARGE, NOBODY, "image", "{}", options)


@pytest.mark.parametrize("name", [f.name for f in fields(Limits)])
def test_limits_are_in_the_request_exactly_when_the_engine_is_told_them(name: str) -> None:
    usual, options = Limits(), SandboxOptions()
    other = replace(usual, **{name: (getattr(usual, name) or 8) // 2})
    told = made(other, options) != made(usual, options)

    assert (Request.of(other, options) != Request.of(usual, options)) == told
    assert (name in LIMITS) == told


@pytest.mark.parametrize("name", [f.name for f in fields(SandboxOptions)])
def test_options_are_in_the_request_unless_they_are_about_the_pool_itself(name: str) -> None:
    usual = Request.of(Limits(), SandboxOptions())
    if name in ("warm", "pool"):
        assert Request.of(Limits(), SandboxOptions(warm="shared", pool=7)) == usual
    else:
        assert Request.of(Limits(), SandboxOptions(**{name: OTHERWISE[name]})) != usual


@pytest.mark.parametrize(
    ("variable", "value"), [("DOCKER_HOST", "unix:///run/other.sock"), ("SANDLOOP_BASE_IMAGE", "python:3.13-slim")]
)
def test_another_engine_or_base_image_is_another_request_and_another_holder(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = Request.of(Limits(), SandboxOptions())
    monkeypatch.setenv(variable, value)
    other = Request.of(Limits(), SandboxOptions())

    assert other != usual
    assert other.place != usual.place


def test_other_programs_are_served_by_another_holder() -> None:
    usual = Request.of(Limits(), SandboxOptions())

    assert replace(usual, programs="0" * 64).place != usual.place
    assert replace(usual, limits=Limits(memory=1)).place == usual.place


def test_a_request_goes_through_json_unharmed() -> None:
    request = Request.of(Limits(memory=123, cpus=1.5), SandboxOptions(**OTHERWISE))

    assert Request.from_json(request.to_json()) == request


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"address":"a","base":"","programs":"","limits":{"memory":{}},"options":{}}',
        "[]",
        "{}",
        "1",
        "null",
        '{"limits": {}, "options": {}}',
        '{"limits": {"x": 1}, "options": {}}',
        "[" * 100_000,
    ],
)
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no request"):
        Request.from_json(text)


def test_an_address_or_key_in_the_environment_does_not_get_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")

    assert "sk-secret" not in json.dumps(Request.of(Limits(), SandboxOptions()).to_json())
