"""Whether a piece of text is Python that does something, and which language a tool call's code is in; by `ast`."""

from __future__ import annotations

import ast
import functools
import re
import warnings

from sandloop.extraction.cells import Runnable
from sandloop.extraction.shell import looks_like_shell
from sandloop.extraction.tags import ToolKind

PARSE_CHARS = 1_000_000
"""Longer sources are not parsed (`ast` takes 0.7 s for a million characters); they run as they stand when tagged."""


def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None; any string is safe to give. The last few are kept, until `forget` is called."""
    return _parsed(source.rstrip()) if len(source) <= PARSE_CHARS else None


@functools.lru_cache(maxsize=4)
def _parsed(source: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def forget() -> None:
    """Let go of the trees that were kept: those of long code are large."""
    _parsed.cache_clear()


_REPR_CALLS = {
    *("array", "dict_keys", "dict_values", "dict_items", "date", "datetime", "timedelta", "deque", "defaultdict", "range"),
    *("float64", "float32", "int64", "int32", "int8", "uint8", "bool_", "str_", "set", "frozenset", "dtype", "slice", "map"),
    *("poly1d", "matrix", "masked_array", "struct_time", "complex128", "float16", "uint64", "uint32", "mappingproxy", "bytearray"),
}
_REPR_NAMES = {
    *("dtype", "nan", "inf", "NaT", "object", "bool", "np", "pd", "numpy", "time", "datetime", "Timestamp", "Timedelta", "array"),
    *("int64", "int32", "float64", "float32"),
}
_MATHS = {
    *(
        "sqrt",
        "exp",
        "log",
        "ln",
        "log10",
        "log2",
        "sin",
        "cos",
        "tan",
        "mean",
        "avg",
        "average",
        "median",
        "mode",
        "std",
        "stdev",
        "sd",
    ),
    *("var", "variance", "cov", "corr", "abs", "sum", "min", "max", "round", "pow", "count", "floor", "ceil", "argmax", "argmin"),
}
_BUILTINS = {"abs", "sum", "min", "max", "round", "pow"}
_FORMULA_NODES = (
    *(ast.Name, ast.Constant, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Load, ast.Call, ast.Compare, ast.cmpop),
)


def _is_formula(node: ast.expr) -> bool:
    """Whether it is arithmetic with plain names, such as prose shows: `price * quantity`, `(x - mean(x)) / std(x)`, `P(A)`."""
    return all(
        isinstance(n, _FORMULA_NODES)
        and (
            not isinstance(n, ast.Call)
            or (isinstance(n.func, ast.Name) and (n.func.id in _MATHS or len(n.func.id) == 1 or n.func.id.isupper()))
        )
        for n in ast.walk(node)
    )


def _is_shown_value(node: ast.expr) -> bool:
    """Whether an expression is rather a printed value than a deed: `42`, `[1, 2]`, `array([1.5])`, `Index(['a'])`."""
    if not isinstance(node, ast.Call):
        return not any(isinstance(n, (ast.Call, ast.Await)) for n in ast.walk(node)) or isinstance(
            node, (ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Constant)
        )
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if not (name in _REPR_CALLS or name[:1].isupper() or name.endswith("Result")):
        return False
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return names <= {name, *_REPR_NAMES}


def acts(source: str) -> bool:
    """Whether untagged text is Python that does something, and not prose, a value or printed output that happens to parse."""
    tree = parse(source)
    if tree is None or not tree.body or _R_ARROW.search(source[:20_000]):
        return False
    return any(_acts(s) for s in tree.body) or _shows_its_own(tree.body)


_R_ARROW = re.compile(r"^[ \t]*[\w.]+ <- \S", re.MULTILINE)
"""R's assignment, which Python reads as a comparison with a negative number."""


def _shows_its_own(body: list[ast.stmt]) -> bool:
    """Whether the last line is a name to which a line before it gave a value."""
    last, given = body[-1], (t for s in body if isinstance(s, ast.Assign) for t in s.targets)
    return (
        isinstance(last, ast.Expr)
        and isinstance(last.value, ast.Name)
        and last.value.id in {t.id for t in given if isinstance(t, ast.Name)}
    )


def _acts(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=value):
            return isinstance(value, (ast.Call, ast.Await)) and not _is_shown_value(value) and not _is_stated(value)
        case ast.Assign(value=value) | ast.AugAssign(value=value):
            return (
                not _is_formula(value)
                and any(isinstance(n, (ast.Call, ast.Subscript, ast.BinOp, ast.comprehension)) for n in ast.walk(value))
                and (not (isinstance(value, ast.Call) and _is_shown_value(value)))
            )
        case ast.AnnAssign() | ast.Pass() | ast.Return():
            return False
        case _:
            return True


def _is_stated(value: ast.expr) -> bool:
    """Whether a call on a line of its own is part of a formula and not Python's: `P(A)`, `log(x)`, but not `sum(x)`."""
    named = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id
    return named not in _BUILTINS and _is_formula(value)


def does_nothing(source: str) -> bool:
    """Whether it is comments and placeholders alone."""
    tree = parse(source)
    return tree is not None and all(
        isinstance(s, ast.Pass) or (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant) and s.value.value is ...)
        for s in tree.body
    )


def reads_like_code(source: str) -> bool:
    """Whether a line of it reads like code, also when the whole does not parse."""
    return bool(
        re.search(r"^\s*(?:import \w|from \w[\w.]* import |def \w+\(|for \w.* in .*:|print\(|\w[\w.\[\]'\"]* = \S)", source, re.M)
    )


def imports(source: str) -> bool:
    """Whether it is Python with an import at its top level."""
    tree = parse(source)
    return tree is not None and any(isinstance(s, (ast.Import, ast.ImportFrom)) for s in tree.body)


def is_script(source: str) -> bool:
    """Whether a whole reply without any fence is a Python script: more than prose or an answer can be by chance."""
    tree = parse(source)
    if tree is None or not acts(source):
        return False
    statements = len(tree.body)
    calls = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    brings = any(isinstance(s, (ast.Import, ast.ImportFrom)) for s in tree.body)
    return (brings and statements >= 2) or "print" in calls


def tool_language(kind: ToolKind | None, key: str, source: str) -> Runnable:
    """The language of a tool call's code: from the tool's name, then the argument's, then the content."""
    first = source.lstrip().split("\n", 1)[0].strip().lower()
    if re.match(r"#!.*\bpython|%%python", first):
        return "python"
    if re.match(r"#!.*\b(?:ba|z|k)?sh\b|%%(?:bash|sh)\b", first):
        return "bash"
    by_key = {"bash": "bash", "shell": "bash", "command": "bash", "cmd": "bash", "commands": "bash"}.get(key)
    if kind == "python":
        return "python"
    if kind == "bash" or by_key:
        return "python" if imports(source) else "bash"
    return "bash" if parse(source) is None and looks_like_shell(source) else "python"
