"""One question over public data put to the embedded model, a recording of it and every wire family at once: the report.

    python tools/demo_compare.py [FOLDER]

The answers of the families come from scripted servers on loopback, those of the tests; no provider is asked and no key is used, and
one script is wrong on purpose, so that there is something to see. What is real: the requests and the reading of the answers; on the
local route the code, which runs in the sandbox; the recording's words, which a model wrote once, and its code, which runs again;
and all of the embedded model, where it is on this machine.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from demo import EXAMPLES, QUESTIONS  # noqa: E402 - the tests are no package of the environment

from sandloop import Comparison, SandloopError, Settings, compare  # noqa: E402
from sandloop.settings import Profile  # noqa: E402
from sandloop_providers.llama_server import find_program  # noqa: E402
from sandloop_providers.weights import KNOWN, cache_folder, kept  # noqa: E402
from wire import anthropic_script as claude  # noqa: E402
from wire import chat_server as chat  # noqa: E402
from wire import gemini_server as gemini  # noqa: E402
from wire import mistral_server as mistral  # noqa: E402
from wire import responses_server as responses  # noqa: E402
from wire.families import FAMILIES, KEY, Family  # noqa: E402

OUTPUT = ROOT / "sandloop-output" / "demo-compare"
RECORDING, QUESTION, FILE = QUESTIONS[0]
EMBEDDED, RECORDED, SCRIPTED = "embedded", "recorded", "scripted-"
"""What stands over the columns, so that the report itself says what is scripted."""
MEANS = "8.23 9.86 12.39 15.02 19.30 22.40 26.00 26.11 21.92 16.39 11.02 8.19"
"""The right answer, for the scripts whose code does not run."""
TABLE = "month,temp_max\n" + "".join(f"{month},{mean}\n" for month, mean in enumerate(MEANS.split(), 1))
CODE = f"""\
import pandas as pd
import matplotlib.pyplot as plt
weather = pd.read_csv({FILE!r}, parse_dates=['date'])
means = weather.groupby(weather['date'].dt.month)['temp_max'].mean().round(2)
means.rename_axis('month').to_csv('means.csv')
means.plot.bar(ylabel='mean temp_max, °C')
plt.savefig('mean_temp_max_by_month.png')
print(means.idxmax(), means.max())"""
WRONG_CODE = f"""\
import pandas as pd
weather = pd.read_csv({FILE!r}, parse_dates=['date'])
means = weather.groupby(weather['date'].dt.to_period('M'))['temp_max'].mean()
print(means.idxmax(), means.max().round(2))"""
RIGHT = "August is the warmest month; its mean of temp_max is 26.11 °C."
WRONG = "July is the warmest month; its mean of temp_max is 28.09 °C."
ROUTES = {"native": "its output is the script's", "local": "its code ran in the sandbox"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One of those asked, and what of it is real."""

    name: str
    profile: Profile
    real: str


def main(arguments: Sequence[str]) -> int:
    """Compare, save, and say where the report is. Returns an exit code: 1 when one of them failed."""
    folder = Path(arguments[0]) if arguments else OUTPUT
    os.environ["SANDLOOP_CONFIG"], os.environ["KEY_OF_TEST"], os.environ["SANDLOOP_RUNS"] = os.devnull, KEY, "off"
    embedded, why_not = _embedded()
    with ExitStack() as stack:
        families = [stack.enter_context(_scripted(family)) for family in FAMILIES if family.name in SCRIPTS]
        columns = [*embedded, RECORDED_COLUMN, *families]
        print(f"{QUESTION} ({FILE})\n\nNo provider is asked. What of each is real:")
        for column in columns:
            print(f"  {column.name}: {column.real}")
        if why_not:
            print(f"  {EMBEDDED}: {why_not}")
        sys.stdout.flush()
        try:
            comparison = _compared({column.name: column.profile for column in columns})
            saved = comparison.save(folder)
        except SandloopError as error:
            print(f"\nfailed: {error}")
            return 1
    print(f"\n{comparison.agreement.verdict}\n\nreport: {saved / 'report.html'}")
    failed = [entry for entry in comparison.entries if not entry.answered]
    for entry in failed:
        print(f"{entry.label} failed: {entry.message}")
    return 1 if any(entry.label != EMBEDDED for entry in failed) else 0


def _compared(profiles: Mapping[str, Profile]) -> Comparison:
    settings = Settings(models=profiles, runs="off")
    return compare(QUESTION, [EXAMPLES / FILE], models=list(profiles), settings=settings)


RECORDED_COLUMN = Column(
    name=RECORDED,
    profile=Profile(provider="replay", model=str(EXAMPLES / "recordings" / f"{RECORDING}.jsonl")),
    real="the embedded model's words of 2026-11-24; its code ran again now",
)


def _embedded() -> tuple[list[Column], str]:
    """The embedded model where it is there, else why it is not."""
    name = next((name for name in ("standard", "small") if kept(KNOWN[name], cache_folder()) is not None), None)
    if name is None or find_program() is None:
        lacks = "its weights are" if name is None else "llama.cpp is"
        return [], f"not asked: {lacks} not on this machine (make demo MODEL=local fetches them); the recording stands for it"
    profile = Profile(provider="local", model=None if name == "standard" else name)
    return [Column(name=EMBEDDED, profile=profile, real="all of it")], ""


@contextmanager
def _scripted(family: Family) -> Generator[Column]:
    """A server with its script, and the profile that points at it."""
    with family.server() as server:
        server.script += SCRIPTS[family.name]()
        profile = (family.settings(server).models or {})["p"]
        yield Column(
            name=SCRIPTED + family.name,
            profile=replace(profile, route=family.route),
            real=f"a script answered over its wire; {ROUTES[family.route]}" + ("; wrong on purpose" if family.name == ODD else ""),
        )


ODD = "gemini-native"
SCRIPTS: dict[str, Callable[[], list[Any]]] = {
    "claude-native": lambda: [
        claude.Reply(
            [*claude.python(CODE, "8 26.11\n", made=[claude.Made("means.csv", TABLE.encode())]), claude.text(RIGHT)],
        )
    ],
    "claude-local": lambda: [
        claude.Reply([claude.call("python", {"code": CODE}, "toolu_A")], stop="tool_use"),
        claude.Reply([claude.text(RIGHT)]),
    ],
    "openai-native": lambda: [
        responses.reply(responses.cell(CODE, logs="8 26.11"), responses.message(RIGHT), makes=[("means.csv", TABLE.encode())])
    ],
    "gemini-native": lambda: [
        gemini.reply(gemini.code(WRONG_CODE, call="a"), gemini.result("2015-07 28.09\n", call="a"), gemini.text(WRONG))
    ],
    "mistral-native": lambda: [mistral.reply(mistral.ran(CODE, "8 26.11\n"), mistral.says(RIGHT))],
    "deepseek-local": lambda: [chat.call(CODE), chat.say(RIGHT)],
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
