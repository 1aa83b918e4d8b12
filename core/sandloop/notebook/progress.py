"""How far runs are, as a notebook shows it. Pure: a fold over events, and a bundle of HTML and text made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from markupsafe import Markup, escape

from sandloop.comparing.progress import Progress, advanced
from sandloop.events import CodeDelta, CodeWritten, Event, Output, ReplyEnded, Text
from sandloop.printable import printable

_LINES, _KEPT = 12, 4_000
"""Of the newest code and of what it prints: lines shown, characters kept."""
_STYLE = """<style>
.sandloop-live { font-size: .92em; opacity: .92 }
.sandloop-live pre { margin: .2em 0 .2em .4em; padding: .2em .8em; max-height: 16em; overflow: auto; font-size: .95em;
  white-space: pre-wrap; border-left: 2px solid rgba(128, 128, 128, .45) }
.sandloop-live table { margin: .2em 0 }
.sandloop-live td { text-align: left; padding: .1em .9em .1em 0 }
.sandloop-live td:nth-child(n + 5) { white-space: nowrap }
.sandloop-live b.running { animation: sandloop-pulse 1.2s ease-in-out infinite }
@keyframes sandloop-pulse { 50% { opacity: .25 } }
</style>"""
_SIGNS = {"waiting": "○", "running": "●", "answered": "✓", "failed": "✗"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One run now: how far it is, and the end of the code and the output at hand."""

    progress: Progress
    where: str = ""
    code: str = ""
    output: str = ""
    said: str = ""

    @classmethod
    def of(cls, label: str) -> Self:
        """Before anything happened."""
        return cls(Progress(label=label))

    def after(self, event: Event, now: float) -> Seen:
        """What an event makes of it."""
        seen = replace(self, progress=advanced(self.progress, event, now))
        match event:
            case Text(text=text):
                return replace(seen, said=(self.said + text)[-_KEPT:], code="", output="")
            case ReplyEnded():
                return replace(seen, said="")
            case CodeDelta(text=text):
                return replace(seen, code=(self.code + text)[-_KEPT:], output="")
            case CodeWritten(source=source):
                return replace(seen, code=source[-_KEPT:], output="")
            case Output(text=text):
                return replace(seen, output=(self.output + text)[-_KEPT:])
            case _:
                return seen


def bundle(runs: Sequence[Seen], now: float, *, over: bool) -> dict[str, str]:
    """All runs as HTML and as plain text; `over` when nothing more comes."""
    lines = [line(run.progress, now, over=over) for run in runs]
    if len(runs) == 1:
        body = _one(runs[0], lines[0], over=over)
    else:
        body = Markup("<table>{}</table>").format(Markup("").join(_row(run.progress, now, over=over) for run in runs))
    html = Markup('{}<div class="sandloop-live">{}</div>').format(Markup(_STYLE), body)  # noqa: S704 - ours
    return {"text/html": str(html), "text/plain": "\n".join(lines)}


def line(progress: Progress, now: float, *, over: bool) -> str:
    """A run in one line, as plain text."""
    figures = " · ".join(part for part in _figures(progress, now) if part)
    return f"{_sign(progress, over)} {_shown(progress.label)}: {_doing(progress, over)}" + (f" · {figures}" if figures else "")


def _one(run: Seen, said: str, *, over: bool) -> Markup:
    running = not over and not run.progress.over
    head = Markup('<div><b class="{}">{}</b>{}</div>').format("running" if running else "", said[:1], said[1:])
    if not running:
        return head
    parts = [_tail(text) for text in ((run.code, run.output) if run.code else (run.said,)) if text.strip()]
    return head + Markup("").join(Markup("<pre>{}</pre>").format(part) for part in parts)


def _row(progress: Progress, now: float, *, over: bool) -> Markup:
    running = not over and progress.state == "running"
    sign = Markup('<b class="{}">{}</b>').format("running" if running else "", _sign(progress, over))
    cells = (_shown(progress.label), progress.route or "", _doing(progress, over), *_figures(progress, now))
    return Markup("<tr><td>{}</td>{}</tr>").format(sign, Markup("").join(Markup("<td>{}</td>").format(cell) for cell in cells))


def _sign(progress: Progress, over: bool) -> str:
    return "✗" if over and not progress.over else _SIGNS[progress.state]


def _doing(progress: Progress, over: bool) -> str:
    return "stopped" if over and not progress.over else _shown(progress.doing or progress.state)


def _figures(progress: Progress, now: float) -> tuple[str, str, str, str]:
    """Steps, tokens, cost, time; empty where there is nothing to tell."""
    seconds = progress.seconds(now)
    return (
        f"{progress.steps} step{'' if progress.steps == 1 else 's'}" if progress.steps else "",
        f"{progress.tokens:,} tokens" if progress.tokens else "",
        f"${progress.cost:.4f}" if progress.cost is not None else "",
        f"{seconds:.1f} s" if seconds is not None else "",
    )


def _shown(text: str) -> str:
    return " ".join(printable(text[:300]).split())


def _tail(text: str) -> Markup:
    return escape("\n".join(printable(text).rstrip().splitlines()[-_LINES:]))
