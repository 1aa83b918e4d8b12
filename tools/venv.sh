#!/bin/bash
# .venv in the checkout: sandloop itself, editable, and the developers' tools, at the versions in constraints.txt.
# Does nothing when what it was made from has not changed.
set -euo pipefail
cd "$(dirname "$0")/.."

stamp=.venv/.made-from
made_from() { sha256sum pyproject.toml constraints.txt tools/venv.sh; }

if [ -x .venv/bin/python ] && [ "$(made_from)" = "$(cat "$stamp" 2>/dev/null)" ]; then
    exit 0
fi

# A pyenv shim answers to a name that it can't run, so each is tried. 3.11 first: the versions were chosen with it.
usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
find_python() {
    for python in python3.11 python3.12 python3.13 python3 /usr/bin/python3; do
        if usable "$python"; then
            echo "$python"
            return
        fi
    done
    return 1
}

if ! python=$(find_python) && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "set-up: installing Debian's python3-venv"
    . tools/debian.sh
    debian_install python3 python3-venv
fi
if ! python=$(find_python); then
    echo "set-up: no Python 3.11 or newer with its venv module was found. Install one (on Debian: python3-venv) and try again." >&2
    exit 1
fi

echo "set-up: making .venv with $("$python" --version) (once, about a minute)"
rm -rf .venv
"$python" -m venv .venv
pip=(.venv/bin/python -m pip --disable-pip-version-check -qq)
# The pip of Python 3.11 doesn't know --group.
"${pip[@]}" install --constraint constraints.txt --upgrade pip
PIP_BUILD_CONSTRAINT="$PWD/constraints.txt" "${pip[@]}" install --constraint constraints.txt --editable . --group dev
made_from >"$stamp"
