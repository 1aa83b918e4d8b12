"""A compare file is read as it looks, and what is wrong with it is said with its line; no file can hold the reader for long."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from sandloop.errors import BadFile, BadSuite
from sandloop.suite import Expectation, Suite, SuiteModel, load_suite
from sandloop.suite.reading import MAX_QUESTIONS, parse_suite
from sandloop.suite.tree import MAX_BYTES, MAX_DEPTH

ONE = "questions: [{question: What}]\n"


def read(text: str) -> Suite:
    return parse_suite(text, Path("suite.yaml"))


def with_expected(text: str) -> Suite:
    return read(f"questions:\n  - question: What?\n    expected:\n      - {text}\n")


def test_a_whole_file_becomes_a_suite() -> None:
    suite = read(
        """
description: Weather
models: [claude, {model: "ollama:qwen3", route: local, limits: {seconds: 600}}]
repeat: 2
defaults: {files: [a.csv], route: auto, limits: {seconds: 300, turns: 5}, packages: [polars]}
questions:
  - id: hottest-day
    question: Which day was hottest?
    files: ["b*.csv"]
    expected:
      - {approx: 35.60, tolerance: 0.01, name: "highest, °C"}
      - contains: [2014-08-11, "August 11"]
      - makes: "*.png"
    note: looked up
  - question: How many rows?
"""
    )

    assert suite.models == (SuiteModel(model="claude"), SuiteModel(model="ollama:qwen3", route="local", limits={"seconds": 600}))
    assert (suite.repeat, suite.route, suite.packages) == (2, "auto", ("polars",))
    assert suite.limits == {"seconds": 300, "turns": 5}
    first, second = suite.questions
    assert (first.id, first.files, first.note) == ("hottest-day", ("b*.csv",), "looked up")
    assert first.expected == (
        Expectation(kind="approx", of=("35.60",), tolerance=0.01, name="highest, °C"),
        Expectation(kind="contains", of=("2014-08-11", "August 11")),
        Expectation(kind="makes", of=("*.png",)),
    )
    assert (second.id, second.files) == ("q2", ("a.csv",))


def test_the_path_of_a_recording_begins_at_the_compare_file_and_kept_runs_have_none(tmp_path: Path) -> None:
    (tmp_path / "2026").touch()
    suite = parse_suite(
        f"models: ['replay:a.jsonl', {{model: replay/../b}}, 'replay:/c', 'replay:last', 'replay:20', 'replay:2026', own]\n{ONE}",
        tmp_path / "suite.yaml",
    )
    assert [model.model for model in suite.models] == [
        f"replay:{tmp_path}/a.jsonl",
        f"replay:{tmp_path}/../b",
        "replay:/c",
        "replay:last",
        "replay:20",
        f"replay:{tmp_path}/2026",
        "own",
    ]


@pytest.mark.parametrize("word", ["no", "on", "2014-08-11", "12:30", "0x1F", "1_000", "0.10", "007", "null-ish", "=", "<<"])
def test_words_that_other_readers_of_yaml_change_stay_text_as_they_are_written(word: str) -> None:
    assert with_expected(f"contains: {word}").questions[0].expected[0].of == (word,)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "the file is empty"),
        ("- 1", 1, "is no table"),
        ("models: [a]\n", 1, "has no 'questions'. Write at least one"),
        ("questions: []\n", 1, "is empty"),
        ("questions: {}\n", 1, "questions is no list"),
        (f"{ONE}modles: [a]\n", 2, "modles does not exist. Did you mean 'models'?"),
        (f"{ONE}xyz: 1\n", 2, "xyz does not exist. Known are description, models,"),
        ("questions:\n  - questoin: x\n", 2, "questions[1].questoin does not exist. Did you mean 'question'?"),
        ("questions:\n  - id: a\n", 2, "questions[1] has no 'question'"),
        ("questions:\n  - {question: x, id: a/b}\n", 2, "questions[1].id is 'a/b'. Use letters"),
        ("questions:\n  - {question: x, id: a}\n  - {question: y, id: A}\n", 3, "has the id 'A' of another one"),
        ("questions:\n  - question: ' '\n", 2, "questions[1].question is no text"),
        ("questions:\n  - question: [a]\n", 2, "questions[1].question is no text"),
        (f"{ONE}repeat: 0\n", 2, "repeat is '0'. Write a whole number from 1 to 100"),
        (f"{ONE}repeat: true\n", 2, "repeat is 'true'"),
        (f"{ONE}models: []\n", 2, "models is empty"),
        (f"{ONE}models: [a, a]\n", 2, "models names 'a' twice"),
        (f"{ONE}models:\n  - {{route: local}}\n", 3, "models[1] has no 'model'"),
        (f"{ONE}models:\n  - {{model: a, rout: local}}\n", 3, "models[1].rout does not exist. Did you mean 'route'?"),
        (f"{ONE}defaults: {{route: lokal}}\n", 2, "defaults.route is 'lokal'. Write auto, native or local"),
        (f"{ONE}defaults:\n  limits: {{secnods: 3}}\n", 3, "defaults.limits.secnods does not exist. Did you mean 'seconds'?"),
        (f"{ONE}defaults:\n  limits: {{seconds: -3}}\n", 3, "defaults.limits.seconds is '-3', but must be above 0"),
        (f"{ONE}variables: {{a b: 1}}\n", 2, "is no name for a variable"),
        (f"{ONE}variables: {{a: [[1]]}}\n", 2, "is no text and no number"),
        (f"{ONE}variables: {{a: []}}\n", 2, "variables.a is empty"),
        (
            "questions:\n  - question: In {{ yaer }}?\n    variables: {year: 1}\n",
            2,
            "'yaer', which does not exist. Did you mean 'year'?",
        ),
        ("questions:\n  - question: In {{ year | up }}?\n    variables: {x: 1}\n", 2, "Variables here are x"),
        (
            "questions:\n  - question: 'In {city}?'\n    variables: {city: Oslo}\n",
            2,
            "questions[1].question has the variable 'city' in single braces. Write {{ city }}.",
        ),
        (
            "variables: {city: Oslo}\nquestions:\n  - question: In {{city}}?\n    expected: [{contains: '{ city }'}]\n",
            4,
            "expected[1].contains has the variable 'city' in single braces",
        ),
        ("questions:\n  - question: a\n    question: b\n", 3, "questions[1].question stands there twice"),
        ("questions:\n  - [1, 2]\n", 2, "questions[1] is no table"),
        ("questions: [{question: a\n", 2, "is no YAML"),
        ("questions:\n\t- x\n", 2, "is no YAML"),
        ("a: \x07\n", 1, "is no YAML"),
        ("? [a]\n: b\n", 1, "has a key that is no name"),
        ("questions: !!python/object/apply:os.system ['true']\n", 1, "has the tag"),
        ("questions:\n  - question: !secret x\n", 2, "has the tag '!secret', which means nothing here"),
        ("questions: *nobody\n", 1, "is no YAML"),
        ("--- 1\n--- 2\n", 2, "is no YAML"),
        ('questions:\n  - question: "half of a pair: \\uD83D"\n', 2, "questions[1].question has half of a character"),
        ('questions:\n  - {question: x, "\\uDC00": x}\n', 2, "questions[1] has half of a character"),
        ("questions:\n  - question: x\n    variables: {a: [b, c, b]}\n", 3, "variables.a has 'b' twice. Name each value once"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_its_place(text: str, line: int, says: str) -> None:
    with pytest.raises(BadSuite) as caught:
        read(text)
    assert caught.value.line == line
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"suite.yaml, line {line}: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: x", "expects nothing. Write exactly one of approx, contains"),
        ("{approx: 1, contains: x}", "has approx and contains"),
        ("aprox: 1", "expected[1].aprox does not exist. Did you mean 'approx'?"),
        ("approx: many", "approx is 'many'. Write a number"),
        ("approx: nan", "approx is 'nan'"),
        ("approx: inf", "approx is 'inf'"),
        ("approx: 35,6", "approx is '35,6'. Write a number, with a point before its decimals"),
        ("{approx: 1, tolerance: -1}", "tolerance is '-1'. Write a number of at least 0"),
        ("{contains: x, tolerance: 1}", "means nothing to 'contains'. It belongs to 'approx'"),
        ("equals: [a, b]", "equals is a list"),
        ("contains: []", "contains is empty"),
        ("regex: '('", "is no regular expression"),
        ("regex: 'a{99999999999}'", "is no regular expression"),
        (f"regex: '{'a' * 3000}'", "has 3000 characters"),
        ("python: 'a ='", "is no Python"),
        ("python: 'a = 1'", "does not end with an expression"),
        (f"python: '{'(' * 500}'", "is no Python"),
        ("python: '#'", "does not end with an expression"),
        ("nothing", "is no table"),
        ("contains: '*'", "contains is '*'. Marks of bold and code don't count here; use 'regex'"),
        ("contains: [a, '``']", "contains[2] is '``'"),
        ("equals: '**.**'", "equals is '**.**'"),
    ],
)
def test_what_is_wrong_with_an_expectation_is_known_before_anything_is_asked(text: str, says: str) -> None:
    with pytest.raises(BadSuite) as caught:
        with_expected(text)
    assert says in str(caught.value)
    assert caught.value.line == 4


def test_lists_of_variables_make_a_question_of_each_combination() -> None:
    suite = read(
        """
questions:
  - id: mean
    question: What is the mean of {{ column }} in {{year}}?
    files: ["{{ year }}.csv"]
    variables: {year: [2014, 2015], column: [a, b], unit: mm}
    expected: [{contains: "{{ unit }}", name: "{{ column }}"}, {python: "variables['year'] in {2014}"}]
"""
    )

    assert [q.id for q in suite.questions] == [f"mean[year={y},column={c}]" for y in (2014, 2015) for c in "ab"]
    assert {q.group for q in suite.questions} == {"mean"}
    last = suite.questions[-1]
    assert (last.text, last.files) == ("What is the mean of b in 2015?", ("2015.csv",))
    assert [(e.of, e.name) for e in last.expected] == [(("mm",), "b"), (("variables['year'] in {2014}",), "")]
    assert last.variables == {"year": 2015, "column": "b", "unit": "mm"}


def test_rows_of_variables_keep_a_right_answer_beside_its_question() -> None:
    suite = read(
        """
questions:
  - question: How hot was {{ year }}?
    variables: [{year: 2014, high: 35.6}, {year: 2015, high: 35.0}]
    expected: [{approx: "{{ high }}", tolerance: "0.1"}]
"""
    )

    assert [(q.text, q.expected[0].of) for q in suite.questions] == [
        ("How hot was 2014?", ("35.6",)),
        ("How hot was 2015?", ("35.0",)),
    ]


def test_a_variable_of_the_suite_multiplies_only_questions_that_use_it() -> None:
    suite = read("variables: {year: [1, 2]}\nquestions: [{question: 'In {{ year }}?'}, {question: Always}]\n")
    assert [q.id for q in suite.questions] == ["q1[year=1]", "q1[year=2]", "q2"]


@pytest.mark.parametrize(
    ("question", "expected", "asked"),
    [
        ("In which year?", "contains: year", 1),
        ("In {{ years }}?", "contains: x", 1),
        ("In which year?", "python: numbers == [years]", 1),
        ("In which year?", 'contains: "{{year}}"', 2),
        ("In which year?", "python: variables['year'] in numbers", 2),
        ("In which year?", 'python: variables.get("year") in numbers', 2),
    ],
)
def test_a_word_that_a_variable_of_the_suite_is_called_like_does_not_use_it(question: str, expected: str, asked: int) -> None:
    entry = f"question: '{question}'\n    variables: {{years: 9}}\n    note: '{{{{year}}}}'\n    expected:\n      - {expected}\n"
    assert len(read(f"variables: {{year: [1, 2]}}\nquestions:\n  - {entry}").questions) == asked


def test_the_files_of_the_defaults_use_no_variable_where_a_question_has_its_own() -> None:
    head = "variables: {year: [1, 2]}\ndefaults: {files: ['{{ year }}.csv']}\n"
    suite = read(f"{head}questions: [{{question: Theirs}}, {{question: Own, files: [a.csv]}}]\n")
    assert [q.files for q in suite.questions] == [("1.csv",), ("2.csv",), ("a.csv",)]


@pytest.mark.parametrize("written", ["007", "3.10", "1e3", "+5", "-0", ".5", "True", "0x1F", "1_000", "12:30", "no"])
def test_a_value_stands_in_a_text_as_it_is_written(written: str) -> None:
    (question,) = read(f"questions: [{{question: '{{{{ a }}}}', variables: {{a: {written}}}}}]\n").questions
    assert question.text == written


def test_values_that_only_look_alike_as_numbers_are_questions_of_their_own() -> None:
    suite = read("questions: [{id: v, question: 'Of {{ version }}?', variables: {version: [3.1, 3.10]}}]\n")
    assert [(q.id, q.text) for q in suite.questions] == [
        ("v[version=3.1]", "Of 3.1?"),
        ("v[version=3.10]", "Of 3.10?"),
    ]


def test_what_a_value_brings_is_not_replaced_again() -> None:
    suite = read("questions: [{question: '{{ a }}', variables: {a: '{{ b }}', b: secret}}]\n")
    assert suite.questions[0].text == "{{ b }}"


def test_single_braces_around_anything_but_a_variable_are_text() -> None:
    suite = read(
        """
questions:
  - question: 'As JSON: {"a": { {{a}} }, "b": {b}, "c": {}}'
    variables: {a: "{a}"}
    expected: [{regex: 'a{2}'}, {python: "f'{a}' == '' or {a}"}]
"""
    )
    assert suite.questions[0].text == 'As JSON: {"a": { {a} }, "b": {b}, "c": {}}'


def test_too_many_questions_are_refused_before_they_are_made() -> None:
    values = ", ".join(str(n) for n in range(100))
    began = time.monotonic()
    with pytest.raises(BadSuite, match=f"more than {MAX_QUESTIONS} questions"):
        read(f"questions: [{{question: x, variables: {{a: [{values}], b: [{values}], c: [{values}], d: [{values}]}}}}]\n")
    assert time.monotonic() - began < 5


LAUGHS = "\n".join([f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" if n else "l0: &l0 [lol]" for n in range(12)])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (LAUGHS, "repeats itself by its aliases"),
        ("questions: &a [*a]\n", "repeats itself by its aliases"),
        ("questions: &a\n  x: *a\n", "repeats itself by its aliases"),
        ("[" * 100_000, f"nested deeper than {MAX_DEPTH} levels"),
        ("{a: " * 10_000, f"nested deeper than {MAX_DEPTH} levels"),
        ("- " * 50_000, f"nested deeper than {MAX_DEPTH} levels"),
        ("questions: [" + "x, " * 20_001 + "]", "holds more than"),
    ],
    ids=["laughs", "own child", "own value", "brackets", "braces", "dashes", "many"],
)
def test_a_file_made_to_blow_up_is_refused_soon(text: str, says: str) -> None:
    began = time.monotonic()
    with pytest.raises(BadSuite, match=says):
        read(text)
    assert time.monotonic() - began < 20


def test_a_file_that_is_none_or_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for name, says in (("none", "No such file"), (".", "can't be read"), ("large", "is larger than"), ("bytes", "is not text")):
        with pytest.raises(BadFile, match=says):
            load_suite(tmp_path / (f"{name}.yaml" if name != "." else "."))


def test_a_file_may_be_json_with_all_but_ascii_in_escapes() -> None:
    plain = {"questions": [{"question": "Wie heiß? 🌡", "expected": [{"contains": "🌡"}]}]}
    (question,) = read(json.dumps(plain)).questions
    assert (question.text, question.expected[0].of) == ("Wie heiß? 🌡", ("🌡",))


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_bytes(b"\xef\xbb\xbf" + ONE.encode())
    assert load_suite(tmp_path / "s.yaml").questions[0].text == "What"
