#!/bin/bash
# What a user gets: the wheel in an empty environment, in an empty folder, with nothing of the checkout in reach.
set -euo pipefail
cd "$(dirname "$0")/.."
checkout=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset PYTHONPATH

echo "wheel: building"
rm -rf dist
PIP_BUILD_CONSTRAINT="$checkout/constraints.txt" .venv/bin/python -m pip wheel -qq --disable-pip-version-check --no-deps --wheel-dir dist .
wheel=$(echo "$checkout"/dist/sandloop-*.whl)
expected=$(.venv/bin/python -c 'from sandloop_sandbox.image import image_tag; print(image_tag())')

echo "wheel: installing $(basename "$wheel") into an empty environment"
.venv/bin/python -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install -qq --disable-pip-version-check --constraint "$checkout/constraints.txt" "$wheel"

mkdir "$folder/empty"
cd "$folder/empty"
sandloop=$folder/venv/bin/sandloop
echo "wheel: sandloop --version says $("$sandloop" --version)"
"$sandloop" --help >/dev/null
# 3 and 4: a key or an engine is missing on this machine. Anything else that isn't 0 is ours.
"$sandloop" doctor || case $? in 3 | 4) ;; *) exit 1 ;; esac
"$folder/venv/bin/python" - "$folder/venv" "$expected" <<'PYTHON'
import sys
from importlib.resources import files

import sandloop
from sandloop.report import run_report
from sandloop.store import FileStore
from sandloop_sandbox.image import image_tag

assert sandloop.__file__.startswith(sys.argv[1]), f"sandloop came from {sandloop.__file__}"
assert "FROM" in (files("sandloop_image") / "Dockerfile").read_text()
assert (files("sandloop_image") / "seccomp.json").is_file()
assert "FROM" in (files("sandloop_image") / "packages" / "Dockerfile").read_text()
assert "<style>" in run_report(sandloop.Result(events=(), store=FileStore(file_bytes=0)))
assert image_tag() == sys.argv[2], "the wheel would build another image than the checkout"
PYTHON
echo "wheel: good"
