"""A llama.cpp server of our own: a child process on loopback with a random key, which ends when we do."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Literal

import anyio

from sandloop.errors import LocalModelFailed

CONTEXT = 16_384
"""Tokens. The previews of a few files and some thirty steps; 0.5 GB of memory for the 1.5B model."""
START_SECONDS = 180.0
"""From a cold, slow disk; 2 to 4 s is usual."""
CLOSE_SECONDS = 4.0
LOG_LINES, LOG_CHARS = 8, 1_500
PYTHON_PARTS = ("llama_cpp", "uvicorn", "fastapi", "sse_starlette", "starlette_context", "pydantic_settings")
"""What `python -m llama_cpp.server` imports."""
KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
KEPT_PREFIXES = ("LC_", "CUDA_", "HIP_", "ROCR_", "GGML_", "VK_", "OMP_")
"""All else stays out: keys of vendors, and names such as HOST, PORT or MODEL that llama_cpp.server takes for settings."""


@dataclass(frozen=True, slots=True)
class Program:
    """How a server is started."""

    kind: Literal["llama-server", "llama-cpp-python"]
    command: tuple[str, ...]

    @property
    def ready_path(self) -> str:
        """Answers 200 once the model is loaded."""
        return "/health" if self.kind == "llama-server" else "/v1/models"


def find_program(path: str | None = None) -> Program | None:
    """`llama-server` on PATH, else the Python package of the extra `local`, else None. Imports nothing.

    Args:
        path: Instead of the process's PATH.
    """
    found = shutil.which("llama-server", path=path)
    if found is not None:
        return Program("llama-server", (found,))
    if all(find_spec(part) is not None for part in PYTHON_PARTS):
        # -P: a folder named llama_cpp where the user happens to be is not ours to run.
        return Program("llama-cpp-python", (sys.executable, "-P", "-m", "llama_cpp.server"))
    return None


def arguments(program: Program, weights: Path, *, alias: str, port: int, threads: int) -> list[str]:
    """The command line. It holds no key: other users can read it."""
    if program.kind == "llama-server":
        named = {"model": weights, "alias": alias, "ctx-size": CONTEXT, "threads": threads, "parallel": 1}
        rest = ["--jinja"]
    else:
        named = {"model": weights, "model_alias": alias, "n_ctx": CONTEXT, "n_threads": threads, "n_threads_batch": threads}
        # logits_all is on by default and keeps 150,000 numbers for each token of the context.
        rest = ["--logits_all", "false", "--verbose", "false"]
    named |= {"host": "127.0.0.1", "port": port}
    return [*program.command, *(part for name, value in named.items() for part in (f"--{name}", str(value))), *rest]


def environment(environ: Mapping[str, str], key: str) -> dict[str, str]:
    """What the child sees of the environment, and its key."""
    kept = {name: value for name, value in environ.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    # PASSIVE: threads that wait by spinning take the cores from the sandbox, and halve the speed on a shared machine.
    return {"OMP_WAIT_POLICY": "PASSIVE", **kept, "API_KEY": key, "LLAMA_API_KEY": key}


class LlamaServer:
    """One running child. `address` ends in `/v1`."""

    def __init__(self, program: Program, weights: Path, *, alias: str) -> None:
        port = free_port()
        self.address, self.key, self.alias = f"http://127.0.0.1:{port}/v1", secrets.token_urlsafe(24), alias
        self._program = program
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close(); without a name it leaves nothing behind
        command = arguments(program, weights, alias=alias, port=port, threads=cores())
        watcher = Path(__file__).with_name("llama_watch.py")
        self._process = subprocess.Popen(  # noqa: S603 - a list, no shell
            [sys.executable, "-I", str(watcher), *command],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env=environment(os.environ, self.key),
            cwd=tempfile.gettempdir(),
            start_new_session=True,  # Ctrl-C in the terminal is ours to handle
        )

    @property
    def pid(self) -> int:
        """Of the watcher."""
        return self._process.pid

    def failure(self) -> LocalModelFailed | None:
        """Why it ended, with the last lines of its log; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return LocalModelFailed(
            said=f"{self._program.kind} ended with exit code {code}. The end of its log: {self._tail()}",
            do="Try '-m local:small' if memory is short, or start a server of your own and use '-m llamacpp'",
        )

    async def ready(self, *, seconds: float = START_SECONDS) -> None:
        """Wait until the model is loaded. Raises `LocalModelFailed` as soon as the child ends, or after `seconds`."""
        import httpx2

        url = self.address.removesuffix("/v1") + self._program.ready_path
        deadline = time.monotonic() + seconds
        async with httpx2.AsyncClient(trust_env=False, timeout=2, headers={"Authorization": f"Bearer {self.key}"}) as client:
            while True:
                if (failure := self.failure()) is not None:
                    raise failure
                with contextlib.suppress(httpx2.HTTPError):
                    if (await client.get(url)).status_code == 200:
                        return
                if time.monotonic() > deadline:
                    late = f"{self._program.kind} did not load the model within {seconds:.0f} s"
                    raise LocalModelFailed(
                        said=f"{late}. The end of its log: {self._tail()}",
                        do="Try '-m local:small', or start a server of your own and use '-m llamacpp'",
                    )
                await anyio.sleep(0.05)

    async def close(self) -> None:
        """End it. Idempotent."""
        pipe = self._process.stdin
        if pipe is None or pipe.closed:
            return
        pipe.close()
        deadline = time.monotonic() + CLOSE_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 - a process has no event
            await anyio.sleep(0.02)
        if self._process.poll() is None:
            self._process.kill()  # the kernel ends the server with its watcher
            self._process.wait()
        self._log.close()

    def _tail(self) -> str:
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - 10 * LOG_CHARS))
        lines = self._log.read().decode("utf-8", "replace").replace(self.key, "[key]").split("\n")
        text = " | ".join([line.strip() for line in lines if line.strip()][-LOG_LINES:])
        return text[-LOG_CHARS:].rstrip(".") or "empty"


def cores() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def free_port() -> int:
    """A port of loopback that is free now. If somebody takes it first, the server ends and its log says so."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
