"""The user's own settings of pip, as far as a build in a container can use them: from where packages come, and by which way.

pip's order: the machine's file, the user's, that of the Python in use, the one that PIP_CONFIG_FILE names, then the environment.
What names a place on this machine's disk is left out, as the container does not see it. The values may hold passwords: never shown.
"""

from __future__ import annotations

import configparser
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sandloop_sandbox.address import is_local

ADDRESSES = ("index-url", "extra-index-url", "find-links")
PLAIN = ("trusted-host", "proxy", "no-index", "timeout", "retries")
NAMES = (*ADDRESSES, *PLAIN)
PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")


def pip_settings(environ: Mapping[str, str], files: tuple[Path, ...] | None = None) -> dict[str, str]:
    """The settings by pip's names for them; several addresses stand in lines."""
    said: dict[str, str] = {}
    for path in config_files(environ) if files is None else files:
        said |= _of_file(path)
    said |= {name: value for name in NAMES if (value := environ.get("PIP_" + name.upper().replace("-", "_")))}
    for name in ADDRESSES:
        remote = [word for word in said.pop(name, "").split() if urlsplit(word).scheme in ("http", "https")]
        if remote:
            said[name] = "\n".join(remote)
    proxy = next((environ[name] for name in PROXIES if environ.get(name)), None)
    return said if proxy is None else {"proxy": proxy} | said


def config_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """pip's files, the strongest last."""
    named = environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return ()
    home = Path(environ.get("HOME") or "/nonexistent")
    shared = [Path(folder) / "pip" for folder in reversed((environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":"))]
    own = [home / ".pip", Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip"]
    folders = [*shared, Path("/etc"), *own, Path(sys.prefix)]
    return (*(folder / "pip.conf" for folder in folders), *([Path(named)] if named else []))


def _of_file(path: Path) -> dict[str, str]:
    """What a file says; one that can't be read says nothing, as it may be meant for other commands of pip."""
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, ValueError, configparser.Error):
        return {}
    sections = [dict(parser.items(section)) for section in ("global", "install") if parser.has_section(section)]
    return {name: section[name] for section in sections for name in NAMES if section.get(name)}


def as_file(settings: Mapping[str, str]) -> dict[str, bytes]:
    """The file that the build takes; none when there is nothing to say."""
    if not settings:
        return {}
    parser = configparser.RawConfigParser()
    parser["global"] = dict(settings)
    text = io.StringIO()
    parser.write(text)
    return {"pip.conf": text.getvalue().encode()}


def needs_host_network(settings: Mapping[str, str]) -> bool:
    """Whether an address is on this machine's own loopback, which a container of the build reaches in the host's network only."""
    addresses = [word for name in (*ADDRESSES, "proxy") for word in settings.get(name, "").split()]
    return any(is_local(address if "//" in address else f"http://{address}") for address in addresses)
