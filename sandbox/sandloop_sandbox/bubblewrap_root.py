"""The root file system of the sandbox named `bubblewrap`: there is no image, so parts of this machine's own system, read-only.

Nothing of /home, /root, /var, /run, /srv, /media, /mnt, /opt or /usr/local of this machine, and of /etc only what programs can't
do without: where libraries and the system's alternatives lie, and how fonts are chosen. No time zone: it is UTC, as anywhere.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from sandloop_sandbox.bubblewrap_packages import Prepared
from sandloop_sandbox.bubblewrap_policy import HIDDEN, INTERPRETER, Shown

SYSTEM = ("/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32")
ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/fonts")


def shown(prepared: Prepared) -> Shown:
    """What of this machine a sandbox with these packages is shown."""
    folders, links = {"/usr": "/usr"}, dict[str, str]()
    for name in SYSTEM:
        path = Path(name)
        if path.is_symlink():
            links[name] = str(path.readlink())
        elif path.is_dir():
            folders[name] = name
    folders |= {name: name for name in ETC if Path(name).exists()}
    if prepared.python.folder is not None:
        folders[INTERPRETER] = str(prepared.python.folder)
    folders |= {
        "/usr/local": str(prepared.folder / "local"),
        "/opt/mplconfig": str(prepared.folder / "mplconfig"),
        "/opt/sandloop": str(prepared.programs),
    }
    hidden = list(_hidden())
    return Shown(
        folders=folders,
        links=links,
        hidden_files=tuple(name for name, is_folder in hidden if not is_folder),
        hidden_folders=tuple(name for name, is_folder in hidden if is_folder),
    )


def session_files(uid: int) -> dict[str, str]:
    """The small files of /etc that are the session's own."""
    return {
        "/etc/passwd": f"sandbox:x:{uid}:{uid}::/tmp:/bin/bash\n",
        "/etc/group": f"sandbox:x:{uid}:\n",
        "/etc/hosts": "127.0.0.1 localhost\n",
        "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    }


def _hidden() -> Iterator[tuple[str, bool]]:
    for name in HIDDEN:
        try:
            yield name, stat.S_ISDIR(Path(name).stat().st_mode)
        except OSError:
            continue  # this machine has no such thing
