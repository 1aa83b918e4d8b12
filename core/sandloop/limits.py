"""What a run may use, and where each default comes from."""

from __future__ import annotations

from dataclasses import dataclass

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of a run. A normal analysis never meets one; each is one setting.

    The first group ends a run with `LimitReached` and all that it has. The second bounds the sandbox: code that meets one of
    those gets a result that says so, and the run goes on. Sizes are in bytes, times in seconds.
    """

    turns: int = 30
    """Replies of the model to one question."""
    code_runs: int = 25
    """Cells run for one question, on either route."""
    same_failures: int = 3
    """Failures of one cell in a row, word for word: a model that is stuck in a loop does not leave it by itself."""
    seconds: float = 1800
    """Wall time of one question, the model's time included."""
    tokens: int | None = None
    """Input and output tokens of one question."""
    cost: float | None = None
    """US dollars of one question, as far as prices are known."""
    context_tokens: int = 150_000
    """Of the conversation that a request sends, about; beyond it, old outputs and replies are shortened. Most models take more."""
    reply_tokens: int = 16_000
    """Tokens of one reply. Under the 21,333 above which the Anthropic SDK asks for a timeout."""

    step_seconds: float = 120
    """One cell. Claude's own sandbox gives 90; a model fit on a laptop needs more than a server."""
    memory: int = 2_000 * MB
    """What the code may use beside its files. Files live in memory too and have their own bounds below."""
    cpus: float = 2
    """Cores the code may keep busy."""
    processes: int = 128
    """Threads count too, as the kernel counts them."""
    input_bytes: int = 1_000 * MB
    """All input files of a session together."""
    disk: int = 1_000 * MB
    """The working folder."""
    file_bytes: int = 500 * MB
    """One file brought back."""
    files: int = 200
    """Files brought back from one cell."""
    output_kept: int = 200_000
    """Bytes kept of each of stdout and stderr of a cell: the first three quarters and the last quarter."""
    output_total: int = 500 * MB
    """Bytes after which a printing cell is stopped."""
    session_seconds: float = 6 * 3600
    """A container's whole life."""
