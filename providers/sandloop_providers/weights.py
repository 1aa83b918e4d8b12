"""The weights of the embedded models: where they are, and that they are the publisher's, byte for byte.

A path of the user's own is taken as it is. Otherwise the cache folder, then the model hub. What came from elsewhere is used only
when its SHA-256 is the one below; a small file beside it remembers that, so that a gigabyte is not hashed at every start.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandloop.errors import BadFile, LocalModelFailed

HUB = "https://huggingface.co"
MAGIC = b"GGUF"
PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A published file of weights. `size` in bytes."""

    model: str
    file: str
    size: int
    sha256: str
    repository: str
    ollama: tuple[str, ...]
    """Beginnings of the names under which Ollama offers a model that does the same work."""


STANDARD = Weights(
    model="qwen2.5-coder-1.5b-instruct",
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    size=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    repository="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
    ollama=("qwen2.5-coder:1.5b", "qwen2.5-coder"),
)
SMALL = Weights(
    model="qwen2.5-coder-0.5b-instruct",
    file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    size=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    repository="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    ollama=("qwen2.5-coder:0.5b",),
)
KNOWN = {"standard": STANDARD, "small": SMALL}


def cache_folder() -> Path:
    """Where weights are kept for this user."""
    from platformdirs import user_cache_path

    return user_cache_path("sandloop") / "models"


def hub_address() -> str:
    """The hub, or the mirror that `HF_ENDPOINT` names."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def own_file(path: Path) -> Path:
    """A file the user named. Raises `BadFile` when it is no GGUF file."""
    path = path.expanduser().absolute()
    try:
        with path.open("rb") as file:
            begins = file.read(len(MAGIC))
    except OSError as error:
        raise BadFile(name=str(path), why=f"can't be read: {error.strerror}", do="Name a GGUF file of weights") from error
    if begins != MAGIC:
        raise BadFile(name=str(path), why="is not a GGUF file", do="Name a GGUF file of weights")
    return path


def kept(weights: Weights, folder: Path) -> Path | None:
    """The file in the cache, when it is whole and the publisher's; None when there is none. Hashes it the first time.

    Raises:
        LocalModelFailed: A file of that name is something else. It was moved aside.
    """
    path = folder / weights.file
    if not path.is_file():
        return None
    if _marker(path).is_file() and _read_marker(path) == _facts(path, weights.sha256):
        return path
    if not is_genuine(path, weights):
        aside = path.with_name(path.name + ".wrong")
        path.replace(aside)
        raise LocalModelFailed(
            said=f"{path} was not {weights.file} as it is published (its SHA-256 or size differs), so it was moved to {aside}",
            do="Ask again to download it",
        )
    mark(path, weights)
    return path


def is_genuine(path: Path, weights: Weights, on_bytes: Callable[[int], object] = lambda _: None) -> bool:
    """Whether the file has the published size and sum. `on_bytes` is told how much was read."""
    if path.stat().st_size != weights.size:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            on_bytes(len(piece))
    return digest.hexdigest() == weights.sha256


def mark(path: Path, weights: Weights) -> None:
    """Remember that the file was found genuine. A change of its size or time undoes that."""
    _marker(path).write_text(json.dumps(_facts(path, weights.sha256)), "utf-8")


def where_to_get(weights: Weights, folder: Path) -> str:
    """What to do on a machine that does not reach the hub, as the second sentence of an error."""
    return (
        f"Put {weights.file} ({weights.repository}) into {folder}, name a GGUF file in SANDLOOP_WEIGHTS, or, in a checkout of "
        f"sandloop, run: python tools/fetch_weights.py {next(k for k, w in KNOWN.items() if w.model == weights.model)}"
    )


def _marker(path: Path) -> Path:
    return path.with_name(path.name + ".verified")


def _facts(path: Path, sha256: str) -> dict[str, object]:
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": sha256}


def _read_marker(path: Path) -> object:
    try:
        return json.loads(_marker(path).read_text("utf-8"))
    except (OSError, ValueError):
        return None
