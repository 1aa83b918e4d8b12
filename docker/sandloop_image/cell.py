"""One Python cell, as a notebook runs it: the last expression is shown, `await` works, errors name only the user's lines."""

from __future__ import annotations

import ast
import contextlib
import io
import linecache
import os
import sys
import traceback
from types import CodeType, ModuleType

from . import plotly_figures

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would be a tenth of the start
    from typing import Any

MAX_VALUE = 4_000
MAX_TRACEBACK = 16_000
_TOP_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_FUTURE_FLAGS = 0x1FF0000
"""Where compilers keep `from __future__` of a cell; passed on to the cells after it."""
_COROUTINE = 0x80
_print, _repr = print, repr
"""A cell may put anything in the place of the built-in ones; the cells after it are still shown."""


class Claim:
    """How a cell ended, as the process that ran it says."""

    __slots__ = ("error", "exit_code")

    def __init__(self, exit_code: int = 0, error: tuple[str, str, str] | None = None) -> None:
        """`error` is its name, value and traceback."""
        self.exit_code, self.error = exit_code, error


class Cells:
    """Runs cells in one namespace, which is the module `__main__`, so that pickle and multiprocessing find what a cell defines."""

    def __init__(self, folder: str) -> None:
        self.module = ModuleType("__main__")
        self.module.__dict__["__builtins__"] = __builtins__
        sys.modules["__main__"] = self.module
        self._folder = folder
        self._flags = 0
        self._loop: Any = None

    def run(self, number: int, source: str) -> Claim:
        """Run one cell. Whatever it raises becomes part of the claim."""
        name = f"<step {number}>"
        source = source.removeprefix("\ufeff")  # of a file from Windows
        linecache.cache[name] = (len(source), None, _lines(source), name)
        self.module.__dict__.pop("__warningregistry__", None)  # each cell warns anew
        try:
            codes = self._compiled(name, source)
            if any(code.co_flags & _COROUTINE for code, _ in codes):
                self._in_loop(self._awaited(codes))
            else:
                for code, shown in codes:
                    self._show(eval(code, self.module.__dict__), shown)  # noqa: S307 - the user's cell, inside the sandbox
        except SystemExit as error:
            return _left(error)
        except BaseException as error:
            return Claim(130 if isinstance(error, KeyboardInterrupt) else 1, self._explain(error))
        return Claim()

    def _compiled(self, name: str, source: str) -> list[tuple[CodeType, bool]]:
        try:
            tree = self._parsed(name, source)
        except SyntaxError:
            if "%matplotlib" not in source:
                raise
            # The first line of many a notebook. Here it has nothing to say.
            lines = ("#\n" if line.startswith("%matplotlib") else line for line in _lines(source))
            tree = self._parsed(name, "".join(lines))
        body, last = tree.body, None
        if body and isinstance(shown := body[-1], ast.Expr) and not _is_quiet(source, shown):
            last = ast.Expression(shown.value)
            body.pop()
        flags = _TOP_AWAIT | self._flags
        codes = [(compile(tree, name, "exec", flags, dont_inherit=True), False)] if body else []
        if body:
            self._flags |= codes[0][0].co_flags & _FUTURE_FLAGS
        if last is not None:
            codes.append((compile(last, name, "eval", flags | self._flags, dont_inherit=True), True))
        return codes

    def _parsed(self, name: str, source: str) -> ast.Module:
        tree: ast.Module = compile(source, name, "exec", ast.PyCF_ONLY_AST | _TOP_AWAIT | self._flags, dont_inherit=True)
        return tree

    def _show(self, value: Any, shown: bool) -> None:
        if shown and value is not None:
            self.module.__dict__["_"] = value
            if "plotly.io" in sys.modules and plotly_figures.is_figure(value):
                plotly_figures.show(value)
                return
            _print(_repr(value))

    async def _awaited(self, codes: list[tuple[CodeType, bool]]) -> None:
        """The whole cell inside the loop, so that its plain statements can make tasks too."""
        for code, shown in codes:
            value = eval(code, self.module.__dict__)  # noqa: S307 - the user's cell, inside the sandbox
            self._show(await value if code.co_flags & _COROUTINE else value, shown)

    def _in_loop(self, coroutine: Any) -> None:
        import asyncio

        if self._loop is None or self._loop.is_closed():
            self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        task = self._loop.create_task(coroutine)
        try:
            self._loop.run_until_complete(task)
        except KeyboardInterrupt as interrupt:
            if task.done():
                raise
            # It hit the loop, not the cell: end the cell where it waits, and show that place.
            task.cancel()
            try:
                self._loop.run_until_complete(task)
            except asyncio.CancelledError as cancelled:
                raise interrupt.with_traceback(cancelled.__traceback__) from None

    def _explain(self, error: BaseException) -> tuple[str, str, str]:
        name, value = "Exception", "(its text can't be shown)"
        # What comes from a hostile __str__ or metaclass may be a str with methods of its own; str.__str__ makes a plain one.
        with contextlib.suppress(BaseException):
            name = str.__str__(type(error).__name__)
        with contextlib.suppress(BaseException):
            value = str.__str__(str(error))
        try:
            text = "".join(self._trimmed(error).format())
        except BaseException:  # a hostile __str__ or __cause__
            text = f"{name}: {value}"
        return name[:200], value[:MAX_VALUE], _middle_cut(text)

    def _trimmed(self, error: BaseException) -> traceback.TracebackException:
        """The traceback with the user's own frames: of the cells, and of modules in the working folder."""
        whole = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
        self._trim(whole)
        return whole

    def _trim(self, part: traceback.TracebackException) -> None:
        mine = [f for f in part.stack if f.filename.startswith(("<step ", self._folder + os.sep))]
        part.stack[:] = mine
        for inner in (part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())):
            if inner is not None:
                self._trim(inner)
        # A chain through a library says nothing to the user when none of its frames is theirs.
        if part.__context__ is not None and not part.__context__.stack:
            part.__context__ = None
        if part.__cause__ is not None and not part.__cause__.stack:
            part.__cause__ = None


def _lines(source: str) -> list[str]:
    """The lines as the compiler counts them; `splitlines` knows more ends of a line."""
    return io.StringIO(source, None).readlines()


def _is_quiet(source: str, last: ast.Expr) -> bool:
    """Whether a semicolon comes after the last expression. One in a comment says nothing."""
    first, *rest = _lines(source)[(last.end_lineno or 1) - 1 :]
    after = first.encode()[last.end_col_offset :].decode()
    return any(";" in line.partition("#")[0] for line in (after, *rest))


def _left(error: SystemExit) -> Claim:
    """`sys.exit(...)` as a program would end with it; the variables stay."""
    if error.code is None or isinstance(error.code, int):
        return Claim((error.code or 0) & 0xFF)
    with contextlib.suppress(Exception):  # a hostile __str__, or a closed stream
        print(error.code, file=sys.stderr)
    return Claim(1)


def _middle_cut(text: str) -> str:
    if len(text) <= MAX_TRACEBACK:
        return text
    return f"{text[: MAX_TRACEBACK // 2]}\n[...]\n{text[-MAX_TRACEBACK // 2 :]}"
