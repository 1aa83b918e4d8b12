"""Regular expressions with a time limit: one that backtracks for ever holds the process it runs in, so it gets one of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass

SECONDS = 5.0
"""For one pattern, the start of the process included."""
MAX_FOUND = 500
_PROGRAM = """\
import json, re, sys, warnings
warnings.simplefilter("ignore")
pattern, text = json.load(sys.stdin)
match = re.search(pattern, text)
json.dump(None if match is None else match[0][:500], sys.stdout)
"""


@dataclass(frozen=True, slots=True)
class Match:
    """`found` is what matched; None with `problem` empty when nothing does."""

    found: str | None
    problem: str = ""


def search(pattern: str, text: str, seconds: float = SECONDS) -> Match:
    """The first place where the pattern matches."""
    asked = json.dumps([pattern, text])
    try:
        ended = subprocess.run(  # noqa: S603 - our own interpreter with a program of ours; the pattern is data
            [sys.executable, "-I", "-S", "-c", _PROGRAM],
            input=asked.encode(),
            capture_output=True,
            timeout=seconds,
            check=True,
        )
        found = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        return Match(None, f"the pattern was not done after {seconds:g} s")
    except (subprocess.CalledProcessError, OSError, ValueError) as error:
        return Match(None, f"the pattern could not be tried: {type(error).__name__}")
    return Match(None if found is None else str(found))
