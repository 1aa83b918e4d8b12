"""Builds the sandbox image when the engine hasn't got it, and says its name."""

from __future__ import annotations

import sys

from sandloop.errors import SandboxError
from sandloop_sandbox.engine import engine
from sandloop_sandbox.image import ensure_image


def main() -> int:
    try:
        image = ensure_image(engine().client, lambda line: print(f"set-up: {line}", flush=True))
    except SandboxError as error:
        print(f"set-up: {error}", file=sys.stderr)
        return error.exit_code
    print(f"set-up: ready, the sandbox image is {image}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
