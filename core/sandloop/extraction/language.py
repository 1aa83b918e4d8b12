"""Which language a piece of code is in: from the fence's tag, the tool's name, and `ast`."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Literal, TypeAlias

from sandloop.extraction.cells import Runnable

PARSE_CHARS = 1_000_000
"""Longer sources are not parsed (`ast` takes 0.7 s for a million characters); they run as they stand when tagged."""

TagKind: TypeAlias = Literal["python", "bash", "console", "call", "none", "other"]
ToolKind: TypeAlias = Literal["python", "bash", "any"]

_PYTHON_TAGS = {
    *("python", "py", "python3", "py3", "python2", "ipython", "ipython3", "jupyter", "notebook", "pycon", "python-repl"),
    *("python-console", "pyodide", "sage", "code_interpreter", "execute_python", "python_execute", "python_interpreter"),
    *("python_code", "run_python", "execute_ipython", "python-exec", "cpython"),
}
_BASH_TAGS = {"bash", "sh", "shell", "zsh", "execute_bash", "run_bash", "ksh"}
_CONSOLE_TAGS = {"console", "terminal", "shell-session", "shellsession", "bash-session", "sh-session", "shell_session"}
_CALL_TAGS = {
    *("json", "json5", "jsonc", "tool_call", "tool_calls", "tool_code", "tool", "tool_use", "function_call", "function", "xml"),
    *("action", "tool-call", "tool_request", "functioncall", "call", "toolcall"),
}
_NOT_RUN_WORDS = re.compile(
    r"\b(?:no-?run|noexec|no-?exec|eval\s*=\s*false|output|illustration|pseudo(?:code)?|do-?not-?run)\b", re.I
)

_DIRECTIVE = re.compile(r"^(?:\{(?:code-cell|code-block|code|sourcecode)\}\s*|\{#[\w:.-]+\s+|\d{1,6}:\d{1,6}:(?:\S*/)?(?=\S))")
"""What stands before the language: MyST's `{code-block} python`, Pandoc's `{#id .python}`, Cursor's `12:30:src/load.py`."""


def tag_kind(info: str) -> TagKind:
    """What a fence's info string says: `python title="x"`, `{python}`, `language-py`, `load.py`, `python:src/load.py`."""
    info = info.strip().lower()
    if info in ("", "code"):
        return "none"
    info = _DIRECTIVE.sub("", info)
    word = re.match(r"\{?\s*[.=]?(?:language-|lang-|jupyter-|code\s+)?([\w+#./-]*)", info)
    tag = word.group(1) if word else ""
    if _NOT_RUN_WORDS.search(info[len(tag) :]) or tag in ("python-output", "pyout"):
        return "other"
    if tag in _PYTHON_TAGS or tag.endswith(".py") or re.fullmatch(r"python(?:-?\d[\d.]*)?", tag):
        return "python"
    if tag in _BASH_TAGS or tag.endswith(".sh"):
        return "bash"
    if tag in _CONSOLE_TAGS:
        return "console"
    return "call" if tag in _CALL_TAGS else "other"


def tool_kind(name: str) -> ToolKind | None:
    """What a tool of this name runs; None when it is not one that runs code. `functions.python:0` counts as `python`."""
    words = re.findall(r"[a-z]+", name[:200].lower())
    joined = "_".join(words)
    if any(w in ("python", "ipython", "py", "jupyter", "pyrun", "notebook") for w in words) or "python" in joined:
        return "python"
    if any(w in ("bash", "sh", "shell", "zsh", "terminal", "command", "cmd", "console", "commands") for w in words):
        return "bash"
    if "interpreter" in words:
        return "python"
    runs = {"exec", "execute", "run", "runner", "executor", "execution", "eval", "evaluate", "sandbox"}
    if "code" in words or joined in runs or (runs & set(words) and {"script", "cell", "program"} & set(words)):
        return "any"
    return "bash" if words[-1:] == ["exec"] else None


def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None; any string is safe to give."""
    if len(source) > PARSE_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


_REPR_CALLS = {
    *("array", "dict_keys", "dict_values", "dict_items", "date", "datetime", "timedelta", "deque", "defaultdict", "range"),
    *("float64", "float32", "int64", "int32", "int8", "uint8", "bool_", "str_", "set", "frozenset", "dtype", "slice", "map"),
}


def _is_shown_value(node: ast.expr) -> bool:
    """Whether an expression is rather a printed value than a deed: `42`, `[1, 2]`, `array([1.5])`, `Index(['a'])`."""
    if not isinstance(node, ast.Call):
        return not any(isinstance(n, (ast.Call, ast.Await)) for n in ast.walk(node)) or isinstance(
            node, (ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Constant)
        )
    name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if not (name in _REPR_CALLS or name[:1].isupper() or name.endswith("Result")):
        return False
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {
        "dtype",
        "nan",
        "inf",
        "NaT",
        "object",
        "int64",
        "np",
        name,
    }
    return not (names - {"float64", "int32", "datetime", "Timestamp", "array", "pd", "float32", "bool", "Timedelta"})


def acts(source: str) -> bool:
    """Whether untagged text is Python that does something, and not prose, a value or printed output that happens to parse."""
    tree = parse(source)
    if tree is None or not tree.body:
        return False
    return any(_acts(s) for s in tree.body) and not all(_is_bare_word(s) for s in tree.body)


def _acts(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=value):
            return isinstance(value, (ast.Call, ast.Await)) and not _is_shown_value(value)
        case ast.Assign(value=value) | ast.AugAssign(value=value):
            return any(isinstance(n, (ast.Call, ast.Subscript, ast.BinOp, ast.comprehension)) for n in ast.walk(value)) and (
                not (isinstance(value, ast.Call) and _is_shown_value(value))
            )
        case ast.AnnAssign() | ast.Pass() | ast.Return():
            return False
        case _:
            return True


def _is_bare_word(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, (ast.Name, ast.Constant, ast.Attribute, ast.Tuple))


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


_COMMANDS = (
    "ls|cat|head|tail|wc|grep|awk|sed|cut|sort|uniq|find|echo|pip|pip3|cd|pwd|mkdir|cp|mv|rm|unzip|tar|python|python3|file|du|df|"
    "export|set|curl|wget|which|env|chmod|touch|tree|stat|sqlite3|jq|xargs|printf|for|while|if|gzip|gunzip|zcat|less|tr|tee|apt-get|apt"
)
_SHELL_LINE = re.compile(rf"\s*(?:\$\s+)?(?:sudo\s+)?(?:{_COMMANDS})(?:\s|$)")


def looks_like_shell(source: str) -> bool:
    """Whether the first line that is no comment starts with a usual command."""
    lines = (line for line in source[:20_000].split("\n") if line.strip() and not line.lstrip().startswith("#"))
    return bool(_SHELL_LINE.match(next(lines, "")))
