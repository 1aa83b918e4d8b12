"""The units that stand before and behind numbers: which are of one kind, and how they convert."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it is shown. A value in it is `value * factor + offset` in the first unit of its kind."""

    shown: str = ""
    kind: str = ""
    """Empty for a number without one."""
    factor: float = 1.0
    offset: float = 0.0


NONE = Unit()
PERCENT = Unit("%", "share", 0.01)
_MONEY = {
    "$": "$", "US$": "$", "USD": "$", "dollar": "$", "dollars": "$", "€": "€", "EUR": "€", "euro": "€", "euros": "€", "£": "£",
    "GBP": "£", "¥": "¥", "JPY": "¥", "CNY": "CNY", "₹": "₹", "INR": "₹", "CHF": "CHF", "Fr.": "CHF", "CAD": "CAD", "AUD": "AUD",
    "SEK": "SEK", "NOK": "NOK", "DKK": "DKK", "PLN": "PLN", "BRL": "BRL", "R$": "BRL", "₽": "₽", "RUB": "₽", "₩": "₩", "KRW": "₩",
}  # fmt: skip
_SCALES: dict[str, dict[str, float]] = {
    "length": {
        "m": 1, "metre": 1, "metres": 1, "meter": 1, "meters": 1, "mm": 1e-3, "millimetres": 1e-3, "millimeters": 1e-3,
        "cm": 1e-2, "km": 1e3, "kilometres": 1e3, "kilometers": 1e3, "ft": 0.3048, "feet": 0.3048, "inches": 0.0254,
        "inch": 0.0254, "mile": 1609.344, "miles": 1609.344, "mi": 1609.344,
    },
    "mass": {
        "g": 1, "gram": 1, "grams": 1, "mg": 1e-3, "kg": 1e3, "kilogram": 1e3, "kilograms": 1e3, "t": 1e6, "tonnes": 1e6,
        "tons": 1e6, "lb": 453.59237, "lbs": 453.59237, "oz": 28.349523125,
    },
    "time": {
        "s": 1, "sec": 1, "second": 1, "seconds": 1, "ms": 1e-3, "milliseconds": 1e-3, "min": 60, "minute": 60, "minutes": 60,
        "h": 3600, "hr": 3600, "hrs": 3600, "hour": 3600, "hours": 3600,
    },
    "speed": {"m/s": 1, "km/h": 1 / 3.6, "kph": 1 / 3.6, "mph": 0.44704, "knots": 0.514444},
    "area": {"m²": 1, "m2": 1, "m^2": 1, "km²": 1e6, "km2": 1e6, "km^2": 1e6, "mm²": 1e-6, "cm²": 1e-4, "ha": 1e4},
    "volume": {"l": 1, "L": 1, "litre": 1, "litres": 1, "liters": 1, "ml": 1e-3, "mL": 1e-3, "m³": 1e3, "m3": 1e3, "m^3": 1e3},
    "data": {"byte": 1, "bytes": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1024, "MiB": 1024**2},
    "energy": {"Wh": 1, "kWh": 1e3, "MWh": 1e6, "GWh": 1e9, "TWh": 1e12},
    "power": {"W": 1, "kW": 1e3, "MW": 1e6, "GW": 1e9},
    "pressure": {"Pa": 1, "hPa": 100, "kPa": 1e3, "bar": 1e5, "mbar": 100},
}  # fmt: skip
_CELSIUS, _FAHRENHEIT = Unit("°C", "temperature"), Unit("°F", "temperature", 5 / 9, -160 / 9)
_WORDS: dict[str, Unit] = {
    **{text: Unit(sign, "money") for text, sign in _MONEY.items()},
    **{text: Unit(text, kind, factor) for kind, scale in _SCALES.items() for text, factor in scale.items()},
    **dict.fromkeys(("%", "percent", "per cent", "pct", "percentage points", "percentage point", "pp", "Prozent"), PERCENT),
    "‰": Unit("‰", "share", 0.001),
    **dict.fromkeys(("°C", "° C", "ºC", "º C", "℃", "C", "degrees Celsius", "degrees C", "deg C", "Celsius"), _CELSIUS),
    **dict.fromkeys(("°F", "° F", "ºF", "º F", "℉", "F", "degrees Fahrenheit", "degrees F", "deg F", "Fahrenheit"), _FAHRENHEIT),
    **dict.fromkeys(("°", "degrees", "deg"), Unit("°", "temperature")),
}
_FOLDED = {text.lower(): unit for text, unit in _WORDS.items() if len(text) > 2}


def _alternatives(texts: list[str]) -> str:
    """Longest first. One that ends in a letter or a digit ends there."""
    ordered = sorted(texts, key=len, reverse=True)
    return "|".join(re.escape(text) + (r"(?![\w/²³^])" if text[-1].isalnum() else "") for text in ordered)


_LONG = [text for text in _WORDS if len(text) > 2]
BEHIND = rf"(?:{_alternatives([text for text in _WORDS if len(text) <= 2])}|(?i:{_alternatives(_LONG)}))"
"""A unit behind a number, as a pattern; short ones as they are written, long ones in any case."""
BEFORE = (
    "(?:"
    + "|".join(re.escape(sign) for sign in ("US$", "R$", "$", "€", "£", "¥", "₹", "₽", "₩"))
    + (r"|(?:USD|EUR|GBP|CHF|JPY|INR|CNY|CAD|AUD)(?=[ \u00a0]?[\d-]))")
)
"""A currency before a number, as a pattern."""


def unit_of(text: str) -> Unit:
    """The unit that a text found by `BEHIND` or `BEFORE` names; `NONE` for an empty one."""
    return _WORDS.get(text) or _FOLDED.get(text.lower(), NONE)


def comparable(a: Unit, b: Unit) -> bool:
    """Whether values in them can be of one quantity: the unit may be left out on one side, and euros are not dollars."""
    return a.kind == b.kind or "" in (a.kind, b.kind)
