"""When two numbers are the same: one rule for answers and for cells."""

from __future__ import annotations

TOLERANCE = 0.001
"""Relative. A difference under one part in a thousand is what rounding on the way, the order of a sum, or n against n - 1 in a
sample of a thousand makes; two numbers that are given with three digits and differ in the third are always told apart."""
_HAIR = 1e-9


def close(a: float, a_slack: float, b: float, b_slack: float, tolerance: float) -> bool:
    """Whether `a` and `b` are the same number.

    They are when one rounds to the other at the digits the other is given with, or when they differ by no more than `tolerance`
    of the larger one.

    Args:
        a_slack: Half a unit of the last digit that `a` is given with; 0 when it is exact.
        b_slack: The same of `b`.
        tolerance: Relative.
    """
    difference, size = abs(a - b), max(abs(a), abs(b))
    fine, coarse = sorted((a_slack, b_slack))
    room = coarse if coarse > 1.5 * fine else 0.0
    return difference <= max(room * (1 + _HAIR), tolerance * size) + size * 1e-12


def slack_of(plain: str) -> float:
    """Half a unit of the last digit of a number as Python writes it: 0.05 for `12.4`, 0.5 for `12`, 50 for `1e2`."""
    mantissa, _, exponent = plain.lower().partition("e")
    digits = len(mantissa.partition(".")[2])
    try:
        return 0.5 * 10.0 ** (int(exponent or 0) - digits)
    except (ValueError, OverflowError):
        return 0.0
