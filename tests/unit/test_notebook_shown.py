"""What a notebook shows of a result and of a comparison: complete, bounded, and unable to act."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from markdown_it import MarkdownIt

from sandloop.comparing.comparison import Agreement, Comparison, Entry, FileRow, NumberRow
from sandloop.events import (
    Answered,
    Check,
    Checked,
    CodeError,
    CodeRan,
    CodeWritten,
    Event,
    FileMade,
    Noted,
    ReplyEnded,
    RouteChosen,
    RunStarted,
    Text,
    Usage,
)
from sandloop.notebook.shown import comparison_bundle, result_bundle
from sandloop.result import Result
from sandloop.store import FileStore

EVIL = '<script>alert(1)</script><img src=x onerror=alert(1)>"\'><a href="javascript:alert(1)">a</a>\u202e'
EVIL_MARKDOWN = f"{EVIL} ![p](https://evil.example/p.png) [l](javascript:alert(1)) <https://evil.example> [r]: https://evil.example"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63f8cfc0f01f0005000"
    "1ff56c72fd90000000049454e44ae426082"
)
DRAWS = {
    "a",
    "b",
    "blockquote",
    "br",
    "code",
    "details",
    "div",
    "em",
    "figcaption",
    "figure",
    "hr",
    "img",
    "li",
    "ol",
    "p",
    "pre",
} | {"section", "span", "strong", "style", "summary", "table", "tbody", "td", "th", "thead", "tr", "ul"}


class Tags(HTMLParser):
    """All tags of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def result(
    *, text: str = "It is 4.", source: str = "print(4)", said: str = "", files: dict[str, tuple[str, bytes]] | None = None
) -> Result:
    """A run of one step that makes files, each given with its type and its content."""
    store = FileStore(file_bytes=1 << 24)
    made: list[Event] = []
    for name, (mime, content) in (files or {}).items():
        digest = hashlib.sha256(content).hexdigest()
        store.add_bytes(content, digest)
        made.append(FileMade(name=name, size=len(content), mime=mime, sha256=digest, code_id="1"))
    started = RunStarted(id="run 1", question="How many?", model="m")
    events: list[Event] = [
        started, RouteChosen(route="local", provider="p", model="m", reason="it says so"),
        Text(text=said or "So:"), ReplyEnded(stop="end", text=said or "So:"),
        CodeWritten(code_id="1", language="python", source=source, origin="fenced"),
        CodeRan(code_id="1", exit_code=0, stdout="4\n", seconds=0.5), *made,
        Usage(model="m", input_tokens=1200, output_tokens=34, cost=0.0123),
        Checked(checks=(Check(number="17", where="It is 17."),)), Answered(text=text),
    ]  # fmt: skip
    return Result(events=tuple(events), store=store)


def hostile() -> Result:
    """All that others say is markup."""
    error = CodeError(name=EVIL, value=EVIL, traceback=EVIL)
    events: list[Event] = [
        RunStarted(id=EVIL, question=EVIL, model=EVIL), RouteChosen(route="local", provider=EVIL, model=EVIL, reason=EVIL),
        Text(text=EVIL_MARKDOWN), ReplyEnded(stop="end", text=EVIL_MARKDOWN), Noted(about="file", text=EVIL),
        CodeWritten(code_id="1", language="python", source=f"# {EVIL}\n'</pre>'", origin="fenced"),
        CodeRan(code_id="1", exit_code=1, stdout=EVIL, stderr=EVIL, error=error),
    ]  # fmt: skip
    evil = result(files={EVIL: ("text/html", EVIL.encode()), "t.csv": ("text/csv", f"a,{EVIL}\n1,{EVIL}\n".encode())})
    made = [event for event in evil.events if isinstance(event, FileMade)]
    checked = Checked(checks=(Check(number=EVIL, where=EVIL),))
    return Result(events=(*events, *made, checked, Answered(text=EVIL_MARKDOWN)), store=evil.store)


def compared(*results: Result | None) -> Comparison:
    entries = tuple(
        Entry(
            model="m",
            label=f"m {EVIL if one is None else ''}#{number}",
            result=one,
            error="" if one else "MissingKey",
            message=EVIL,
        )
        for number, one in enumerate(results, 1)
    )
    none = (None,) * (len(results) - 1)
    numbers = (NumberRow(what=EVIL, unit=EVIL, values=("4", *none), differs=(True, *(False for _ in none))),)
    files = (FileRow(kind="table", names=("t.csv", *none), same=False, differences=(EVIL,)),)
    agreement = Agreement(verdict="1 of 2 agree: 4", agree=False, numbers=numbers, files=files)
    return Comparison(id="c", question="How many?", files=(), entries=entries, agreement=agreement)


def test_a_result_shows_the_answer_the_code_folded_its_output_and_what_it_took() -> None:
    html = result_bundle(result(text="It is **4**."))["text/html"]

    assert "It is <strong>4</strong>." in html
    assert re.search(
        r"<details[^>]*><summary>.*step 1 .*0\.50 s</summary>\s*<pre><code>.*print.*</details>\s*<pre>4\n</pre>", html, re.S
    )
    for part in ("local · p · m: it says so", "1,200 in", "34 out", "$0.0123", "in no output, file or question: 17"):
        assert part in html


def test_pictures_and_the_first_rows_of_tables_are_shown_and_other_files_named() -> None:
    table = "city,mm\n" + "".join(f"c{i},{i}.5\n" for i in range(30))
    files = {"p.png": ("image/png", PNG), "t.csv": ("text/csv", table.encode()), "page.html": ("text/html", b"<h1>hi</h1>")}
    html = result_bundle(result(files=files))["text/html"]

    assert re.search(r'<img src="data:image/png;base64,\S+" alt="p.png"', html)
    assert html.count("<tr>") == 11
    assert "… more rows" in html
    assert "Also made: page.html (11 bytes)" in html
    assert "hi</h1>" not in html


def test_code_that_a_reply_repeats_is_pointed_to() -> None:
    html = result_bundle(result(said="First:\n\n```python\nprint(4)\n```\n"))["text/html"]

    (anchor,) = re.findall(r'href="#([^"]+)"', html)
    assert f'<details id="{anchor}">' in html


@pytest.mark.parametrize("html", [
    result_bundle(hostile())["text/html"],
    comparison_bundle(compared(hostile(), None))["text/html"],
])  # fmt: skip
def test_nothing_of_others_becomes_markup(html: str) -> None:
    tags = Tags(html).found
    assert {tag for tag, _ in tags} <= DRAWS
    for tag, attributes in tags:
        assert not any(name.startswith("on") or name in ("style", "srcdoc") for name in attributes), (tag, attributes)
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert (attributes.get("href") or "#").startswith("#")
    assert "\u202e" not in html


@pytest.mark.parametrize("bundle", [result_bundle(hostile()), comparison_bundle(compared(hostile(), None))])
def test_markdown_and_text_of_others_link_and_load_nothing(bundle: dict[str, str]) -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(bundle["text/markdown"])
    kinds = {token.type for block in tokens for token in (block, *(block.children or ()))}
    assert not kinds & {"html_block", "html_inline", "image", "link_open"}
    assert "\u202e" not in bundle["text/markdown"] + bundle["text/plain"]


def test_a_fence_in_the_code_does_not_end_the_code() -> None:
    markdown = result_bundle(result(source='print("""\n```\n<b>\n```\n""")'))["text/markdown"]
    codes = [token.content for token in MarkdownIt().parse(markdown) if token.type == "fence"]
    assert codes[0] == 'print("""\n```\n<b>\n```\n""")\n'


def test_a_comparison_shows_the_verdict_a_table_and_a_column_a_run() -> None:
    bundle = comparison_bundle(compared(result(), result(text="It is 5."), None))

    html = bundle["text/html"]
    assert "1 of 2 agree: 4" in html
    assert html.count("<section>") == 3
    assert "It is 5." in html
    assert '<td class="right differs">4 ≠</td>' in html
    assert bundle["text/plain"].splitlines()[:3] == ["≠ 1 of 2 agree: 4", "m #1: It is 4.", "m #2: It is 5."]


def test_a_run_without_an_answer_says_so() -> None:
    ended = Result(events=(RunStarted(id="1", question="?", model="m"),), store=FileStore(file_bytes=0))
    bundle = result_bundle(ended)
    assert "did not end" in bundle["text/html"]
    assert "did not end" in bundle["text/plain"]


def test_what_is_shown_has_an_end_whatever_the_run_holds() -> None:
    big = result(
        text="x" * 1_000_000,
        source="y = 1\n" * 50_000,
        said="z" * 1_000_000,
        files={f"{i}.png": ("image/png", PNG) for i in range(300)},
    )
    assert sum(map(len, result_bundle(big).values())) < 700_000
    assert len(comparison_bundle(compared(*[big] * 4))["text/html"]) < 12_000_000


def test_results_say_it_of_themselves() -> None:
    for shown in (result(), compared(result())):
        ask: Any = shown
        assert set(ask._repr_mimebundle_()) == {"text/html", "text/markdown", "text/plain"}


def test_at_a_prompt_a_result_is_one_line() -> None:
    shown = repr(result(files={"p.png": ("image/png", PNG)}))
    assert shown == "Result(id='run 1', answered=True, steps=1, files=['p.png'])"
