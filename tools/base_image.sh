#!/bin/bash
# The image that the sandbox image is built on. It is pulled; where no registry can be reached, root on Debian or Ubuntu makes
# one from Debian's packages, laid out like the public one: python3 and pip in the PATH, packages below /usr/local.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/debian.sh

public=python:3.11-slim-bookworm
made_here=sandloop/base:debian-bookworm
pull_seconds=90

has() { docker image inspect "$1" >/dev/null 2>&1; }

make_from_debian() {
    command -v debootstrap >/dev/null || debian_install debootstrap debian-archive-keyring
    folder=$(mktemp -d)
    root=$folder/root
    # What debootstrap mounts in there must not be deleted through.
    trap 'umount -q "$root/proc" "$root/sys" || true; rm -rf --one-file-system "$folder"' EXIT
    debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates bookworm "$root" >"$folder/log" 2>&1 \
        || { tail -n 20 "$folder/log" >&2; return 1; }
    # As in the public image, pip may install.
    rm -f "$root"/usr/lib/python3.11/EXTERNALLY-MANAGED
    ln -sf /usr/bin/python3 "$root/usr/local/bin/python"
    ln -sf /usr/bin/python3 "$root/usr/local/bin/python3"
    # Nothing of this machine, and nothing that differs from one time to the next.
    : >"$root/etc/resolv.conf"
    echo localhost >"$root/etc/hostname"
    rm -rf "$root"/etc/machine-id "$root"/var/lib/dbus/machine-id "$root"/var/cache/ldconfig/* "$root"/var/cache/apt/* \
        "$root"/var/cache/debconf/*-old "$root"/var/lib/apt/lists/* "$root"/var/lib/dpkg/*-old "$root"/var/log/* \
        "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/*
    find "$root/usr" -name __pycache__ -prune -exec rm -r {} +
    tar -C "$root" --sort=name --mtime=@0 --numeric-owner -c . | docker import --message "Debian bookworm with Python" \
        --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin' --change 'ENV LANG=C.UTF-8' \
        --change 'CMD ["python3"]' - "$made_here" >/dev/null
}

if [ -n "${SANDLOOP_BASE_IMAGE:-}" ] || has "$made_here" || has "$public"; then
    exit 0
fi
echo "set-up: fetching the base image $public"
if said=$(timeout "$pull_seconds" docker pull -q "$public" 2>&1); then
    exit 0
elif may_install_debian; then
    echo "set-up: it can't be fetched; making a base image from Debian's packages instead (once, about a minute)"
    make_from_debian
else
    echo "set-up: the base image $public can't be fetched: ${said:-no answer in $pull_seconds s}. Name one that this engine has," \
        "Debian with Python 3.11 or newer and pip, in SANDLOOP_BASE_IMAGE, or run this as root on Debian." >&2
    exit 1
fi
