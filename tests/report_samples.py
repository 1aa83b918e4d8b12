"""Runs and comparisons made by hand, for the tests of reports: usual ones, and one in which every text is hostile."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sandloop.comparing.comparison import Agreement, Comparison, Entry, FileRow, Judgement, NumberRow
from sandloop.events import (
    Answered,
    Check,
    Checked,
    CodeError,
    CodeRan,
    CodeWritten,
    Event,
    Failed,
    FellBack,
    FileMade,
    FilesPreviewed,
    InputFile,
    Noted,
    Preview,
    Reminded,
    ReplyEnded,
    Retried,
    RouteChosen,
    RunStarted,
    SandboxOpened,
    Text,
    Thinking,
    Usage,
)
from sandloop.result import Result
from sandloop.store import FileStore

QUESTION = "What is the mean temp_max of each month over all years, and which month is warmest? Draw a chart."
INPUT = InputFile(name="seattle-weather.csv", size=47_838, mime="text/csv", sha256="62f0609f" * 8)
MEANS = (7.4, 9.1, 12.4, 15.3, 19.2, 22.3, 26.1, 26.1, 22.0, 16.2, 11.0, 7.5)
CODE = """import pandas as pd
import matplotlib.pyplot as plt

df = pd.read_csv("seattle-weather.csv", parse_dates=["date"])
means = df.groupby(df["date"].dt.month)["temp_max"].mean().round(1)  # of all years
print(means)
means.plot.bar(title="Mean of temp_max, °C")
plt.savefig("means.png")
means.to_csv("means.csv")
print(f"warmest: month {means.idxmax()} with {means.max():.1f} °C")
"""
PRINTED = "date\n" + "".join(f"{month:<6}{mean}\n" for month, mean in enumerate(MEANS, 1)) + "warmest: month 8 with 26.1 °C\n"
CSV = "month,mean_temp_max,days,note\n" + "".join(
    f'{m},{mean},{120 + m % 3},"all, of 4 years"\n' for m, mean in enumerate(MEANS, 1)
)
ANSWER = """**August is the warmest month**, with a mean of **26.1 °C**; July is a hair behind.

| month | mean °C | days |
|---|---:|:---:|
| July | 26.1 | 124 |
| August | 26.1 | 124 |

1. The file has 1,461 days of four years.
2. `temp_max` was averaged over all days of a month, as in [the docs](https://pandas.pydata.org/docs/).

The chart is in `means.png`.
"""
TRACE = 'Cell In[1], line 2\n    df.groupby(df["date"].dt.month)["tmax"].mean()\nKeyError: \'Column not found: tmax\'\n'


def png(
    heights: Sequence[float] = MEANS, colour: tuple[int, int, int] = (31, 119, 180), width: int = 640, height: int = 400
) -> bytes:
    """A bar chart as a PNG."""
    top = max(heights)
    bar = width // len(heights)
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            index = min(x // bar, len(heights) - 1)
            inside = 8 < x % bar < bar - 8 and y > height - 20 - (height - 60) * heights[index] / top and y < height - 20
            rows += bytes(colour if inside else (255, 255, 255))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(bytes(rows))) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


SVG = (
    b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 200 80">'
    b'<defs><path id="p" d="M0 0h30v50h-30z"/></defs><g fill="#1f77b4"><use xlink:href="#p" x="10" y="20"/>'
    b'<use xlink:href="#p" x="60" y="10"/></g></svg>'
)
PAGE = (
    b"<!doctype html><html><head><title>t</title><style>td.hot{background:#ffd9b3}</style></head><body><h1>Means</h1>"
    b'<table border="1"><tr><th>month</th><th>mean</th></tr><tr><td>July</td><td class="hot">26.1</td></tr></table></body></html>'
)


class Making:
    """The files of a run while it is put together."""

    def __init__(self) -> None:
        self.store = FileStore(file_bytes=20_000_000)

    def file(self, name: str, content: bytes, mime: str, code_id: str | None = "c1", **more: Any) -> FileMade:
        sha256 = hashlib.sha256(content).hexdigest()
        self.store.add_bytes(content, sha256)
        return FileMade(name=name, size=len(content), mime=mime, sha256=sha256, code_id=code_id, **more)


def cell(
    number: int, source: str, *, stdout: str = "", stderr: str = "", error: CodeError | None = None, **ran: Any
) -> tuple[Event, ...]:
    """A cell and what came of it."""
    return (
        CodeWritten(
            code_id=f"c{number}", language=ran.pop("language", "python"), source=source, origin=ran.pop("origin", "fenced")
        ),
        CodeRan(
            code_id=f"c{number}",
            exit_code=ran.pop("exit_code", 1 if error else 0),
            stdout=stdout,
            stderr=stderr,
            error=error,
            seconds=ran.pop("seconds", 0.31),
            **ran,
        ),
    )


def good_run(model: str = "claude", *, answer: str = ANSWER, chart: bytes | None = None) -> Result:
    """A run that failed once, was reminded, and then answered, with a picture, a table, a page and a workbook."""
    making = Making()
    failing = 'import pandas as pd\ndf = pd.read_csv("seattle-weather.csv")\ndf.groupby("month")["tmax"].mean()'
    said = f"I group the days by month.\n\n```python\n{CODE}```\n"
    events: tuple[Event, ...] = (
        RunStarted(id="20261127-101500-aaaaaa", question=QUESTION, model=model, files=(INPUT,), at="2026-11-27T10:15:00+00:00"),
        RouteChosen(route="local", provider="anthropic", model=f"{model}-5-large", reason="you asked for the local sandbox"),
        SandboxOpened(sandbox="docker", id="ab", engine="Docker 29.1", image="sha256:19976659ba43", seconds=0.21, warm=True),
        FilesPreviewed(previews=(Preview(name=INPUT.name, text="comma-separated text: 1,461 rows\ncolumns: 'date', 'temp_max'"),)),
        Thinking(text="The user wants means by month. I should look at the columns first."),
        Text(text="Let me look."),
        ReplyEnded(stop="end", text="Let me look."),
        *cell(1, failing, error=CodeError(name="KeyError", value="'Column not found: tmax'", traceback=TRACE)),
        Usage(model=model, input_tokens=1200, output_tokens=150, cached_tokens=800, cost=0.0041),
        Retried(reason="the server was busy (529); asked again after 1 s"),
        Text(text=said),
        ReplyEnded(stop="end", text=said),
        *cell(2, CODE, stdout=PRINTED, stderr="UserWarning: no locale\n", seconds=1.42),
        making.file("means.png", chart if chart is not None else png(), "image/png", "c2"),
        making.file("means.csv", CSV.encode(), "text/csv", "c2"),
        making.file(
            "means.xlsx", b"PK\x03\x04 not parsed", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "c2"
        ),
        making.file("means.html", PAGE, "text/html", "c2"),
        making.file("means.svg", SVG, "image/svg+xml", "c2"),
        Usage(model=model, input_tokens=2400, output_tokens=420, cached_tokens=1200, reasoning_tokens=90, cost=0.0123),
        Text(text=answer),
        ReplyEnded(stop="end", text=answer),
        Checked(checks=(Check(number="1,461", where="The file has 1,461 days of four years."),)),
        Answered(text=answer),
    )
    return Result(events=events, store=making.store)


def native_run() -> Result:
    """A run at the provider, which costs by container time and is not priced by tokens."""
    making = Making()
    answer = "The warmest month is **July**, with a mean of 25.9 °C (3 rows without a date were left out)."
    events: tuple[Event, ...] = (
        RunStarted(id="20261127-101500-bbbbbb", question=QUESTION, model="gpt", files=(INPUT,), at="2026-11-27T10:15:00+00:00"),
        RouteChosen(route="native", provider="openai", model="gpt-6", reason="the model runs code itself and the file fits"),
        Text(text="I’ll compute it."),
        *cell(
            1,
            'df = df.dropna()\nprint(df.groupby("month").temp_max.mean().max())',
            stdout="25.9\n",
            origin="provider",
            seconds=None,
        ),
        making.file("chart.png", png([m - 0.2 * i for i, m in enumerate(MEANS)], (214, 96, 39)), "image/png"),
        making.file("means.csv", CSV.replace("26.1", "25.9").encode(), "text/csv"),
        Text(text=answer),
        ReplyEnded(stop="end", text="I’ll compute it." + answer),
        Usage(model="gpt-6", input_tokens=5210, output_tokens=610, container_seconds=31, container_cost=0.03),
        Answered(text=answer),
    )
    return Result(events=events, store=making.store)


def failed_run() -> Result:
    """A run that a limit ended, in a sandbox that does not hold all it should."""
    making = Making()
    repeated = CodeError(name="NameError", value="name 'pd' is not defined", traceback="NameError: name 'pd' is not defined\n")
    events: tuple[Event, ...] = (
        RunStarted(
            id="20261127-101500-cccccc", question=QUESTION, model="ollama/qwen3", files=(INPUT,), at="2026-11-27T10:15:00+00:00"
        ),
        RouteChosen(route="native", provider="ollama", model="qwen3", reason="auto"),
        FellBack(reason="the server does not run code"),
        RouteChosen(route="local", provider="ollama", model="qwen3", reason="the model can't run code itself"),
        SandboxOpened(
            sandbox="docker", id="cd", engine="Docker 29.1", weakened=("no_seccomp",), not_limited=("the disk is not limited here",)
        ),
        Reminded(about="no_code", text="No code has run yet, so nothing supports this answer."),
        *(event for n in range(1, 8) for event in cell(n, "print(pd.DataFrame())", error=repeated)),
        *cell(
            8,
            "while True:\n    pass",
            stopped_by="time",
            exit_code=137,
            state="lost",
            seconds=20.0,
            stdout="…\n" * 3,
            stdout_cut=120_000,
        ),
        Noted(about="sandbox", text="The interpreter was started again."),
        ReplyEnded(stop="end", text="I could not find the value."),
        Usage(model="qwen3", input_tokens=9000, output_tokens=2100, cost=0.0),
        Failed(
            error="LimitReached",
            message="The run reached its limit of code_runs = 8. What it did so far is kept; raise Limits.code_runs.",
        ),
    )
    return Result(events=events, store=making.store)


def comparison() -> Comparison:
    """Four entries: two that agree, one that differs, one that failed before it began, and one that a limit ended."""
    entries = (
        Entry(model="claude", label="claude", result=good_run(), seconds=14.2),
        Entry(model="gpt", label="gpt", result=native_run(), seconds=9.8),
        Entry(
            model="ollama/qwen3", label="ollama/qwen3", result=failed_run(), error="LimitReached", seconds=71.4,
            message="The run reached its limit of code_runs = 8. What it did so far is kept; raise Limits.code_runs.",
        ),
    )  # fmt: skip
    return Comparison(
        id="20261127-101500-dddddd",
        question=QUESTION,
        files=(INPUT,),
        entries=entries,
        at="2026-11-27T10:15:00+00:00",
        agreement=Agreement(
            verdict="1 of 2 says August, 26.1 °C; gpt says July, 25.9 °C, because it dropped 3 rows",
            agree=False,
            groups=(("claude",), ("gpt",)),
            numbers=(
                NumberRow(what="mean of temp_max", unit="°C", values=("26.1", "25.9", None), differs=(False, True, False)),
                NumberRow(what="days", unit="", values=("1,461", None, None), differs=(False, False, False)),
            ),
            files=(
                FileRow(kind="picture", names=("means.png", "chart.png", None), same=None, distances=(0.0, 0.18, None)),
                FileRow(
                    kind="table",
                    names=("means.csv", "means.csv", None),
                    same=False,
                    differences=("gpt: B8 is 25.9, claude has 26.1",),
                ),
            ),
            judged=Judgement(model="mistral", text="They name *different* months, so they do not agree.", agree=False, cost=0.002),
        ),
    )


def many(count: int) -> Comparison:
    """The usual comparison with `count` columns."""
    base = comparison()
    entries = tuple(replace(base.entries[0], label=f"model {n}") for n in range(1, count + 1))
    rows = (NumberRow(what="mean", unit="°C", values=("26.1",) * count, differs=(False,) * count),)
    return Comparison(
        id=base.id, question=base.question, files=base.files, entries=entries, at=base.at,
        agreement=Agreement(
            verdict=f"{count} of {count} agree: 26.1 °C", agree=True, groups=(tuple(e.label for e in entries),), numbers=rows
        ),
    )  # fmt: skip


EVIL = (
    "\"><script>alert(1)</script><img src=//evil.example/b.png onerror=alert(2)>'</style></title>"
    "<iframe src=//evil.example>\u202egnp.exe\x1b[31m"
)
"""What stands in every name, cell, reason and message of the hostile run."""
EVIL_ANSWER = f"""{EVIL}

<script>alert(3)</script> <style>*{{display:none}}</style> <svg onload=alert(4)>

[click](javascript:alert(5)) [data](data:text/html,<script>alert(6)</script>) [site](https://evil.example/a "x\\" onclick=alert(7)")
![beacon](https://evil.example/beacon.png) <https://evil.example/auto> &#x202e;&lt;b&gt;

```html"><script>alert(8)</script>
</code></pre><script>alert(9)</script>
```

| <b>a</b> | {{{{ 7*7 }}}} |
|---|---|
| <img src=x onerror=alert(10)> | [x][r] |

[r]: https://evil.example/ref
"""
EVIL_PAGE = b"""<html><head><meta http-equiv=refresh content="0;url=https://evil.example/meta"><base href=https://evil.example/>
<link rel=preconnect href=https://evil.example><link rel=stylesheet href=https://evil.example/a.css>
<script>top.location='https://evil.example/top';alert(11)</script><style>@import url(https://evil.example/i.css);
body{background:url(https://evil.example/bg.png)}</style></head><body onload=alert(12)><h1>Hello</h1>
<img src=https://evil.example/p.png onerror=alert(13)><a href=https://evil.example/click target=_top>go</a>
<form action=https://evil.example/form><button autofocus>send</button></form><iframe src=https://evil.example/f></iframe>
<object data=https://evil.example/o></object><video src=https://evil.example/v autoplay></video>
<svg><script>alert(14)</script><use href=https://evil.example/u.svg#a /></svg>"""
EVIL_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(15)"><script>alert(16)</script><image href="https://evil.example/s.png"/></svg>'


def hostile_run() -> Result:
    """Every text in it tries to break out."""
    making = Making()
    events: tuple[Event, ...] = (
        RunStarted(id=EVIL, question=EVIL, model=EVIL, at=EVIL, files=(InputFile(name=EVIL, size=1, mime=EVIL, sha256=EVIL),)),
        RouteChosen(route="local", provider=EVIL, model=EVIL, reason=EVIL),
        SandboxOpened(sandbox=EVIL, id=EVIL, engine=EVIL, image=EVIL, packages=(EVIL,), weakened=(EVIL,), not_limited=(EVIL,)),
        FilesPreviewed(previews=(Preview(name=EVIL, text=EVIL),)),
        Thinking(text=EVIL_ANSWER),
        Text(text=EVIL_ANSWER),
        Retried(reason=EVIL),
        FellBack(reason=EVIL),
        Noted(about="file", text=EVIL),
        ReplyEnded(stop="end", text=EVIL),
        *cell(1, EVIL + "\n'''", stdout=EVIL, stderr=EVIL, error=CodeError(name=EVIL, value=EVIL, traceback=EVIL)),
        making.file(f"{EVIL}.png", png(), "image/png"),
        making.file(f"{EVIL}.svg", EVIL_SVG, "image/svg+xml"),
        making.file(f"{EVIL}.csv", f'"{EVIL}",b\n"{EVIL}",2\n'.replace('""', "'").encode(), "text/csv"),
        making.file(f"{EVIL}.html", EVIL_PAGE, "text/html"),
        making.file(f"{EVIL}.bin", b"\x00", EVIL),
        making.file("page.png", EVIL_PAGE, "image/png"),
        Usage(model=EVIL, input_tokens=1),
        Checked(checks=(Check(number=EVIL, where=EVIL),)),
        Answered(text=EVIL_ANSWER),
    )
    return Result(events=events, store=making.store)


def hostile_comparison() -> Comparison:
    """The same for a comparison."""
    name = hostile_run().files[0].name
    return Comparison(
        id=EVIL,
        question=EVIL * 4,
        files=(InputFile(name=EVIL, size=1, mime=EVIL, sha256=EVIL),),
        entries=(
            Entry(model=EVIL, label=EVIL, result=hostile_run(), seconds=1.0),
            Entry(model=EVIL, label=EVIL + "2", result=None, error=EVIL, message=EVIL),
        ),
        at=EVIL,
        agreement=Agreement(
            verdict=EVIL,
            agree=False,
            groups=((EVIL,), (EVIL,)),
            numbers=(NumberRow(what=EVIL, unit=EVIL, values=(EVIL, EVIL), differs=(False, True)),),
            files=(
                FileRow(kind="table", names=(EVIL, None), same=False, differences=(EVIL,)),
                FileRow(kind="picture", names=(name, None), same=None, differences=(EVIL,), distances=(0.5, None)),
            ),
            judged=Judgement(model=EVIL, text=EVIL_ANSWER, agree=None),
        ),
    )
