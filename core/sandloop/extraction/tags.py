"""What a name says: the tag of a fence, or a tool's name.

A tag that names another language or a kind of text is decided here. One that names nothing known (`analysis`, `answer`) leaves
the decision to the content, which must then be a script beyond doubt.
"""

from __future__ import annotations

import difflib
import functools
import re
from typing import Literal, TypeAlias

TagKind: TypeAlias = Literal["python", "bash", "console", "call", "none", "word", "other"]
"""`none`: no tag, or one such as `code` or `pandas`, so that the content decides. `word`: no language and no kind of text."""
ToolKind: TypeAlias = Literal["python", "bash", "any"]

_PYTHON_TAGS = {
    *("python", "py", "ipython", "jupyter", "notebook", "pycon", "python-repl", "python-console", "pyodide", "sage", "cpython"),
    *("code_interpreter", "execute_python", "python_execute", "python_interpreter", "execute_ipython", "colab", "py3k"),
}
_LIBRARIES = {
    *("pandas", "numpy", "scipy", "polars", "matplotlib", "pyplot", "seaborn", "plotly", "sklearn", "scikit-learn", "statsmodels"),
    *("geopandas", "xarray", "pyspark", "dask", "openpyxl", "torch", "pytorch", "tensorflow", "sympy", "networkx", "altair"),
}
_BASH_TAGS = {"bash", "sh", "shell", "zsh", "execute_bash", "run_bash", "ksh"}
_CONSOLE_TAGS = {"console", "terminal", "shell-session", "shellsession", "bash-session", "sh-session", "shell_session"}
_CALL_TAGS = {
    *("json", "json5", "jsonc", "tool_call", "tool_calls", "tool_code", "tool", "tool_use", "function_call", "function", "xml"),
    *("action", "tool-call", "tool_request", "functioncall", "call", "toolcall"),
}
_CODE_WORDS = {"code", "script", "source", "snippet", "program", "codeblock", "code-block", "code_block", "source-code", "cell"}
_NOT_CODE = {
    *("text", "txt", "plaintext", "plain", "raw", "output", "outputs", "out", "pyout", "stdout", "stderr", "result", "results"),
    *("log", "logs", "traceback", "tb", "error", "errors", "exception", "warning", "example", "sample", "expected", "preview"),
    *("response", "pseudo", "pseudocode", "algorithm", "csv", "tsv", "jsonl", "ndjson", "data", "table", "tree", "ascii", "math"),
    *(
        "formula",
        "equation",
        "config",
        "conf",
        "env",
        "dotenv",
        "cfg",
        "prompt",
        "email",
        "quote",
        "diff",
        "patch",
        "markdown",
        "md",
    ),
    *("toml", "yaml", "yml", "ini", "html", "json", "ipynb", "sql", "xml", "doc", "docs", "comment", "note", "svg", "vb", "dax"),
    *("rscript", "excel", "stan", "spss", "gdscript", "javascript", "typescript", "powershell", "pwsh", "bat", "cmd", "user"),
}
_NOT_RUN_WORDS = re.compile(
    r"\b(?:no-?run|noexec|no-?exec(?:ute)?|eval\s*[=:]\s*false|(?<!-)output(?!\.\w)|traceback|illustration|pseudo(?:code)?"
    r"|do[-_]?not[-_]?run)\b",
    re.IGNORECASE,
)
_DIRECTIVE = re.compile(r"^(?:\{(?:code-cell|code-block|code|sourcecode)\}\s*|\{#[\w:.-]+\s+|\d{1,6}:\d{1,6}:(?:\S*/)?(?=\S))")
"""What stands before the language: MyST's `{code-block} python`, Pandoc's `{#id .python}`, Cursor's `12:30:src/load.py`."""
_ATTRIBUTE = re.compile(r"^(?:file|filename|path|title|name|lang|language|type|src)\s*[=:]\s*")
CODE_IN_INFO = re.compile(r"(?:import|from)\s+\w|print\(")
"""Code that stands on the line of the fence."""


def tag_kind(info: str) -> TagKind:
    """What a fence's info string says: `python title="x"`, `{python}`, `language-py`, `load.py`, `pandas`, `pyhton`."""
    info = info.strip().lower()
    if not info:
        return "none"
    if CODE_IN_INFO.match(info):
        return "other"
    if shebang := re.match(
        r"#!\S*?(?:\s|/)*(python|(?:ba|z|k)?sh)\b", info[:200].replace("/usr/bin/env", "").replace("/bin/", "/")
    ):
        return "python" if shebang.group(1) == "python" else "bash"
    info = _ATTRIBUTE.sub("", _DIRECTIVE.sub("", info).lstrip("#*[(<@\"' \t")).lstrip("\"'")
    word = re.match(r"\{?\s*[.=]?(?:language-|lang-|jupyter-|code\s+)?([\w+#./-]*)", info)
    tag = word.group(1) if word else ""
    return "other" if _NOT_RUN_WORDS.search(info[len(tag) :]) else _kind_of(tag)


def _kind_of(tag: str) -> TagKind:
    if tag in _PYTHON_TAGS or tag.endswith(".py") or re.fullmatch(r"(?:i?python|py)(?:-?\d[\d.]*)?", tag):
        return "python"
    if tag in _BASH_TAGS or tag.endswith(".sh"):
        return "bash"
    if tag in _CONSOLE_TAGS:
        return "console"
    if tag in _CALL_TAGS:
        return "call"
    if tag in _CODE_WORDS or tag in _LIBRARIES:
        return "none"
    parts = set(re.split(r"[-_./+]", tag))
    if parts & _NOT_CODE or tag in _other_languages():
        return "other"
    if parts & _PYTHON_TAGS or _is_mistyped(tag):
        return "python"
    return "word"


def _is_mistyped(tag: str) -> bool:
    return 4 <= len(tag) <= 9 and difflib.SequenceMatcher(None, tag, "python").ratio() >= 0.8


@functools.cache
def _other_languages() -> frozenset[str]:
    from pygments.lexers import get_all_lexers

    return frozenset(alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases)


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
