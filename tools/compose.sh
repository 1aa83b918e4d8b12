#!/bin/bash
# Compose, which some tests start servers with: the engine's own, or Debian's docker-compose when we may install it.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/debian.sh

if docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null; then
    exit 0
elif may_install_debian; then
    echo "set-up: installing Debian's docker-compose"
    debian_install docker-compose
else
    echo "set-up: there is no Docker Compose here; install it (docker-compose-plugin), since the tests that need it fail without." >&2
fi
