#!/bin/bash
# Some of the tests: tools/tests.sh PYTEST-ARGUMENT... In CI, what fails is run once more, alone (docs/decisions/0011).
set -uo pipefail
cd "$(dirname "$0")/.."
export SANDLOOP_REQUIRE_DOCKER=1
FEW=5

.venv/bin/python -m pytest "$@" --cache-clear
status=$?
[ $status = 1 ] && [ "${CI:-}" = true ] || exit $status
failed=$(.venv/bin/python -c "import json; print(len(json.load(open('.pytest_cache/v/cache/lastfailed'))))")
echo "test: $failed failed; a few are run once more, alone"
[ "$failed" -le $FEW ] || exit $status
exec .venv/bin/python -m pytest "$@" --last-failed -n0
