"""An answer's Markdown can do nothing in a report: its tags, links, pictures and styles are text."""

from __future__ import annotations

import re
import time

import pytest

from sandloop.report.markdown import CellPlace, markdown

TAGS = set(re.findall(r"\w+", "p em strong s ul ol li pre code span table thead tbody tr th td div br hr blockquote a"))
ATTRIBUTES = {"class", "href", "scope", "start", "tabindex"}


def parts(html: str) -> tuple[set[str], set[str]]:
    """The names of its elements and attributes."""
    tags = re.findall(r"<(\w+)([^>]*)>", html)
    return {name for name, _ in tags}, {name for _, rest in tags for name in re.findall(r"(\w[\w-]*)=", rest)}


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<style>*{display:none}</style>",
        "[x](javascript:alert(1)) [y](JaVaScRiPt:alert(1)) [z](data:text/html,x) [v](vbscript:x)",
        "[a](https://evil.example 'x\" onclick=alert(1) y=\"')",
        "![b](https://evil.example/beacon.png)",
        "<https://evil.example/> <javascript:alert(1)>",
        "[r]\n\n[r]: javascript:alert(1)",
        '```"><script>alert(1)</script>\n</code></pre><script>\n```',
        "    </code><script>",
        "`</code><script>`",
        "| a<script> | b |\n|:-:|--:|\n| <img src=x> | [l](https://e.example) |",
        "&lt;script&gt; &#60;script&#62; &quot;",
        "# <b>title</b>\n\nSetext <i>\n===",
        "> - 1. *a **b ~~c~~***",
        "3. three",
        "\\<script\\>",
        "<!-- hidden --> <?php ?> <![CDATA[x]]>",
    ],
)
def test_nothing_acts(text: str) -> None:
    tags, attributes = parts(markdown(text))
    assert tags <= TAGS
    assert attributes <= ATTRIBUTES
    assert "href" not in attributes


def test_links_and_pictures_are_text_that_says_where_they_lead() -> None:
    html = markdown("[docs](https://a.example/x) ![chart](https://a.example/b.png) <https://c.example>")
    assert '<span class="link">docs</span> <span class="address">‹https://a.example/x›</span>' in html
    assert "picture, not loaded: chart ‹https://a.example/b.png›" in html
    assert html.count("https://c.example") == 1


def test_an_entity_becomes_no_hidden_sign() -> None:
    assert "\\u202e" in markdown("&#x202e;abc `&#x202e;`")
    assert "\u202e" not in markdown("\u202eabc &#x202e; [x](https://e.example/&#x202e;) ![&#x202e;](&#x202e;)")


def test_headings_do_not_join_the_outline_of_the_page() -> None:
    assert not {"h1", "h2", "h3"} & parts(markdown("# a\n\n## b\n\nc\n---"))[0]


def test_a_block_whose_code_stands_in_the_report_points_there() -> None:
    cells = {"print(1)": CellPlace("run-s2", "step 2")}
    html = markdown("Look:\n\n```python\nprint(1)\n```\n\n```python\nprint(2)\n```", cells)
    assert '<a href="#run-s2">the code of step 2</a>' in html
    assert "print</span>" in html
    assert '<span class="mi">1</span>' not in html


def test_what_is_nested_too_deep_to_be_shown_whole_is_plain() -> None:
    assert markdown("> " * 60 + "the answer") == '<pre class="plain">' + "&gt; " * 60 + "the answer</pre>"


def test_a_reference_used_ten_thousand_times_does_not_grow() -> None:
    text = f"[a]: https://e.example/{'u' * 5000}\n\n" + "[a]" * 10_000
    assert len(markdown(text)) <= 8 * len(text) + 2000


@pytest.mark.parametrize(
    "piece", ["[", "![", "*a **b ", "<", "[a](", "|a" * 50 + "\n", "`" * 30 + " ", "~~a", "[x", "&", "> - ", "a\n", "_a *b "]
)
def test_no_text_of_an_answer_s_length_takes_long(piece: str) -> None:
    started = time.perf_counter()
    markdown((piece * 20_000)[:20_000])
    assert time.perf_counter() - started < 3
