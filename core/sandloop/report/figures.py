"""Numbers as a report writes them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from sandloop.events import Usage

_KINDS = {
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "Excel workbook",
    "application/vnd.ms-excel.sheet.macroenabled.12": "Excel workbook with macros",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "Word document",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "PowerPoint presentation",
    "application/vnd.apache.parquet": "Parquet",
    "application/octet-stream": "binary",
}
_MONTHS = "January February March April May June July August September October November December"  # whatever the locale


def money(dollars: float | None) -> str:
    """`unknown` when it is; never 0 for something that cost a little."""
    if dollars is None:
        return "unknown"
    if 0 < dollars < 0.0001:
        return "under $0.0001"
    return "$0" if dollars == 0 else f"${dollars:,.4f}" if dollars < 1 else f"${dollars:,.2f}"


def seconds(amount: float | None) -> str:
    """`0.42 s`, `12.3 s`, `3 min 20 s`; empty when it is unknown."""
    if amount is None:
        return ""
    if amount < 10:
        return f"{amount:.2f} s"
    if amount < 120:
        return f"{amount:.1f} s"
    return f"{int(amount // 60):,} min {int(amount % 60)} s"


def moment(at: str) -> str:
    """`27 November 2026, 10:15 UTC` for a moment in ISO 8601; as it is when it is none."""
    try:
        there = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, OverflowError):
        return at
    return f"{there.day} {_MONTHS.split()[there.month - 1]} {there.year}, {there:%H:%M} UTC"


def kind_of(mime: str) -> str:
    """The type of a file, by the name people use where the MIME type is an unwieldy one."""
    return _KINDS.get(mime, mime)


def count(number: int, one: str, many: str = "") -> str:
    """`1 step`, `2 steps`, `1,461 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def tokens(usage: Usage) -> tuple[tuple[str, str], ...]:
    """What the tokens were, by kind; the kinds that there were none of are not named, but for in and out.

    Empty when there were none at all: a model that answers with none does not tell them.
    """
    if not usage.input_tokens and not usage.output_tokens:
        return ()
    kinds = (
        ("in", usage.input_tokens),
        ("of them from the cache", usage.cached_tokens),
        ("of them written to the cache", usage.cache_write_tokens),
        ("out", usage.output_tokens),
        ("of them reasoning", usage.reasoning_tokens),
    )
    return tuple((name, f"{amount:,}") for name, amount in kinds if amount or name in ("in", "out"))
