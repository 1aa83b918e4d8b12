"""Installs packages into /install, to be laid over the sandbox image: wheels only, which run nothing while they are installed.

What the image has stays as it is: its packages at their versions, its files at their content. Nothing is taken that the Python of
our own programs could load instead of its own files, so a package is no more trusted than the code that imports it.
"""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from py_compile import PycInvalidationMode

BUILD, ROOT = Path("/build"), Path("/install")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
INSTALL = (
    "install",
    "--progress-bar",
    "off",
    "--no-cache-dir",
    "--root-user-action=ignore",
    "--no-compile",
    "--only-binary",
    ":all:",
)
REFUSED = "a package has"
DATA = ("share", "etc", "include", "man")
"""Folders below the prefix, beside that of the packages and that of the commands, in which packages may have files."""


def main() -> int:
    environ = os.environ | {"PIP_CONFIG_FILE": str(BUILD / "pip.conf") if (BUILD / "pip.conf").exists() else os.devnull}
    if (BUILD / "ca.pem").exists():
        environ["PIP_CERT"] = str(BUILD / "ca.pem")
    constraints = BUILD / "constraints.txt"
    constraints.write_bytes(pip(["list", "--format", "freeze"], environ, stdout=subprocess.PIPE).stdout)
    wanted = ["--constraint", str(constraints), "--requirement", str(BUILD / "requirements.txt")]
    if code := pip([*INSTALL, "--root", str(ROOT), *wanted], environ).returncode:
        return code
    ROOT.mkdir(exist_ok=True)  # nothing new: the image has it all
    paths = sysconfig.get_paths()
    packages = {Path(paths["purelib"]), Path(paths["platlib"])}
    for file in sorted(path for path in ROOT.rglob("*") if not path.is_dir() or path.is_symlink()):
        inside = Path("/") / file.relative_to(ROOT)
        if why := refused(inside, packages, Path(paths["scripts"]), Path(paths["data"])):
            print(f"ERROR: {REFUSED} the file {inside}, which {why}", flush=True)
            return 1
    for folder in packages:
        # What can't be compiled, such as a template, is left as it is: it could not be imported either.
        compileall.compile_dir(
            f"{ROOT}{folder}", quiet=2, workers=0, stripdir=str(ROOT), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
        )
    for path in (ROOT, *ROOT.rglob("*")):
        mode = path.stat().st_mode
        path.chmod((mode | (0o555 if path.is_dir() else 0o444)) & 0o755)
    return 0


def pip(arguments: Sequence[str], environ: Mapping[str, str], stdout: int | None = None) -> subprocess.CompletedProcess[bytes]:
    """pip itself: what it says is the build's output, unless it is asked for."""
    return subprocess.run([*PIP, *arguments], env=environ, stdout=stdout, check=False)  # noqa: S603 - no shell, our own arguments


def refused(inside: Path, packages: set[Path], commands: Path, data: Path) -> str:
    """Why a file may not come into the image; empty when it may."""
    if os.path.lexists(inside):
        return "the image already has"
    if inside.is_relative_to(commands):
        return "could change how Python starts" if inside.name.startswith(("python", "pyvenv")) else ""
    if any(inside.is_relative_to(folder) for folder in (*packages, *(data / name for name in DATA))):
        return ""
    if inside.parent == data / "lib" and ".so" in inside.suffixes:
        return ""
    return "does not belong to a package's places"


if __name__ == "__main__":
    sys.exit(main())
