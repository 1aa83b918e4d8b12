#!/bin/bash
# Chromium, in which the tests open the reports. Does nothing when there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

if find_chromium >/dev/null; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "set-up: installing Chromium for the tests of the reports (once, about half a minute)"
    . tools/debian.sh
    debian_install chromium
fi
if ! find_chromium >/dev/null; then
    echo "set-up: no Chromium was found, in which the tests open the reports. Install one (on Debian: chromium) and try again." >&2
    exit 1
fi
