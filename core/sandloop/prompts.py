"""What the model is told once: the rules of the place where its code runs, and the question with its files.

Short on purpose: small models follow the last few lines, and large ones need no more. Column names in previews are shown
exactly as they are, since a model that sees them tidied writes code that fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandloop.events import InputFile, Preview
from sandloop.sizes import human_size

RULES = """\
You answer questions about the user's files by writing code that is run for you.
- First write code. Never guess what a file holds, and never make up a number: read it, compute it, print it.
- {how}
- The files are in the current folder under the names given, read-only. Variables stay between runs.
- There is no network, and nothing can be installed. numpy, pandas, scipy, matplotlib, seaborn, scikit-learn, statsmodels, \
pyarrow, openpyxl, duckdb, pillow, pypdf, python-docx and python-pptx are there.
- Print what you need to see. Save charts and tables for the user as files in the current folder.
- When the printed output answers the question, reply with the answer in plain words and numbers, without code."""

WITH_TOOLS = "Call the tool `python` (or `bash`) with the code; you get back what it printed."
WITHOUT_TOOLS = (
    "Write one fenced block that starts with ```python (or ```bash). It is run as it stands, and you get back what it printed. "
    "Then stop and wait for it."
)

NATIVE_RULES = """\
You answer questions about the user's files by running code with your code execution tool.
- Never guess what a file holds, and never make up a number: read it, compute it, print it.
- The user's files are in the folder named by the environment variable INPUT_DIR.
- Write every file meant for the user (charts, tables, workbooks) into the folder that the environment variable OUTPUT_DIR names. \
Files elsewhere do not reach the user.
- There is no network, and nothing can be installed.
- End with the answer in plain words and numbers."""

TOOLS: tuple[dict[str, Any], ...] = tuple(
    {
        "name": name,
        "description": description,
        "parameters": {
            "type": "object",
            "properties": {"code": {"type": "string", "description": "The whole code to run."}},
            "required": ["code"],
        },
    }
    for name, description in (
        ("python", "Run Python code in the sandbox. Variables stay between calls. The last expression and prints come back."),
        ("bash", "Run a bash script in the sandbox, in the same folder."),
    )
)
"""The client tools of the local route; each family wraps them in its own envelope."""


def local_instructions(*, tools: bool) -> str:
    """The system text of the local route."""
    return RULES.format(how=WITH_TOOLS if tools else WITHOUT_TOOLS)


def question_text(question: str, files: Sequence[InputFile], previews: Sequence[Preview]) -> str:
    """The user's message: the files that came with this question, what they look like, then the question itself."""
    if not files:
        return question
    by_name = {p.name: p.text for p in previews}
    lines = ["Files:"]
    for file in files:
        lines.append(f"\n{file.name!r} ({human_size(file.size)}, {file.mime})")
        if file.name in by_name:
            lines.append(by_name[file.name].rstrip())
    return "\n".join([*lines, "", f"Question: {question}"])
