"""The interpreter and the Python packages of the sandbox named `bubblewrap`, which has no image: made once, in a cache folder.

The folder has what the image has below /usr/local, for one interpreter of this machine: the one that runs sandloop, or the
system's where that can't be read by others. It is named by the hash of all that it is made from. Root's folder is in /var/cache,
and serves every user of the machine who has the same interpreter; a user's own is in the user's cache.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from sandloop.errors import BubblewrapUnavailable
from sandloop.options import SandboxOptions
from sandloop.ports import OnProgress
from sandloop_sandbox.bubblewrap_python import Python, find_python
from sandloop_sandbox.image import digest

SYSTEM_CACHE = Path("/var/cache/sandloop/bubblewrap")
PACKAGES_SECONDS = 1800.0
NEEDS_WRITING, NEEDS_READING = "os.access(str(configdir), os.W_OK)", "os.access(str(configdir), os.R_OK)"
"""Matplotlib takes its folder only when it can write to it, else it makes the font cache anew in every process."""
SECOND_FONT = "Droid Sans Fallback"
ASIAN_FONTS = (
    SECOND_FONT,
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
)
"""Fonts with Chinese, Japanese and Korean characters; the first that this machine has is used beside the usual one."""
FONTS = """
import json, os, pathlib
os.environ["MPLCONFIGDIR"] = "/tmp/fonts"
os.mkdir("/tmp/fonts")
import matplotlib, matplotlib.font_manager as fonts
(made,) = pathlib.Path(matplotlib.get_cachedir()).glob("fontlist*.json")
print(json.dumps({"file": made.name, "text": made.read_text(), "names": sorted({font.name for font in fonts.fontManager.ttflist})}))
"""

RunInside = Callable[["Prepared", str], bytes]
"""Runs lines of Python in a closed sandbox with these packages, and returns what they print."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a sandbox is started from."""

    python: Python
    folder: Path
    programs: Path
    """Our own programs, compiled."""


def ensure_packages(options: SandboxOptions, on_progress: OnProgress, run_inside: RunInside) -> Prepared:
    """The folders for these options, made first when they are not there. Raises `BubblewrapUnavailable`."""
    python = find_python()
    if (present := find_packages(options, python)) is not None:
        return present
    cache = caches()[-1]
    try:
        cache.mkdir(parents=True, exist_ok=True)
        for folder in (cache, cache.parent):
            folder.chmod(folder.stat().st_mode | 0o055 if os.geteuid() == 0 else folder.stat().st_mode)
        with _one_at_a_time(cache, on_progress):
            wanted = Prepared(python=python, folder=cache / name(options, python), programs=cache / programs_name(python))
            if not wanted.programs.exists():
                _make(wanted.programs, lambda folder: _make_programs(folder, python))
            if not wanted.folder.exists():
                on_progress("installing the Python packages for bubblewrap (once, about a minute)")
                _make(wanted.folder, lambda folder: _make_packages(folder, wanted, options, run_inside))
            return wanted
    except OSError as error:
        raise BubblewrapUnavailable(said=f"its packages can't be put into {cache} ({error})", do="Make room there") from error


def find_packages(options: SandboxOptions, python: Python) -> Prepared | None:
    """The folders, if both are there already."""
    for cache in caches():
        folder, programs = cache / name(options, python), cache / programs_name(python)
        if folder.exists() and programs.exists():
            return Prepared(python=python, folder=folder, programs=programs)
    return None


def caches() -> list[Path]:
    """Where the folders may be; the last is where they are made. Root's serve everybody: nobody else can have changed them."""
    from platformdirs import user_cache_path

    if os.geteuid() == 0:
        return [SYSTEM_CACHE]
    with contextlib.suppress(OSError):
        if SYSTEM_CACHE.stat().st_uid == 0:
            return [SYSTEM_CACHE, user_cache_path("sandloop") / "bubblewrap"]
    return [user_cache_path("sandloop") / "bubblewrap"]


def name(options: SandboxOptions, python: Python) -> str:
    """The folder's name: what it is made from, and with which packages beside the usual ones."""
    usual, more = digest(_texts(), python.identity), sorted(options.packages)
    return f"packages-{usual}" + (f"-{digest({'packages': ' '.join(more).encode()}, usual)}" if more else "")


def programs_name(python: Python) -> str:
    return f"programs-{digest(_programs(), python.identity)}"


@functools.cache
def _texts() -> Mapping[str, bytes]:
    return {text: (files("sandloop_image") / text).read_bytes() for text in ("requirements.txt", "matplotlibrc")}


@functools.cache
def _programs() -> Mapping[str, bytes]:
    return {file.name: file.read_bytes() for file in files("sandloop_image").iterdir() if file.name.endswith(".py")}


def _make(wanted: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder that is either whole or not there."""
    folder = wanted.with_name(f"{wanted.name}.making")
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
    folder.mkdir()
    try:
        fill(folder)
        (folder / "lock").touch()
        _let_all_read(folder)
        folder.rename(wanted)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_programs(folder: Path, python: Python) -> None:
    for file, data in _programs().items():
        (folder / file).write_bytes(data)
    _compile(folder, python, "/opt/sandloop")


def _make_packages(folder: Path, wanted: Prepared, options: SandboxOptions, run_inside: RunInside) -> None:
    python, local = wanted.python, folder / "local"
    packages = local / "lib" / f"python{python.short}" / "site-packages"
    packages.mkdir(parents=True)
    (local / "bin").mkdir()
    for link, target in (("python3", python.inside), ("python", "python3"), (f"python{python.short}", "python3")):
        (local / "bin" / link).symlink_to(target)
    if python.library:
        (local / "lib" / python.library).symlink_to(f"../../../opt/python/lib/{python.library}")
    home = str(Path(python.inside).parent)
    (local / "pyvenv.cfg").write_text(f"home = {home}\ninclude-system-site-packages = false\nversion = {python.version}\n")
    _install(packages, python, options.packages)
    for tests in [path for path in packages.rglob("tests") if path.is_dir()]:
        shutil.rmtree(tests, ignore_errors=True)  # a fifth of the packages
    matplotlib = packages / "matplotlib" / "__init__.py"
    source = matplotlib.read_text()
    assert NEEDS_WRITING in source, "that line of matplotlib moved"  # noqa: S101 - at a version of ours
    matplotlib.write_text(source.replace(NEEDS_WRITING, NEEDS_READING))
    _compile(packages, python, f"/usr/local/lib/python{python.short}/site-packages")
    settings = folder / "mplconfig"
    settings.mkdir()
    text = (files("sandloop_image") / "matplotlibrc").read_text()
    _let_all_read(folder)
    said = run_inside(Prepared(python=python, folder=folder, programs=wanted.programs), FONTS)
    try:
        fonts = json.loads(said)
        (settings / Path(fonts["file"]).name).write_text(fonts["text"])
        second = next((font for font in ASIAN_FONTS if font in fonts["names"]), None)
    except (ValueError, KeyError, TypeError) as error:
        raise BubblewrapUnavailable(said="its Python does not start in it", do="Use another Python, or Docker") from error
    (settings / "matplotlibrc").write_text(text.replace(SECOND_FONT, second) if second else text.replace(f", {SECOND_FONT}", ""))


def _install(target: Path, python: Python, more: Sequence[str]) -> None:
    requirements = str(files("sandloop_image") / "requirements.txt")
    wanted = ["--target", str(target), "--only-binary", ":all:", "--requirement", requirements, *more]
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", "--python", python.executable, "--disable-pip-version-check", "--quiet"]
        command = [*pip, "install", "--no-compile", "--no-warn-script-location", "--root-user-action=ignore", *wanted]
    elif uv := shutil.which("uv"):
        command = [uv, "pip", "install", "--quiet", "--python", python.executable, *wanted]
    else:
        do = f"Install one of them: {sys.executable} -m ensurepip, or https://docs.astral.sh/uv"
        raise BubblewrapUnavailable(said="its packages can't be installed, for there is neither pip nor uv", do=do)
    _run(command, "its packages could not be installed", "Check the network and the settings of pip, and try again")


def _compile(folder: Path, python: Python, inside: str) -> None:
    """Compiled files that are never checked against their sources, which can't change on a read-only root."""
    how = ["-q", "-j", "0", "--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", inside]
    command = [python.executable, "-I", "-m", "compileall", *how, str(folder)]
    # Some packages have files for other versions of Python among them, which can't be compiled and are never imported.
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PACKAGES_SECONDS, umask=0o022, check=False)  # noqa: S603


def _run(command: Sequence[str], what: str, do: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PACKAGES_SECONDS, umask=0o022, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BubblewrapUnavailable(said=f"{what} ({error})", do=do) from error
    if done.returncode:
        raise BubblewrapUnavailable(said=f"{what}: {done.stderr.strip().rpartition(chr(10))[2][-500:].rstrip('.')}", do=do)


def _let_all_read(folder: Path) -> None:
    """Whatever the umask was: root's folders are read by the uid that a sandbox gets."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o777
            path.chmod(mode | (0o755 if path.is_dir() or mode & 0o100 else 0o644))


@contextlib.contextmanager
def _one_at_a_time(cache: Path, on_progress: OnProgress) -> Generator[None]:
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress("another process is installing the Python packages: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def out_of_date(python: Python) -> Iterator[Path]:
    """Folders of ours that no sandbox of this version of sandloop is made from any more."""
    base = name(SandboxOptions(), python)
    for folder in caches()[-1].glob("*-*"):
        if folder.is_dir() and not folder.name.startswith(base) and folder.name != programs_name(python):
            yield folder
