"""From a compare file to the suite: every key known, every value of the right kind, each error with its line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from sandloop.errors import BadFile
from sandloop.suite.model import Question, Suite, SuiteModel
from sandloop.suite.reading_expected import expectation
from sandloop.suite.recordings import beside
from sandloop.suite.tree import MAX_BYTES, Node, read_tree
from sandloop.suite.typed import Table, filled, limits, listed, one_or_more, route, table, text, variable, whole
from sandloop.suite.variables import Value, count, in_braces, product, suffix

MAX_QUESTIONS, MAX_MODELS, MAX_REPEAT = 1000, 50, 100
_ROOT = ("description", "models", "repeat", "defaults", "variables", "questions")
_DEFAULTS = ("files", "route", "limits", "packages")
_QUESTION = ("id", "question", "files", "variables", "expected", "note")
_MODEL = ("model", "route", "limits")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,49}")
_WORD = re.compile(r"\w+")
_Values = dict[str, tuple[Value, ...]]


def load_suite(path: str | Path) -> Suite:
    """The compare file at `path`. Raises `BadFile` when it can't be read, `BadSuite` with the line of what is wrong in it."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        read = content.decode("utf-8-sig")
    except OSError as error:
        raise BadFile(name=str(path), why=f"can't be read: {error.strerror}", do="Name a compare file") from error
    except UnicodeDecodeError:
        raise BadFile(name=str(path), why="is not text in UTF-8", do="Name a compare file") from None
    if len(content) > MAX_BYTES:
        raise BadFile(name=str(path), why=f"is larger than {MAX_BYTES:,} bytes", do="Split it into several files")
    return parse_suite(read, path)


def parse_suite(written: str, path: Path) -> Suite:
    """The suite that this text is. Raises `BadSuite`."""
    root = read_tree(written, str(path))
    top = table(root, _ROOT)
    if "questions" not in top:
        raise root.wrong("has no 'questions'", "Write at least one")
    defaults: Table = table(top["defaults"], _DEFAULTS) if "defaults" in top else {}
    return Suite(
        path=path,
        questions=tuple(_all_questions(top, defaults)),
        models=_models(top["models"], path.parent) if "models" in top else (),
        repeat=whole(top["repeat"], MAX_REPEAT) if "repeat" in top else 1,
        route=route(defaults["route"]) if "route" in defaults else None,
        limits=limits(defaults["limits"]) if "limits" in defaults else {},
        packages=tuple(text(item) for item in one_or_more(defaults["packages"])) if "packages" in defaults else None,
        description=text(top["description"]) if "description" in top else "",
    )


def _models(node: Node, folder: Path) -> tuple[SuiteModel, ...]:
    models = tuple(_model(item, folder) for item in one_or_more(node))
    names = [model.model for model in models]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise node.wrong(f"names {twice!r} twice", "Use 'repeat' to ask each model several times")
    if len(models) > MAX_MODELS:
        raise node.wrong(f"has {len(models)} models", f"Name at most {MAX_MODELS}")
    return models


def _model(node: Node, folder: Path) -> SuiteModel:
    if not isinstance(node.value, dict):
        return SuiteModel(model=beside(text(node), folder))
    row = table(node, _MODEL)
    if "model" not in row:
        raise node.wrong("has no 'model'", "Name a profile, or 'provider:model'")
    return SuiteModel(
        model=beside(text(row["model"]), folder),
        route=route(row["route"]) if "route" in row else None,
        limits=limits(row["limits"]) if "limits" in row else {},
    )


def _all_questions(top: Table, defaults: Table) -> list[Question]:
    shared = _variables(top.get("variables"))
    found: list[Question] = []
    seen: set[str] = set()
    for place, node in enumerate(listed(top["questions"]), 1):
        for question in _questions(node, f"q{place}", shared, defaults.get("files")):
            if question.id.lower() in seen:  # they name files, too, and not every disk tells case apart
                raise node.wrong(f"has the id {question.id!r} of another one", "Give each question an 'id' of its own")
            seen.add(question.id.lower())
            found.append(question)
        if len(found) > MAX_QUESTIONS:
            raise node.wrong(f"brings the questions to more than {MAX_QUESTIONS}", "Use fewer, or fewer values")
    if not found:
        raise top["questions"].wrong("is empty", "Write at least one question")
    return found


def _variables(node: Node | None) -> list[_Values]:
    """One table of lists, or several, each of which is expanded by itself."""
    if node is None:
        return [{}]
    found: list[_Values] = []
    for row in one_or_more(node):
        values: _Values = {}
        for name, item in table(row).items():
            if not _NAME.fullmatch(name):
                raise item.wrong("is no name for a variable", "Use letters, digits and '_'")
            values[name] = tuple(variable(value) for value in one_or_more(item))
            times = Counter(value.text for value in values[name])
            if twice := next((text for text, number in times.items() if number > 1), None):
                raise item.wrong(f"has {twice[:80]!r} twice", "Name each value once")
        found.append(values)
    return found


def _questions(node: Node, fallback: str, shared: Sequence[_Values], files: Node | None) -> list[Question]:
    """All that comes of one entry."""
    row = table(node, _QUESTION)
    if "question" not in row:
        raise node.wrong("has no 'question'", "Write what is asked")
    group = text(row["id"]) if "id" in row else fallback
    if not _ID.fullmatch(group):
        raise row["id"].wrong(f"is {group[:80]!r}", "Use letters, digits, '-', '_' and '.', at most 80")
    parts = [item for name in ("question", "files", "expected") if (item := row.get(name, files if name == "files" else None))]
    tables = _merged(shared, _variables(row.get("variables")), set(_used(parts)))
    if sum(count(values, MAX_QUESTIONS) for values in tables) > MAX_QUESTIONS:
        raise node.wrong(f"makes more than {MAX_QUESTIONS} questions of its variables", "Use fewer values")
    varying = [name for name in tables[0] if len({value.text for values in tables for value in values.get(name, ())}) > 1]
    return [_question(row, group, files, values, varying) for one in tables for values in product(one)]


def _merged(shared: Sequence[_Values], own: Sequence[_Values], used: Collection[str]) -> list[_Values]:
    """Of the suite's variables only those that the question uses: the others would ask the same again."""
    tables = [{**{name: values for name, values in row.items() if name in used}, **mine} for row in shared for mine in own]
    return [row for place, row in enumerate(tables) if row not in tables[:place]]


def _used(nodes: Iterable[Node]) -> Iterator[str]:
    """What stands in braces; in Python, which finds the variables in a table, each word."""
    for node in nodes:
        if isinstance(node.value, dict):
            yield from _used(item for name, item in node.value.items() if name != "python")
            yield from _WORD.findall(node.value["python"].text) if "python" in node.value else ()
        elif isinstance(node.value, tuple):
            yield from _used(node.value)
        else:
            yield from in_braces(node.text)


def _question(row: Table, group: str, files: Node | None, values: dict[str, Value], varying: Sequence[str]) -> Question:
    names = row.get("files", files)
    return Question(
        id=group + suffix(values, [name for name in varying if name in values]),
        group=group,
        text=filled(row["question"], values),
        files=tuple(filled(item, values) for item in one_or_more(names)) if names is not None else (),
        expected=tuple(expectation(item, values) for item in listed(row["expected"])) if "expected" in row else (),
        variables={name: value.value for name, value in values.items()},
        note=text(row["note"]) if "note" in row else "",
    )
