"""What the doctor says of bubblewrap: whether it could serve in Docker's place, and what it can't bound."""

from __future__ import annotations

import sys

from sandloop.errors import SandboxError
from sandloop.options import SandboxOptions
from sandloop.ports import Finding
from sandloop_sandbox.bubblewrap_cage import new_who
from sandloop_sandbox.bubblewrap_packages import find_packages
from sandloop_sandbox.bubblewrap_policy import not_limited
from sandloop_sandbox.bubblewrap_program import find_program
from sandloop_sandbox.bubblewrap_python import find_python

WHAT = "bubblewrap"
USE = "SANDLOOP_SANDBOX=bubblewrap uses it, where Docker can't be had"


def findings() -> list[Finding]:
    """Looks, and changes nothing. Nothing here is needed where there is Docker."""
    if sys.platform != "linux":
        return []
    try:
        program, python = find_program(), find_python()
    except SandboxError as error:
        said, do = str(error), str(getattr(error, "do", ""))
        return [Finding(what=WHAT, state="optional", says=said.removesuffix(f" {do}."), do=do)]
    present = find_packages(SandboxOptions(engine="bubblewrap"), python)
    made = (
        "its packages are there"
        if present is not None
        else "its packages are not there yet; the first question installs them, once"
    )
    weaker = f"It does not bound {'; nor '.join(not_limited(new_who()))}"
    says = f"{program.version} at {program.path}, Python {python.version}; {made}. {weaker}"
    return [Finding(what=WHAT, state="ready" if present is not None else "optional", says=says, do=USE)]
