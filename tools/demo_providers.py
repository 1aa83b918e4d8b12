"""The same analysis over every wire family and both routes, and over the embedded model where it is there: one table.

    python tools/demo_providers.py

The answers come from scripted servers on loopback, those of the tests; no provider is asked and no key is used. What is real: the
requests and the reading of the answers, and on the local route the code, which runs in the sandbox. The output of a native row is
the script's.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from sandloop import Result, SandloopError, Settings, analyze  # noqa: E402 - the tests are no package of the environment
from sandloop_providers.llama_server import find_program  # noqa: E402
from sandloop_providers.weights import KNOWN, cache_folder, kept  # noqa: E402
from wire import anthropic_script as claude  # noqa: E402
from wire import chat_server as chat  # noqa: E402
from wire import gemini_server as gemini  # noqa: E402
from wire import mistral_server as mistral  # noqa: E402
from wire import responses_server as responses  # noqa: E402
from wire.families import FAMILIES, KEY, Family  # noqa: E402

FILE = ROOT / "examples/seattle-weather.csv"
QUESTION = "What is the mean of temp_max over all days?"
CODE = f"import pandas as pd\nmeans = pd.read_csv({FILE.name!r})['temp_max'].mean()\nprint(round(means, 3))"
SAVES = f"{CODE}\nwith open('mean.csv', 'w') as file:\n    print('mean', round(means, 3), sep='\\n', file=file)"
MEAN = "16.439"
ANSWER = f"The mean of temp_max is {MEAN} °C."
MADE = f"mean\n{MEAN}\n".encode()
HEADING = f"""\
{QUESTION} ({FILE.name})
Scripted servers on this machine answer for the providers; no provider was asked. On the local route the code really ran in the
sandbox; on the native route its output is the script's. The tokens are the scripts', whose model has no price. Of the embedded
model all is real."""
COLUMNS = ("provider", "route", "steps", "output", "answer", "files", "tokens", "cost", "seconds")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one of them did. `reason` says why it took its route, or why there is no result."""

    name: str
    reason: str
    cells: Sequence[str] = ()


def main() -> int:
    """Print the table. Returns an exit code: 1 when one of them failed."""
    os.environ["SANDLOOP_CONFIG"], os.environ["KEY_OF_TEST"], os.environ["SANDLOOP_RUNS"] = os.devnull, KEY, "off"
    rows = [*(_of_family(family) for family in FAMILIES if family.name in SCRIPTS), _of_embedded()]
    print(HEADING)
    print(table(rows))
    return 0 if all(row.cells for row in rows if row.name != EMBEDDED) else 1


EMBEDDED = "embedded model"
ASKED_FOR = ("claude-local", "openai-responses-local", "openai-local", "gemini-local", "mistral-native")
"""Families whose route is asked for; the others take it by themselves."""
_NATIVE: dict[str, Callable[[], list[Any]]] = {
    "claude-native": lambda: [
        claude.Reply([*claude.python(SAVES, f"{MEAN}\n", made=[claude.Made("mean.csv", MADE)]), claude.text(ANSWER)])
    ],
    "openai-native": lambda: [
        responses.reply(responses.cell(SAVES, logs=MEAN), responses.message(ANSWER), makes=[("mean.csv", MADE)])
    ],
    "gemini-native": lambda: [gemini.reply(gemini.code(CODE, call="a"), gemini.result(f"{MEAN}\n", call="a"), gemini.text(ANSWER))],
    "mistral-native": lambda: [mistral.reply(mistral.ran(CODE, f"{MEAN}\n"), mistral.says(ANSWER))],
}
_LOCAL: dict[str, Callable[[], list[Any]]] = {
    "claude-local": lambda: [
        claude.Reply([claude.call("python", {"code": SAVES}, "toolu_A")], stop="tool_use"),
        claude.Reply([claude.text(ANSWER)]),
    ],
    "openai-responses-local": lambda: [responses.reply(responses.function(SAVES)), responses.reply(responses.message(ANSWER))],
    "gemini-local": lambda: [gemini.reply(gemini.function(SAVES)), gemini.reply(gemini.text(ANSWER))],
    **dict.fromkeys(
        (f"{name}-local" for name in ("openai", "mistral", "deepseek", "openrouter", "groq", "ollama", "llamacpp", "vllm")),
        lambda: [chat.call(SAVES), chat.say(ANSWER)],
    ),
}
SCRIPTS = {**_NATIVE, **_LOCAL}


def _of_family(family: Family) -> Row:
    """As `auto` decides, but for the other route of a provider that has both, and for a file that `auto` keeps from Mistral."""
    if family.name not in ASKED_FOR:
        family = replace(family, route="auto")
    with family.server() as server:
        server.script += SCRIPTS[family.name]()
        return _row(family.name.removesuffix("-native").removesuffix("-local"), family.settings(server))


def _of_embedded() -> Row:
    name = next((name for name in ("standard", "small") if kept(KNOWN[name], cache_folder()) is not None), None)
    if name is None or find_program() is None:
        lacks = "its weights are" if name is None else "llama.cpp is"
        return Row(name=EMBEDDED, reason=f"not run: {lacks} not on this machine (make demo MODEL=local fetches them)")
    model = "local" if name == "standard" else "local:small"
    return _row(EMBEDDED, Settings(model=model))


def _row(name: str, settings: Settings) -> Row:
    began = time.monotonic()
    try:
        with _own_folder():
            result = analyze(QUESTION, [FILE], settings=settings)
    except SandloopError as error:
        return Row(name=name, reason=f"failed: {error}")
    return Row(name=name, reason=result.route.reason if result.route else "", cells=_cells(name, result, time.monotonic() - began))


@contextmanager
def _own_folder() -> Generator[None]:
    """A folder without a settings file of the user's."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def _cells(name: str, result: Result, seconds: float) -> list[str]:
    printed = " ".join(s.ran.stdout.strip() for s in result.steps if s.ran)
    tokens = f"{result.usage.input_tokens}+{result.usage.output_tokens}"
    cost = "unknown" if result.cost is None else f"${result.cost:.4f}"
    files = ", ".join(f.name for f in result.files) or "-"
    route = result.route.route if result.route else ""
    return [name, route, str(len(result.steps)), _short(printed), _short(result.text), files, tokens, cost, f"{seconds:.1f}"]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 40 else line[:39] + "…"


def table(rows: Sequence[Row]) -> str:
    """The rows in columns, then why each took its route."""
    lines = [COLUMNS, *(tuple(row.cells) for row in rows if row.cells)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    why = [f"{row.name}{f' ({row.cells[1]})' if row.cells else ''}: {row.reason}" for row in rows]
    return "\n".join(["", *shown, "", "Why:", *why])


if __name__ == "__main__":
    sys.exit(main())
