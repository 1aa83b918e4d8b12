"""The main job on real files, with the best model this machine has: a key, a local server, or else a recording.

python tools/demo.py          # a key in the environment, else a local server that answers, else the recording
python tools/demo.py local    # the embedded open model, its weights fetched when they are missing
python tools/demo.py MODEL    # any model sandloop knows
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
OUTPUT = ROOT / "sandloop-output" / "demo"
QUESTIONS = (
    (
        "csv",
        "Compute the mean temp_max of each calendar month over all years, draw it as a bar chart and save the chart. "
        "Which month is warmest, and what is its mean?",
        "seattle-weather.csv",
    ),
    (
        "xlsx",
        "On how many days is the daily mean temperature higher in Seattle than in San Francisco?",
        "temperatures.xlsx",
    ),
)
"""A name for its recording, the question, and the file under examples/."""


def pick(wanted: str, working: list[tuple[str, str]]) -> tuple[str | None, str]:
    """The model and why; None for the recording.

    Args:
        wanted: What the caller named, or nothing.
        working: Models that would work now, each with why, the best first.
    """
    if wanted:
        return wanted, "you named it"
    usable = [(name, reason) for name, reason in working if not name.endswith(":MODEL") and name.partition(":")[0] != "local"]
    if usable:
        return usable[0]
    why = "no key is in the environment and no local server answers"
    return None, f"{why}, so a recording of the real embedded model answers, and its code runs for real"


def main(wanted: str) -> int:
    """Ask both questions. Returns the first exit code that is not 0."""
    from sandloop_providers.doctor import working_models

    model, why = pick(wanted, working_models())
    print(f"Model: {model or 'a recording'} ({why}).")
    if model is None:
        print("The real embedded model from scratch: make demo MODEL=local (about 1.1 GB once, and a C++ compiler).")
    if model in ("local", "local:small"):
        ready = subprocess.run([sys.executable, str(ROOT / "tools/local_model.py"), model], check=False).returncode
        if ready != 0:
            return ready
    for name, question, file in QUESTIONS:
        code = ask(model or f"replay:{EXAMPLES / 'recordings' / name}.jsonl", question, EXAMPLES / file)
        if code != 0:
            return code
    print(f"\nCharts and tables are in {OUTPUT}. The questions and their right answers: examples/suite/suite.yaml")
    return 0


def ask(model: str, question: str, file: Path) -> int:
    """One question through the command line, as a user would type it."""
    command = [
        "sandloop",
        "analyze",
        question,
        str(file.relative_to(ROOT)),
        "-m",
        _short(model),
        "-o",
        str(OUTPUT.relative_to(ROOT)),
    ]
    print(f"\n$ {shlex.join(command)}", flush=True)
    command[0] = str(Path(sys.executable).with_name("sandloop"))
    environment = os.environ | {"SANDLOOP_CONFIG": os.devnull, "SANDLOOP_RUNS": str(OUTPUT.parent / "runs")}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def _short(model: str) -> str:
    return model.replace(f"{ROOT}/", "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
