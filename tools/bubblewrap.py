"""Installs the packages of the sandbox named `bubblewrap` when they are not there, and says where they are."""

from __future__ import annotations

import sys

from sandloop.errors import SandboxError
from sandloop.options import SandboxOptions
from sandloop_sandbox.bubblewrap import packages
from sandloop_sandbox.bubblewrap_program import find_program


def main() -> int:
    if sys.platform != "linux":
        return 0
    try:
        made = packages(find_program(), SandboxOptions(engine="bubblewrap"), lambda line: print(f"set-up: {line}", flush=True))
    except SandboxError as error:
        print(f"set-up: {error} Nothing but the tests in tests/bubblewrap needs it.", file=sys.stderr)
        return 0
    print(f"set-up: ready, the packages for bubblewrap are in {made.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
