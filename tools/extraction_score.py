"""The score of the extraction over the corpus of replies, by class; fails when one comes out wrong.

python tools/extraction_score.py              # tests/corpus
python tools/extraction_score.py FOLDER       # another corpus in the same form
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "core")]

from extraction_cases import CORPUS, is_right, read, score  # noqa: E402 - the tests are no package of the environment


def main(folder: Path) -> int:
    """Print the table. Returns an exit code."""
    paths = sorted(folder.glob("*.md"))
    right, of = score(paths)
    for name in sorted(of):
        print(f"{name:28} {right[name]:3} / {of[name]}")
    print(f"{'all':28} {right.total():3} / {of.total()}")
    if wrong := [path.stem for path in paths if not is_right(read(path))]:
        print("wrong: " + ", ".join(wrong))
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else CORPUS))
