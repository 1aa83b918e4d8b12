"""Sizes and times as people read them."""

from __future__ import annotations

from datetime import datetime


def human_size(size: int) -> str:
    """`1.5 MB` for 1,500,000: decimal units, as disks are sold and as the limits are written."""
    if size < 1000:
        return f"{size} bytes"
    amount = size / 1000
    for unit in ("kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def human_time(seconds: float) -> str:
    """`3 min` for 200 seconds: whole units, rounded down; nothing is `over` before it began."""
    amount = int(seconds)
    if amount < 0:
        return "over"
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if amount >= size:
            return f"{amount // size} {unit}"
    return f"{amount} s"


def seconds_between(moment: str, now: float) -> float:
    """Seconds from a moment in ISO 8601 to now; 0 when it is none."""
    try:
        return now - datetime.fromisoformat(moment).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0
