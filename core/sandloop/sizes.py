"""Sizes as people read them."""

from __future__ import annotations


def human_size(size: int) -> str:
    """`1.5 MB` for 1,500,000: decimal units, as disks are sold and as the limits are written."""
    amount = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            break
        amount /= 1000
    else:
        unit = "TB"
    return f"{size} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"
