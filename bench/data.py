"""The files that are measured with: made once a run, the same each time."""

from __future__ import annotations

import random
from pathlib import Path

LINE = "{:d},{:s},{:.6f},{:.6f},{:s}\n"


class Data:
    """Files in a scratch folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def runs(self) -> Path:
        """Where what is measured keeps its runs."""
        return self._folder / "runs"

    def csv(self, megabytes: int) -> Path:
        """A table of that size with a group, two numbers and a text in each row."""
        path = self._folder / f"table-{megabytes}.csv"
        if not path.exists():
            draw = random.Random(megabytes)
            rows = [
                LINE.format(n, draw.choice("abcdefgh"), draw.random(), draw.gauss(0, 1), f"name {n % 997}") for n in range(50_000)
            ]
            block = "".join(rows)
            times = max(1, round(megabytes * 1e6 / len(block)))
            path.write_text("id,group,a,b,text\n" + block * times)
        return path

    def bytes(self, megabytes: int) -> Path:
        """A file without meaning, which no layer can make smaller."""
        path = self._folder / f"bytes-{megabytes}"
        if not path.exists():
            with path.open("wb") as file:
                for number in range(megabytes):
                    file.write(random.Random(number).randbytes(1_000_000))
        return path
