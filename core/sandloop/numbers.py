"""How numbers are written, in several countries: which characters belong to one, and what it may mean. Pure."""

from __future__ import annotations

import re

DIGITS = (
    r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,])"  # 1,234,567.8
    r"|\d{1,3}(?:\.\d{3})+,\d+(?!\d)|\d{1,3}(?:\.\d{3}){2,}(?!\d)"  # 1.234.567,8
    r"|\d{1,3}(?:[\u00a0\u202f\u2009'’ ]\d{3})+(?:[.,]\d+)?(?!\d)"  # 1 234 567,8
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?(?!\d)"  # 12,34,567.8
    r"|\d+(?:[.,]\d+)?|\.\d+)"
)
"""The digits of one number with its separators."""
EXPONENT = (
    r"(?:[eE][-+]?\d{1,3}"
    r"|[ ]?(?:[x×·]|\\times|\\cdot)[ ]?10(?:\^?\{?[-−+]?\d{1,3}\}?|[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))"
)
"""The power of ten behind the digits: `e6`, `×10^6`, `· 10⁶`, `\\times 10^{6}`."""
MAGNITUDES = {
    "thousand": 1e3, "k": 1e3, "tsd": 1e3, "tausend": 1e3, "lakh": 1e5, "crore": 1e7,
    "million": 1e6, "millions": 1e6, "millionen": 1e6, "m": 1e6, "mn": 1e6, "mio": 1e6,
    "billion": 1e9, "billions": 1e9, "bn": 1e9, "b": 1e9, "mrd": 1e9, "milliarde": 1e9, "milliarden": 1e9, "milliard": 1e9,
    "milliards": 1e9, "trillion": 1e12, "trillions": 1e12, "billionen": 1e12,
}  # fmt: skip
"""What a word behind a number multiplies it with, in lower case."""
MAGNITUDE_WORDS = "|".join(sorted((word for word in MAGNITUDES if len(word) > 1), key=len, reverse=True))
"""Those that are more than a letter, as a pattern."""
PERCENT_WORDS = r"%|percent\b|per cent\b"
LIST_MARKER = re.compile(
    r"(?im)^[^\S\n]*(?:#+[^\S\n]*|[-*+][^\S\n]+)?[*_]{0,2}"
    r"(?:\(?\d{1,3}[.)][*_]{0,2}[^\S\n]+(?=\S)|step[ ]\d{1,3}[*_]{0,2}[:.)])"
)
"""What only counts the entries of a list, or the steps: `2.`, `**(2)**`, `## 2.`, `Step 2:`."""
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻−", "0123456789+--")
_TEN = re.compile(r"^[ ]?(?:[x×·]|\\times|\\cdot)[ ]?10\^?\{?|\}$")
_FENCES = ("```", "~~~")
_BLANKS = re.compile(r"[\u00a0\u202f\u2009'’ ]")


def decimal_readings(digits: str) -> tuple[str, ...]:
    """What the digits may mean, each as Python writes it, the likelier first: `1,234` may be a thousand, or one and a bit."""
    plain = _BLANKS.sub("", digits)
    comma, dot = plain.rfind(","), plain.rfind(".")
    if comma < 0 and dot < 0:
        return (plain,)
    if comma >= 0 and dot >= 0:
        thousands = "," if dot > comma else "."
        return (plain.replace(thousands, "").replace(",", "."),)
    sign = "," if comma >= 0 else "."
    joined, decimal = plain.replace(sign, ""), plain.replace(",", ".")
    if plain.count(sign) > 1:
        return (joined,)
    before, _, after = plain.partition(sign)
    if len(after) != 3 or not 1 <= len(before) <= 3 or before.startswith("0"):
        return (decimal,)
    if sign == "," and after == "000":
        return (joined,)
    return (joined, decimal) if sign == "," else (decimal, joined)


def exponent(text: str | None) -> str:
    """What `EXPONENT` has found, as Python writes it: `e6`; empty for none."""
    if not text:
        return ""
    return text if text[0] in "eE" else "e" + _TEN.sub("", text).translate(_RAISED)


def without_markup(answer: str) -> str:
    """Without code, which is no claim, and without the numbers of a list."""
    kept: list[str] = []
    fence = ""
    for line in answer.splitlines():
        mark = line.strip()[:3]
        if mark in _FENCES and fence in ("", mark):
            fence = "" if fence else mark
        elif not fence:
            kept.append(line)
    return LIST_MARKER.sub("", "\n".join(kept))
