"""The proof: every control of the sandbox put to the test on the user's own engine.

Probes that share a room share a session, one after the other; the rooms play at the same time, since most of the time goes
into waiting. Each probe ends in a verdict: a sandbox that is lost, or an attack that did not take place, has not held.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio
from anyio.from_thread import start_blocking_portal

from sandloop.errors import SandloopError
from sandloop.limits import Limits
from sandloop.ports import OnProgress, Proof, SandboxSession
from sandloop_sandbox import (
    probes_inside,
    probes_kernel,
    probes_known,
    probes_life,
    probes_network,
    probes_places,
    probes_resources,
    probes_time,
    system_calls,
)
from sandloop_sandbox.policy import INODES, OPEN_FILES, Host, memory, processes, scratch
from sandloop_sandbox.probe import PROOF_LIMITS, Act, Ground, Probe, Room, Seen, Verdict
from sandloop_sandbox.witness import Witness

PROBES: tuple[Probe, ...] = (
    *probes_network.PROBES,
    *probes_kernel.PROBES,
    *probes_places.PROBES,
    *probes_resources.PROBES,
    *probes_time.PROBES,
    *probes_inside.PROBES,
    *probes_known.PROBES,
    *probes_life.PROBES,
)
"""All of them, in the order of the report."""


def prove_on(ground: Ground, host: Host, on_progress: OnProgress, only: Collection[str] | None = None) -> list[Proof]:
    """Put the controls (all, or those named) to the test. Raises a `SandboxError` when no session can be opened at all."""
    probes = [probe for probe in PROBES if only is None or probe.control in only]
    try:
        # Not in this thread: a signal would be raised in the middle of the event loop, which then can't end anything well.
        with start_blocking_portal() as portal:
            proofs = portal.start_task_soon(_prove, ground, host, probes, on_progress)
            try:
                return proofs.result()
            finally:
                proofs.cancel()
    finally:
        ground.clean()


async def _prove(ground: Ground, host: Host, probes: Sequence[Probe], on_progress: OnProgress) -> list[Proof]:
    found: dict[str, Proof] = {}
    with Witness() as witness:
        told = {**witness.given(), **given(PROOF_LIMITS, host), "own_kernel": ground.own_kernel, "shown": sorted(ground.shown)}
        stages: dict[Room, _Stage] = {}
        for probe in probes:
            stages.setdefault(probe.room, _Stage(ground, told, witness))
        try:
            # The first session shows whether there can be any, before everything begins at once.
            await next(iter(stages.values())).session() if stages else None

            async def play(room: Room) -> None:
                for probe in (p for p in probes if p.room == room):
                    found[probe.control] = proof = probe.proof(await stages[room].verdict(probe))
                    sign = {True: "held", False: "DID NOT HOLD", None: "not applicable"}[proof.held]
                    on_progress(f"{len(found)} of {len(probes)}: {probe.control}: {sign}")

            async with anyio.create_task_group() as tasks:
                for room in stages:
                    tasks.start_soon(play, room)
        finally:
            with anyio.CancelScope(shield=True):
                for stage in stages.values():
                    await stage.close()
    return [found[probe.control] for probe in probes]


def given(limits: Limits, host: Host) -> dict[str, Any]:
    """What the attacker is told of the limits."""
    return {
        "calls": system_calls.calls(),
        "families": probes_network.NAMED_FAMILIES,
        "masked": probes_places.MASKED,
        "scratch": scratch(limits),
        "inodes": INODES,
        "memory": memory(limits, host),
        "processes": processes(limits),
        "files": OPEN_FILES,
        "largest": max(limits.disk, limits.input_bytes),
        "file_bytes": limits.file_bytes,
    }


class _Stage:
    """A `Stage`: the session of a room, and what has been seen in it."""

    def __init__(self, ground: Ground, given: Mapping[str, Any], host: Witness) -> None:
        self.ground, self.given, self.host = ground, given, host
        self._shared: SandboxSession | None = None
        self._opened: list[SandboxSession] = []
        self._seen: dict[Act, Seen | SandloopError] = {}

    async def session(self) -> SandboxSession:
        """The shared session."""
        if self._shared is None:
            self._shared = await self.open()
        return self._shared

    async def open(self, limits: Limits = PROOF_LIMITS) -> SandboxSession:
        """A session of its own."""
        session = await self.ground.open(limits)
        self._opened.append(session)
        return session

    async def verdict(self, probe: Probe) -> Verdict:
        """What came of a probe. An attack that several judge is made once."""
        if reason := self.ground.lacks.get(probe.control):
            return Verdict(held=None, happened=reason)
        if probe.act not in self._seen:
            self._seen[probe.act] = await self._made(probe)
        seen = self._seen[probe.act]
        if isinstance(seen, SandloopError):
            return Verdict(held=False, happened=f"the sandbox did not stand it: {seen}")
        try:
            return probe.judge(seen)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:  # what came back is not what was asked for
            return Verdict(held=False, happened=f"not shown: what came back can't be read ({type(error).__name__}: {error})")

    async def _made(self, probe: Probe) -> Seen | SandloopError:
        try:
            return await probe.act(self)
        except SandloopError as error:
            if error.exit_code == 4:
                self._shared = None
            return error

    async def close(self) -> None:
        """End every session."""
        for session in self._opened:
            with suppress(SandloopError):
                await session.close()
