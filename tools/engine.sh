#!/bin/bash
# A container engine that answers. As root on Debian or Ubuntu it is installed and started; anywhere else this says what is
# missing and what to do about it.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/debian.sh

log=.docker-run/dockerd.log
answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }
stop_with() {
    echo "set-up: $*" >&2
    exit 1
}

wait_until_it_answers() {
    for _ in $(seq 120); do
        answers && return
        sleep 0.25
    done
    tail -n 20 "$log" >&2 2>/dev/null || true
    stop_with "the Docker engine was started and does not answer after 30 s. Its last words are above, all of them in $log."
}

start() {
    echo "set-up: starting the Docker engine"
    if [ -d /run/systemd/system ]; then
        systemctl start docker
    else
        grep -q cgroup /proc/mounts || cgroupfs-mount
        mkdir -p .docker-run
        setsid dockerd >"$log" 2>&1 </dev/null &
    fi
    wait_until_it_answers
}

if answers; then
    exit 0
elif [ -n "${DOCKER_HOST:-}" ]; then
    stop_with "no Docker engine answers at DOCKER_HOST=$DOCKER_HOST. Start it, or unset DOCKER_HOST."
elif may_install_debian; then
    if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
        echo "set-up: installing Docker from the distribution's packages (once, about 40 s)"
        debian_install docker.io iptables cgroupfs-mount ca-certificates
    fi
    start
elif [ -S /var/run/docker.sock ] && [ ! -w /var/run/docker.sock ]; then
    stop_with "you have no permission to use Docker. Run 'sudo usermod -aG docker \$USER', log in again, and try again."
elif command -v docker >/dev/null; then
    stop_with "Docker is installed and not running. Start it ('sudo systemctl start docker', or Docker Desktop), and try again."
else
    stop_with "Docker is not installed. Install it (docs.docker.com/engine/install has the way for each system), and try again."
fi
