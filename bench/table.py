"""The rows of the table, their targets, and who takes part in each."""

from __future__ import annotations

import around
import measures
from figures import Row, Target
from ground import Measure

LOW, COLD = ("ours_warm", "limit_warm", "exec", "run"), ("ours", "limit", "exec", "run")
MEASURES = (
    Measure(
        rows=(Row(id="step", what="warm step, print(1+1)", unit="ms", target=Target(kind="most", value=0.8)),),
        take=measures.warm_steps,
        subjects=COLD,
    ),
    Measure(
        rows=(Row(id="rested", what="the same after a second's pause", unit="ms"),),
        take=measures.rested_step,
        subjects=("ours", "limit"),
    ),
    Measure(
        rows=(Row(id="warm", what="pooled: open to first output", unit="ms", target=Target(kind="most", value=15), pooled=True),),
        take=measures.first_output("warm"),
        subjects=LOW,
    ),
    Measure(
        rows=(
            Row(
                id="table", what="pooled: 5 MB CSV in, read, grouped", unit="ms", target=Target(kind="most", value=90), pooled=True
            ),
        ),
        take=measures.first_table,
        subjects=LOW,
    ),
    Measure(
        rows=(Row(id="cold", what="cold: open to first output", unit="ms", target=Target(kind="limit", value=1.4)),),
        take=measures.first_output("cold"),
        subjects=COLD,
    ),
    Measure(
        rows=(
            Row(
                id="analysis",
                what="pooled: 10 steps, 10 MB CSV, chart",
                unit="s",
                target=Target(kind="most", value=0.75),
                pooled=True,
            ),
        ),
        take=measures.analysis,
        subjects=LOW,
        rare=("exec", "run"),
    ),
    Measure(
        rows=(Row(id="at_once", what="8 sessions at once x 5 steps, cold", unit="s", target=Target(kind="limit", value=1.5)),),
        take=measures.at_once,
        subjects=COLD,
        rare=("exec", "run"),
    ),
    Measure(
        rows=(
            Row(id="in", what="100 MB in", unit="MB/s", target=Target(kind="least", value=400)),
            Row(id="out", what="100 MB out", unit="MB/s", target=Target(kind="least", value=400)),
            Row(id="files_memory", what="growth of our memory by both", unit="MB", target=Target(kind="most", value=30)),
        ),
        take=measures.files,
        subjects=("ours", "limit", "exec"),
    ),
    Measure(
        rows=(
            Row(id="close", what="close, for the caller", unit="ms", target=Target(kind="most", value=2)),
            Row(id="gone", what="close, container gone", unit="ms", target=Target(kind="most", value=100)),
        ),
        take=measures.closing,
        subjects=("ours", "limit", "exec"),
    ),
    Measure(
        rows=(Row(id="endless", what="endless print for 5 s: our memory", unit="MB", target=Target(kind="most", value=30)),),
        take=measures.endless,
        subjects=("ours",),
        rare=("ours",),
    ),
    Measure(
        rows=(Row(id="idle", what="memory of an idle pooled container", unit="MB", pooled=True),),
        take=measures.idle,
        subjects=("ours_warm", "limit_warm"),
        rare=("ours_warm", "limit_warm"),
    ),
    Measure(
        rows=(
            Row(id="import", what="import sandloop, over bare Python", unit="ms", target=Target(kind="most", value=60)),
            Row(id="help", what="sandloop --help, over bare Python", unit="ms", target=Target(kind="most", value=250)),
        ),
        take=around.imports,
        subjects=("ours",),
    ),
    Measure(
        rows=(
            Row(id="loop", what="a run's time beside model and code", unit="ms", pooled=True),
            Row(id="share", what="its share, at 2 s a reply", unit="%", target=Target(kind="most", value=1), pooled=True),
        ),
        take=around.loop,
        subjects=("ours_warm",),
    ),
)
