"""Yes and no in an answer that says neither, but gives the question back: `There is no difference`. Pure."""

from __future__ import annotations

import re
from typing import Literal

from sandloop.comparing.labels import words_of

_NOT = re.compile(r"\b(?:no|not|never|neither|none|without|nicht|kein\w*)\b|n['’]t\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s|[\n;]")
_CLAUSE = re.compile(r",|\b(?:but|although|though|however|while|aber)\b", re.IGNORECASE)


def echoed(answer: str, question: str) -> Literal["yes", "no"] | None:
    """What the beginning of an answer says, where it has words of the question in their order; the last ones may be left out."""
    asked = words_of(_NOT.sub(" ", question))
    first = _CLAUSE.split(_SENTENCE.split(answer.strip(), maxsplit=1)[0], maxsplit=1)[0]
    given = words_of(_NOT.sub(" ", first))
    wanted = [word for word in asked if word in given]
    if _NOT.search(question) or len(wanted) < 2 or wanted != asked[: len(wanted)]:
        return None
    if [word for word in given if word in asked] != wanted:
        return None
    return "no" if _NOT.search(first) else "yes"
