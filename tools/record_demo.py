"""Records the demo's questions with the real embedded model, for machines that have no model: `python tools/record_demo.py`.

Writes examples/recordings/*.jsonl and, beside them, where they come from.
"""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version

from demo import EXAMPLES, QUESTIONS

from sandloop import Result, Settings, analyze
from sandloop.codec import lines
from sandloop_providers.weights import STANDARD

FOLDER = EXAMPLES / "recordings"
PROVENANCE = """# Recordings

What a real model said to the questions of `make demo`, kept so that the demo works without a model: its code runs for real each
time, and sandloop says so when its output differs from what is recorded. Nothing in them was written or changed by hand.

- Made on {day} by `python tools/record_demo.py` with sandloop {version}, on {machine}.
- Model: {model}, file `{file}`, SHA-256 `{sha256}` (Qwen2.5-Coder 1.5B Instruct, Apache-2.0, by the Qwen team), run here on
  llama.cpp through llama-cpp-python, temperature 0, tools offered.
- The right answers were computed independently of any model: `examples/suite/suite.yaml`.

| recording | question | answer of the model |
|---|---|---|
{rows}
"""


def record(name: str, question: str, file: str) -> Result:
    """Ask once and write the events."""
    result = analyze(question, [EXAMPLES / file], settings=Settings(model="local", route="local", runs="off"))
    (FOLDER / f"{name}.jsonl").write_text("".join(lines(result.events)), "utf-8")
    print(f"{name}: {result.text}")
    return result


def main() -> int:
    """Record all of them, then say where they come from."""
    FOLDER.mkdir(exist_ok=True)
    rows = [f"| `{name}.jsonl` | {question} | {record(name, question, file).text} |" for name, question, file in QUESTIONS]
    text = PROVENANCE.format(
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        version=version("sandloop"),
        machine=f"{platform.system()} {platform.machine()}",
        model=STANDARD.model,
        file=STANDARD.file,
        sha256=STANDARD.sha256,
        rows="\n".join(rows),
    )
    (FOLDER / "README.md").write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
