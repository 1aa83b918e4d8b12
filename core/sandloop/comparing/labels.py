"""What a number is the number of: the words around it, brought to one form, and how much two such labels have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sandloop.comparing.dates import MONTH_NAMES, MONTHS

_WORD = re.compile(r"[^\W\d_][^\W_]*|(?<![\w.,])(?:1[5-9]|2[01])\d\d(?![\w%]|[.,]\d)|#\d{1,6}")
"""Words, apart at underscores, years, and numbers that are keys."""
_ARTICLE = re.compile(r"\bA(?=\s+[a-z])")
"""Any other `A` is a name."""
_MONTH_NUMBER = re.compile(r"\bmonth(?:\s+(?:is|was|number))?\W{0,3}(1[0-2]|0?[1-9])(?![\w%]|[.,]\d)", re.IGNORECASE)
_SAME = {
    form: word
    for word, forms in {
        "mean": "average avg averaged averages averaging means mittelwert durchschnitt mittlere moyenne media promedio",
        "median": "medians medianwert",
        "max": "maximum maxima highest largest greatest biggest peak hottest warmest longest heaviest tallest oldest",
        "min": "minimum minima lowest smallest least coldest coolest shortest lightest youngest",
        "std": "sd stdev stddev deviation std standardabweichung",
        "variance": "var variances varianz",
        "sum": "total totals totalled sums summed overall gesamt summe",
        "count": "number counts counted anzahl n",
        "share": "proportion percentage fraction percent ratio anteil portion",
        "temperature": "temp temps temperatures",
        "correlation": "correlates correlated corr pearson",
        "rain": "rainy rained rains",
        "day": "daily days",
        "month": "monthly months",
        "year": "yearly annual annually years",
        "woman": "women female females",
        "man": "men male males",
        "change": "changes changed increase increases increased decrease decreases decreased",
        "row": "rows records record entries entry observations observation lines",
    }.items()
    for form in forms.split()
}
_ASPECTS_TEXT = (
    "mean median max min std variance sum count share correlation range mode first last quartile percentile quantile slope "
    "intercept skewness kurtosis iqr difference change"
)
ASPECTS = frozenset(_ASPECTS_TEXT.split())
"""What is told about a quantity. Two labels with none in common are about different things: a mean is no median."""
_NOISE_TEXT = (
    "a an the this that these those it its is was are were be been of for in on at by to from with over across and or but as than "
    "there here we i you they he she so then which what who when where how per each all both only just about approximately around "
    "roughly nearly almost circa ca approx equals equal gives give given gave get got has have had result results answer answers "
    "value values metric metrics final therefore thus hence based using used found find calculated computed shows show have will "
    "can data dataset file csv column columns der die das ist sind war von im und le la les des de est el los las es un une"
)
_NOISE = frozenset(_NOISE_TEXT.split())
_FALLS = re.compile(
    r"\b(?:fell|falls?|fallen|drop(?:s|ped)?|decreas\w+|declin\w+|reduc\w+|lower|less|loss|lost|below|down|minus|negative|shrank"
    r"|fewer|colder|smaller)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Label:
    """The words around a number, in one form, each with a weight from 0 to 1."""

    words: Mapping[str, float] = field(default_factory=dict[str, float])
    what: str = ""
    """The nearest words as they were written, shortened."""
    falls: bool = False
    """Whether a word near it says that something fell: then a plain number may be a negative one."""

    @property
    def aspects(self) -> frozenset[str]:
        return frozenset(word for word, weight in self.words.items() if weight >= 0.5) & ASPECTS


def words_of(text: str) -> list[str]:
    """The words of `text` that tell something, in one form: lower case, singular, `average` as `mean`, `month 8` as `august`."""
    text = _MONTH_NUMBER.sub(lambda match: MONTH_NAMES[int(match[1]) - 1], text[:2_000].replace("_", " "))
    text = _ARTICLE.sub(" ", text)
    words = (word for word in _WORD.findall(text) if len(word) > 1 or word.isupper() or not word.isascii() or word == "n")
    return [form for word in words if (form := one_form(word)) not in _NOISE or word == "A"]


def one_form(word: str) -> str:
    """A word in the form in which it is compared."""
    word = word.lower()
    if word in MONTHS:
        return MONTH_NAMES[MONTHS[word] - 1].lower()
    if word in _SAME or word in _NOISE:
        return _SAME.get(word, word)
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    return _SAME.get(word, word)


def label(parts: Iterable[tuple[str, float]], what: str = "") -> Label:
    """A label of texts, each with the weight of its words; a word that stands in several counts with the largest.

    Args:
        what: The text that is shown, to be shortened.
    """
    words: dict[str, float] = {}
    falls = False
    for text, weight in parts:
        falls = falls or (weight >= 0.5 and _FALLS.search(text) is not None)
        for word in words_of(text):
            words[word] = max(words.get(word, 0.0), weight)
    return Label(words, shown(what) if words_of(what) else "", falls)


def shown(text: str) -> str:
    """A few words for a person: without the article at the beginning and the verb at the end."""
    short = re.sub(r"\([^()]{0,40}\)", "", text)
    short = " ".join(short.split())[-120:].strip(" -–*_:=≈~|,;.()[]\"'`>#•")
    short = re.sub(r"^(?:the|a|an|is|was|and|in|of|for)\s+", "", short, flags=re.IGNORECASE)
    short = re.sub(r"\s+(?:is|was|are|were|of|equals|about|approximately|around|roughly|ist|at|=)$", "", short, flags=re.IGNORECASE)
    words = short.split()
    short = " ".join(words[-7:])
    return short if len(short) <= 60 else "…" + short[-59:]


def likeness(a: Label, b: Label, rare: Mapping[str, float]) -> float:
    """How much two labels have in common, from 0 to 1.

    Args:
        rare: The weight of each word: one that stands at every number of an answer tells nothing apart.
    """
    if not a.words or not b.words or (a.aspects and b.aspects and not a.aspects & b.aspects):
        return 0.0
    small, large = sorted((a.words, b.words), key=len)
    common = sum(min(weight, large[word]) * rare.get(word, 1.0) for word, weight in small.items() if word in large)
    if not common:
        return 0.0
    sizes = sorted(sum(weight * rare.get(word, 1.0) for word, weight in words.items()) for words in (a.words, b.words))
    return common / (0.7 * sizes[0] + 0.3 * sizes[1])


def opposed(a: Label, b: Label) -> bool:
    """Whether they are about different things for sure: what is told of them has nothing in common."""
    return bool(a.aspects) and bool(b.aspects) and not a.aspects & b.aspects
