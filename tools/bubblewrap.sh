#!/bin/bash
# Bubblewrap, for the second engine's tests. As root on Debian or Ubuntu it is installed; anywhere else this says how, and goes on:
# nothing but those tests needs it.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/debian.sh

font=/usr/share/fonts-droid-fallback/truetype/DroidSansFallback.ttf
[ "$(uname -s)" = Linux ] || exit 0
if may_install_debian && { ! command -v bwrap >/dev/null || [ ! -x /usr/bin/python3 ] || [ ! -e "$font" ]; }; then
    echo "set-up: installing bubblewrap, and a font with Chinese, Japanese and Korean for its charts"
    debian_install bubblewrap fonts-droid-fallback python3
elif ! command -v bwrap >/dev/null; then
    echo "set-up: bubblewrap is not installed, so the tests in tests/bubblewrap will fail. Install your distribution's bubblewrap." >&2
fi
