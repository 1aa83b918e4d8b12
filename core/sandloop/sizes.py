"""Sizes as people read them."""

from __future__ import annotations


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
