"""What extraction promises for any string, and what must never run."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandloop.events import ReplyEnded, ReplyStop, ToolCall
from sandloop.extraction import Extraction, extract
from sandloop.extraction.fences import MOST_FENCES, blocks

CODE = "import pandas as pd\nprint(pd.read_csv('a.csv').sum())"
BLOCK = f"```python\n{CODE}\n```"
RAN = ("print(0)",)


def said(text: str, *, stop: ReplyStop = "end", tools_in_use: bool = False, already_ran: tuple[str, ...] = ()) -> Extraction:
    return extract(ReplyEnded(stop=stop, text=text), tools_in_use=tools_in_use, already_ran=already_ran)


def called(arguments: str, name: str = "python") -> list[str]:
    reply = ReplyEnded(stop="end", calls=(ToolCall(id="c", name=name, arguments=arguments),))
    return [c.source for c in extract(reply).cells]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "The mean is 4.2.",
        "42",
        "[1, 2, 3]",
        "{'a': 1}",
        "mean: 4.2\nmax: 9",
        "df.head()",
        "Use `import os; print(os.environ)` to see it.",
        "Use ``` as a fence.",
        f"> Earlier you wrote:\n>\n> {BLOCK.replace(chr(10), chr(10) + '> ')}",
        f"1. > {BLOCK.replace(chr(10), chr(10) + '   > ')}",
        f"<!-- {BLOCK} -->",
        f"<!--\n{BLOCK}\n-->\nThe sum is 3.",
        f"words <!--\n{BLOCK}\n--> words",
        f"<think>{BLOCK}</think>",
        f"<think>\n{BLOCK}",
        f"{BLOCK}\n</think>\nThe sum is 3.",
        f"<thinking>\n{BLOCK}\n</thinking>\nThe sum is 3.",
        f"◁think▷{BLOCK}◁/think▷The sum is 3.",
        f"<|channel|>analysis<|message|>{BLOCK}<|end|><|start|>assistant<|channel|>final<|message|>The sum is 3.",
        f"Don't run this, it is only pseudocode:\n{BLOCK}",
        f"This is for illustration:\n\n{BLOCK}",
        f"The wrong way:\n{BLOCK}",
        f"Here is the code I used:\n{BLOCK}",
        f"For reference, the code:\n{BLOCK}",
        f"I used the following code:\n{BLOCK}",
        f"Dies ist der verwendete Code:\n{BLOCK}",
        f"{BLOCK}\nThe code above was used to get the sum.",
        "```\nTraceback (most recent call last):\n  File 'a.py', line 1\nKeyError: 'x'\n```",
        "```\n   a  b\n0  1  2\n```",
        "```\narray([1.5, 2.5])\n```",
        "```\nName: x\n```",
        "```\nttest_indResult(statistic=1.2, pvalue=0.3)\n```",
        "```python output\nprint(1)\n```",
        "```{python eval=false}\nprint(1)\n```",
        "```python\n--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-print(1)\n+print(2)\n```",
        "```\ndiff --git a/x b/x\n```",
        "```console\nprint(1)\n```",
        "```powershell\nRemove-Item x\n```",
        "```python\n# expected output\nprint(1)\n```",
        '```json\n{"total": 3}\n```',
        '```json\n[{"name": "a", "code": "b"}]\n```',
        '{"name": "get_weather", "arguments": {"city": "Paris"}}',
        'Call `{"name": "python", "arguments": {"code": "print(1)"}}` for it.',
        '> {"name": "python", "arguments": {"code": "print(1)"}}',
        "The <code>print(1)</code> function and the <tool_call> tag.",
        "<script>\nalert(1)\n</script>",
    ],
)
def test_what_is_not_meant_to_run_gives_nothing(text: str) -> None:
    assert said(text).cells == ()


@pytest.mark.parametrize(
    "text",
    [
        f"The sum is 3.\n\n{BLOCK}",
        f"I have saved the chart.\n\n{BLOCK}",
        f"If you want to see it yourself:\n{BLOCK}",
        f"You can reproduce this with:\n{BLOCK}",
        f"Final answer: 3\n\nFull code:\n{BLOCK}",
    ],
)
def test_a_finished_answer_does_not_run_its_blocks_once_code_has_run(text: str) -> None:
    assert said(text, already_ran=RAN).cells == ()


@pytest.mark.parametrize(
    "text",
    [
        f"The sum is probably 3. You can use this code:\n{BLOCK}",
        f"Here is the code:\n{BLOCK}",
        f"The following code can be used to find the sum:\n{BLOCK}",
        f"{BLOCK}\n\nThe sum is 3.",
    ],
)
def test_a_guess_with_code_runs_the_code_while_nothing_has_run(text: str) -> None:
    assert [c.source for c in said(text).cells] == [CODE]


@pytest.mark.parametrize(
    "text",
    [
        f"That failed. Here is the corrected version of the code I used:\n{BLOCK}",
        f"Now let me look at the sum:\n{BLOCK}",
        f"{BLOCK}\n\nThe sum is 3.",
        BLOCK,
    ],
)
def test_an_announced_step_runs_after_other_code_has_run(text: str) -> None:
    assert [c.source for c in said(text, already_ran=RAN).cells] == [CODE]


def test_a_refusal_gives_nothing() -> None:
    assert said(BLOCK, stop="refusal").cells == ()


def test_code_cut_off_by_the_token_limit_is_left_out_and_said() -> None:
    found = said(f"{BLOCK}\n\nThen:\n```python\nprint('a", stop="length")

    assert [c.source for c in found.cells] == [CODE]
    assert found.cut_off


def test_the_last_call_alone_can_be_cut_off() -> None:
    whole = ToolCall(id="a", name="python", arguments=json.dumps({"code": CODE}))
    broken = ToolCall(id="b", name="python", arguments='{"code": "print(')
    found = extract(ReplyEnded(stop="length", calls=(whole, broken)))

    assert [(c.call_id, c.source) for c in found.cells] == [("a", CODE)]
    assert found.cut_off


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00\ufeff")).map(lambda s: f"x = {s!r}"))
def test_code_in_strict_json_comes_out_as_it_went_in(source: str) -> None:
    assert called(json.dumps({"code": source})) == [source]


@given(st.lists(st.sampled_from(["x = 1", "print('a')", "if x:\n    print(x)", "# a note", "d = {'k': \"v\"}"]), min_size=1))
def test_the_same_code_comes_out_of_every_form(lines: list[str]) -> None:
    source = "\n".join([*lines, "print(x)"])
    argument = json.dumps({"code": source})
    call = json.dumps({"name": "python", "arguments": {"code": source}})

    forms = [
        f"```python\n{source}\n```",
        f"~~~py\n{source}\n~~~",
        f"<tool_call>\n{call}\n</tool_call>",
        f"<function=python>\n<parameter=code>\n{source}\n</parameter>\n</function>",
        f"[TOOL_CALLS]python[ARGS]{argument}",
        f"<|tool_call_begin|>functions.python:0<|tool_call_argument_begin|>{argument}<|tool_call_end|>",
        f"<|channel|>commentary to=functions.python<|message|>{argument}<|call|>",
        call,
    ]

    assert [[c.source for c in said(form).cells] for form in forms] == [[source]] * len(forms)


PIECES = [
    *(
        "```",
        "~~~",
        "```python\n",
        "\n",
        " ",
        "    ",
        "> ",
        "- ",
        "1. ",
        "<!--",
        "-->",
        "`",
        "print(1)",
        "import os",
        "x = ",
        '"',
        "'",
    ),
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<function=python>", "<parameter=code>", "</parameter>", "{", "}", "["),
    *("<|channel|>", "analysis", " to=functions.python", "<|message|>", "<|call|>", "[TOOL_CALLS]", "[ARGS]", "<|python_tag|>"),
    *('{"name": "python", "arguments": ', '{"code": "', "\\n", '"}', "Action: python\nAction Input: ", "Observation:", "\\", "]"),
    *(
        "<code>\n",
        "<pre>\n",
        "'''python\n",
        "$ cat <<EOF\n",
        "</code>",
        "<｜tool▁call▁begin｜>",
        "<｜tool▁sep｜>",
        "<invoke name=",
        ">>> ",
        "$ ",
        "!ls",
        "%time ",
        "\ud800",
        "\x00",
    ),
    *(
        "Output:",
        "Here is the code I used:",
        "\u200b",
        "\u00a0",
        "\r",
        "\ufeff",
        "%%bash\n",
        "call:python{",
        "<escape>",
        "“",
        "(",
        ")",
    ),
]
REPLIES = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40).map("".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(REPLIES, st.sampled_from(["end", "length"]), st.booleans(), REPLIES)
def test_any_string_gives_runnable_text_and_never_raises(text: str, stop: ReplyStop, tools: bool, arguments: str) -> None:
    calls = (ToolCall(id="c", name="python", arguments=arguments),) if tools else ()
    found = extract(ReplyEnded(stop=stop, text=text, calls=calls), tools_in_use=tools, already_ran=(text,))

    for cell in found.cells:
        assert cell.source.strip()
        assert "\x00" not in cell.source
        cell.source.encode()
        assert cell.language in ("python", "bash")
    assert not (found.cut_off and stop == "end")


@settings(max_examples=50, deadline=None)
@given(REPLIES)
def test_extraction_gives_the_same_twice(text: str) -> None:
    assert said(text) == said(text)


UNITS = [
    *(
        "`",
        "```\n",
        "```python\nx = 1\n```\n",
        "{",
        "[",
        '{"a":',
        "<tool_call>",
        "<tool_call>{",
        "<think>",
        "</think>",
        "<|channel|>",
    ),
    *(
        "> ",
        "- a\n",
        "<!--",
        "a b\n",
        '"',
        "\\",
        " ",
        "\n",
        "\u00a0",
        "(",
        "f(",
        ">>> x\n",
        "Action: python\nAction Input:\n",
        "<code>\n",
    ),
    *(
        '{"name": "python", "arguments": {"code": "',
        "<function=python>",
        "<parameter=code>",
        "[TOOL_CALLS]",
        "to=functions.python ",
    ),
    *("\nls -a.b/c=d ", " -a.b/c=d", "KeyError: ", ">>>python\n", "‘‘‘\n", "Call: f(", ".. code-block:: python\n", "\n\n    x"),
    *("<details type='reasoning'>", "Here is my thought process:\n", "#+begin_src python\n", "<jupyter_code>", "<|channel>thought"),
    *("<｜tool▁call▁begin｜>", "<|start|>", '"code": "', "code which was ", "import a\n", "-", "lambda:", "!ls\n", "“", "\ud800"),
]


@pytest.mark.parametrize("unit", UNITS)
def test_eight_times_the_text_takes_far_less_than_its_square(unit: str) -> None:
    """Processor time, not the clock's, the best of some tries: a busy machine must not decide. A square would be 64 times."""
    small, large = (min(_seconds(unit * (size // len(unit))) for _ in range(tries)) for size, tries in ((2_500, 5), (20_000, 2)))

    assert large < 2 or large < 32 * small


def _seconds(text: str) -> float:
    """The best of two, as text, as a block and as arguments."""

    def once() -> float:
        start = time.process_time()
        said(text)
        said("```python\n" + text, stop="length")
        called('{"code": "' + text)
        return time.process_time() - start

    return min(once(), once())


@pytest.mark.parametrize(("before", "after"), [("```python\n", ""), ("```python\n", "\n```"), ("import os\n", "")])
def test_long_code_is_parsed_once(before: str, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing is most of the time, and every rule asks for the tree."""
    parsed: list[str] = []
    parse = ast.parse

    def counted(source: str) -> ast.Module:
        parsed.append(source)
        return parse(source)

    monkeypatch.setattr(ast, "parse", counted)
    code = "total = total + df['a'].sum() * 2\nprint(total)\n" * 1_000

    assert said(before + code + after).cells
    assert Counter(len(source) // 100 for source in parsed).most_common(1)[0][1] == 1


@pytest.mark.parametrize("unit", ["`", "{", "<tool_call>", "a b\n", "```\n", '{"name": "python", "arguments": {"code": "'])
def test_a_megabyte_of_anything_ends_in_seconds(unit: str) -> None:
    start = time.process_time()

    said(unit * (1_000_000 // len(unit)))
    called(unit * (1_000_000 // len(unit)))

    assert time.process_time() - start < 20


@pytest.mark.parametrize("words", [" -a.b/c", " a/b.c", " a=b/c.d"])
def test_words_that_can_be_read_in_two_ways_cost_no_more_for_being_many(words: str) -> None:
    start = time.process_time()

    assert said(f"```\nls{words * 50} !\n```").cells == ()
    assert time.process_time() - start < 5


@pytest.mark.parametrize("mark", ["```", "~~~"])
def test_fences_beyond_any_reply_s_number_are_not_searched(mark: str) -> None:
    code = f"{mark}python\nprint(1)\n{mark}\n"

    assert len(blocks(code * MOST_FENCES)) == MOST_FENCES // 2
    assert len(blocks(code * 10)) == 10


def test_importing_extraction_loads_neither_parser() -> None:
    program = "import sys, sandloop.extraction; print({'markdown_it', 'json_repair'} & set(sys.modules))"

    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "set()\n"
