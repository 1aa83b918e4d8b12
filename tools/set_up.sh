#!/bin/bash
# All that a clean clone needs before it can run: a .venv, an engine that answers, a base image, the sandbox image;
# and bubblewrap with its packages, where it can be had.
# Each part does nothing when there is nothing to do. Any argument is a further part, such as "compose".
set -euo pipefail
cd "$(dirname "$0")/.."

for part in venv engine base_image bubblewrap "$@"; do
    "tools/$part.sh" </dev/null
done
.venv/bin/python tools/image.py
.venv/bin/python tools/bubblewrap.py
