"""The proof's own reliability: it can't hold by silence, each of its controls can fail, and what it prints is whole and safe."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sandloop.doctor import proof_report
from sandloop.events import CodeRan
from sandloop.options import DEFAULT_OPTIONS, SandboxOptions
from sandloop.ports import Proof
from sandloop_sandbox.attack import told
from sandloop_sandbox.judging import refused
from sandloop_sandbox.policy import Host, Identity, container_config
from sandloop_sandbox.probe import PROOF_LIMITS, Probe, Seen
from sandloop_sandbox.prove import PROBES, given
from sandloop_sandbox.prove_docker import changed
from weakenings import UNSHOWN, WEAKENINGS

HOST = Host(cpus=4, memory=64_000_000_000)
GIVEN: dict[str, Any] = given(PROOF_LIMITS, HOST) | {"secret": "s", "hostname": "h", "namespaces": {}, "own_kernel": False}
NOTHING: dict[str, Any] = {
    **{"visits": [], "file": "s", "memory": 0, "memory_before": 0, "process": {}, "there": False, "gone": True, "said": ""},
    **{"kept": None, "preview": "", "ran": [], "after": None, "begun": None, "listed": [], "got": {}, "skipped": 0, "same": True},
    **{"made": [], "all_found": [], "uids": [None, None, None], "found": False, "limit": 1.0},
}
"""What this machine sees when an attack never took place."""


@pytest.mark.parametrize("probe", PROBES, ids=[probe.control for probe in PROBES])
@pytest.mark.parametrize(
    "ran",
    [
        CodeRan(code_id="1", exit_code=0),
        CodeRan(code_id="1", exit_code=139, state="lost", stderr="Segmentation fault"),
        CodeRan(code_id="1", exit_code=137, state="lost", stopped_by="memory"),
        CodeRan(code_id="1", exit_code=130, stopped_by="time"),
    ],
    ids=["silence", "crash", "memory", "time"],
)
def test_an_attack_that_did_not_take_place_has_not_held(probe: Probe, ran: CodeRan) -> None:
    verdict = probe.judge(Seen(given=GIVEN, ran=ran, host=NOTHING))

    assert verdict.held is False, verdict


def test_every_control_has_a_weakening_that_it_catches_or_a_reason() -> None:
    controls = [probe.control for probe in PROBES]
    caught = {control for weak in WEAKENINGS for control in weak.caught}

    assert len(set(controls)) == len(controls)
    assert caught | set(UNSHOWN) == set(controls)
    assert not caught & set(UNSHOWN)
    assert len({weak.name for weak in WEAKENINGS}) == len(WEAKENINGS)


def test_a_change_is_made_table_by_table_and_nothing_else_is() -> None:
    who = Identity(session="s", uid=23456, labels={})
    config = container_config(PROOF_LIMITS, HOST, who, "sha256:1", "{}")
    weaker: dict[str, Any] = changed(config, {"Tty": True, "Hostname": None, "HostConfig": {"Tmpfs": {"/tmp": "rw"}, "Memory": 0}})

    assert changed(config, {}) == config
    assert (weaker["Tty"], "Hostname" in weaker, weaker["HostConfig"]["Memory"]) == (True, False, 0)
    assert weaker["HostConfig"]["Tmpfs"] == {**config["HostConfig"]["Tmpfs"], "/tmp": "rw"}
    assert weaker["HostConfig"]["CapDrop"] == ["ALL"]
    assert config["HostConfig"]["Memory"] > 0


def test_another_kernel_may_refuse_in_its_own_words() -> None:
    ran = CodeRan(code_id="1", exit_code=0)
    seen = Seen(given={"own_kernel": False}, ran=ran, told={"tried": [["vsock stream", 97, ""]]})
    judge = refused("vsock", by=frozenset({1}))

    assert judge(seen).held is False
    assert judge(replace(seen, given={"own_kernel": True})).held is True


@pytest.mark.parametrize(
    ("stdout", "found"),
    [("", {}), ("TOLD {", {}), ("TOLD []", {}), ('x\nTOLD {"a": 1}\n', {"a": 1}), ('TOLD {"a": 1}\nTOLD {"a": 2}', {"a": 2})],
)
def test_the_last_thing_told_counts(stdout: str, found: object) -> None:
    assert told(stdout) == found


HELD = Proof(control="network: none", tried="list the routes", happened="no route", held=True)
BROKEN = Proof(control="memory", tried="take \x1b[31m more", happened="came\u202e through", held=False)
MISSING = Proof(control="processors", tried="compute", happened="no control groups here", held=None)


def test_the_sum_names_what_did_not_hold_and_what_was_opened_on_purpose() -> None:
    options = SandboxOptions(unsafe_network=True)
    lines = " ".join(proof_report([HELD, BROKEN, MISSING], options, width=80).split())

    assert "1 of 2 controls held; these did not: memory. " in lines
    assert "Not to be had here: processors. " in lines
    assert "Opened on purpose by the settings: unsafe_network." in lines
    assert proof_report([HELD], DEFAULT_OPTIONS, width=80).endswith("1 of 1 controls held.\n")


@pytest.mark.parametrize("width", [40, 80])
def test_the_table_is_whole_however_narrow_and_moves_no_cursor(width: int) -> None:
    text = proof_report([HELD, BROKEN], DEFAULT_OPTIONS, width=width)

    assert max(len(line) for line in text.splitlines()) <= width
    assert not {"\x1b", "\u202e"} & set(text)
    assert "NO" in text


def test_as_json_it_is_all_there() -> None:
    found = json.loads(proof_report([HELD, BROKEN, MISSING], SandboxOptions(unsafe_network=True), as_json=True))

    assert (found["held"], found["did_not_hold"], found["not_applicable"]) == (1, ["memory"], ["processors"])
    assert found["unsafe"] == ["unsafe_network"]
    assert found["proofs"][0] == {"control": "network: none", "tried": "list the routes", "happened": "no route", "held": True}
