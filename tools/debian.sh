# For the other scripts: Debian's packages, when we may install them.

may_install_debian() { [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; }

debian_install() {
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "$@" >/dev/null
}
