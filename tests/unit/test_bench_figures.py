"""What samples come to: medians, the worse end, ratios, and what counts."""

from __future__ import annotations

import pytest

from figures import Row, Sample, Target, figure, line
from rounds import turned

STEP = Row(id="step", what="a step", unit="ms", target=Target(kind="most", value=0.8))
POOLED = Row(id="warm", what="from the pool", unit="ms", target=Target(kind="most", value=15), pooled=True)


def samples(row: Row, subject: str, *values: float, warm: bool = True) -> list[Sample]:
    return [Sample(row=row.id, subject=subject, value=value, warm=warm) for value in values]


def test_the_95th_percentile_is_of_the_worse_end() -> None:
    values = [float(n) for n in range(1, 101)]
    assert figure(values).p95 == 95
    assert figure(values, more_is_better=True).p95 == 6
    assert figure(values).median == 50.5


def test_no_samples_give_no_figure() -> None:
    with pytest.raises(ValueError, match="no samples"):
        figure([])


def test_a_sample_that_was_not_warm_is_never_a_warm_figure() -> None:
    found = line(POOLED, [*samples(POOLED, "ours", 200.0, 210.0, warm=False), *samples(POOLED, "limit", 3.0)])
    assert found.not_warm == 2
    assert "ours" not in found.figures
    assert found.reached is None
    mixed = line(POOLED, [*samples(POOLED, "ours", 200.0, warm=False), *samples(POOLED, "ours", 5.0)])
    assert (mixed.not_warm, mixed.figures["ours"].median, mixed.reached) == (1, 5.0, True)


def test_a_ratio_is_ours_in_multiples_of_the_other() -> None:
    found = line(STEP, [*samples(STEP, "ours", 0.6), *samples(STEP, "limit", 0.3), *samples(STEP, "exec", 60.0)])
    assert found.ratio("limit") == 2
    assert found.ratio("exec") == 0.01
    assert found.ratio("run") is None


@pytest.mark.parametrize(
    ("target", "ours", "limit", "reached"),
    [
        (Target(kind="most", value=0.8), 0.8, None, True),
        (Target(kind="most", value=0.8), 0.9, 9.0, False),
        (Target(kind="least", value=400), 390, None, False),
        (Target(kind="limit", value=1.4), 139, 100.0, True),
        (Target(kind="limit", value=1.4), 141, 100.0, False),
        (Target(kind="limit", value=1.4), 141, None, None),
    ],
)
def test_a_target_is_reached_or_not(target: Target, ours: float, limit: float | None, reached: bool | None) -> None:
    assert target.reached(ours, limit) is reached


def test_every_subject_begins_in_turn() -> None:
    assert [turned(["a", "b", "c"], by)[0] for by in range(4)] == ["a", "b", "c", "a"]
