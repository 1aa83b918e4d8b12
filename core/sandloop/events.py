"""Everything that can happen in a run, as data.

The list of events *is* the history of a run: the loop decides from it, the display draws it, the transcript file holds it
line by line, and `Result` is a view of it. Events know no vendor and no Docker; whoever ran the code, the caller
sees the same `CodeRan`. `sandloop.codec` turns them into JSON and back without loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

RouteName: TypeAlias = Literal["native", "local"]
Language: TypeAlias = Literal["python", "bash", "text"]
"""`text` is a provider's own file edit: shown as a step, never run by us."""
Origin: TypeAlias = Literal["tool_call", "text_tool_call", "fenced", "provider"]
StoppedBy: TypeAlias = Literal["itself", "time", "memory", "output", "processes", "disk", "interrupt", "provider", "declined"]
"""`declined`: it did not run at all, since the user was asked and said no."""
ReplyStop: TypeAlias = Literal["end", "length", "pause", "refusal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file of the question, by the name the code sees. `size` in bytes; `mime` found from the content."""

    name: str
    size: int
    mime: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a file looks like, made inside the sandbox: columns and first rows, sheets, pages, picture size."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call the model made through the server's tool interface. `arguments` is the raw text, perhaps not JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeError:
    """An exception that user code ended with; `traceback` holds the user's lines only."""

    name: str
    value: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A question was asked. `files` are all the files the code can see, `new_files` those that came with this question."""

    id: str
    question: str
    model: str
    """As the caller named it."""
    files: tuple[InputFile, ...] = ()
    new_files: tuple[str, ...] = ()
    at: str = ""
    """UTC, ISO 8601."""
    kind: Literal["run_started"] = "run_started"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """The conversation goes on after a recorded run, in a new session: files and history are here again, variables are not."""

    run: str
    """The id of the last run before."""
    kind: Literal["resumed"] = "resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteChosen:
    """Where the code will run, and why, in words for the user."""

    route: RouteName
    provider: str
    model: str
    reason: str
    carried: tuple[InputFile, ...] = ()
    """Files that the provider's code made, put into the local sandbox under these names."""
    kind: Literal["route_chosen"] = "route_chosen"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOpened:
    """A local sandbox is ready: what it is made of, and what does not hold in it."""

    sandbox: str
    """As the settings name it: `docker`, `bubblewrap`."""
    id: str
    """In the container's name and label."""
    engine: str = ""
    """The engine and its version."""
    runtime: str = ""
    """The container runtime that was asked for; empty for the engine's own."""
    image: str = ""
    """The image's id."""
    packages: tuple[str, ...] = ()
    warm: bool = False
    """Whether it was ready before it was asked for."""
    seconds: float | None = None
    """From asking to ready."""
    not_limited: tuple[str, ...] = ()
    """What this engine can't bound, in words."""
    weakened: tuple[str, ...] = ()
    """The unsafe options in use."""
    kind: Literal["sandbox_opened"] = "sandbox_opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesPreviewed:
    """What the model is told about the files' content."""

    previews: tuple[Preview, ...]
    kind: Literal["files_previewed"] = "files_previewed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A piece of the model's reply, as it streams."""

    text: str
    kind: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """A piece of the model's reasoning, as it streams. Never searched for code."""

    text: str
    kind: Literal["thinking"] = "thinking"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDelta:
    """A piece of code as the model writes it, before `CodeWritten` gives the whole."""

    text: str
    language: Language = "python"
    kind: Literal["code_delta"] = "code_delta"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeWritten:
    """A cell the model wrote. `call_id` is the wire's id of the call it came from, when it came from one."""

    code_id: str
    language: Language
    source: str
    origin: Origin
    call_id: str | None = None
    kind: Literal["code_written"] = "code_written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A live piece of what running code prints. `CodeRan` gives the whole, bounded."""

    code_id: str
    stream: Literal["stdout", "stderr"]
    text: str
    kind: Literal["output"] = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRan:
    """What came back from running a cell. Code that fails is a result, not an error."""

    code_id: str
    exit_code: int | None
    """0 when it ended well, 128 + signal when killed; None when the provider does not say."""
    stdout: str = ""
    stderr: str = ""
    stdout_cut: int = 0
    """Bytes left out of the middle of `stdout`."""
    stderr_cut: int = 0
    error: CodeError | None = None
    seconds: float | None = None
    stopped_by: StoppedBy = "itself"
    state: Literal["kept", "lost", "unknown"] = "kept"
    """Whether variables are still there for the next step."""
    out_of_memory: Literal["child", "kernel"] | None = None
    """What the machine's kernel killed for memory meanwhile: a child process of the code, or the interpreter itself."""
    outcome: Literal["known", "unknown"] = "known"
    """`unknown` where a provider reports a failure and a cell that printed nothing in the same way."""
    kind: Literal["code_ran"] = "code_ran"

    @property
    def ok(self) -> bool:
        """True when the code ended by itself and nothing says that it failed. An unknown outcome is none that went well."""
        return self.outcome == "known" and self.stopped_by == "itself" and self.error is None and self.exit_code in (0, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMade:
    """A file the code made or changed. Its bytes are in the run's store, by `sha256`."""

    name: str
    size: int
    mime: str
    sha256: str
    change: Literal["new", "changed"] = "new"
    code_id: str | None = None
    kind: Literal["file_made"] = "file_made"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens of one reply, by kind. `cost` in US dollars, None when unknown, never a guess of 0.

    No provider reports the time of its containers, so what stands here of it is an estimate from this side's clock and the
    provider's published price: no billed figure, and never part of `cost`. None: no container of a known price was in use.
    """

    model: str
    input_tokens: int = 0
    """All tokens that went in, cached ones included."""
    output_tokens: int = 0
    """All tokens that came out, reasoning included."""
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = None
    """Of the tokens."""
    container_seconds: float | None = None
    """Estimated: time for which the provider's container was in use, beyond what earlier replies told."""
    container_cost: float | None = None
    """Estimated: US dollars for that time, beyond what earlier replies told."""
    kind: Literal["usage"] = "usage"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyEnded:
    """One reply of the model is over. `text` is all of its visible text, `calls` its tool calls.

    `wire` is the reply as the provider family `family` wants it sent back, as JSON text; other families never read it.
    """

    stop: ReplyStop
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    model: str = ""
    family: str = ""
    wire: str | None = None
    container: str | None = None
    """The provider's container that holds the state, on the native route."""
    kind: Literal["reply_ended"] = "reply_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """The loop told the model something by itself, such as to write code first."""

    about: Literal["no_code", "cut_off", "empty", "unreadable_code"]
    text: str
    kind: Literal["reminded"] = "reminded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """A request was sent again, or sent differently; nothing ran twice unnoticed."""

    reason: str
    kind: Literal["retried"] = "retried"


@dataclass(frozen=True, slots=True, kw_only=True)
class FellBack:
    """The native route could not go on; the same conversation continues locally."""

    reason: str
    kind: Literal["fell_back"] = "fell_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """Something the user should know that stops nothing: a file left out, an output that differs from a recording."""

    about: Literal["file", "replay", "sandbox", "answer", "provider", "run", "progress"]
    """`run`: what of this run is not kept on the disk. `progress`: one of many in a row, each replaces the last on a screen."""
    text: str
    kind: Literal["noted"] = "noted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A number of the answer that stands in no output, file or question of the session."""

    number: str
    """As the answer writes it."""
    where: str
    """The line of the answer, shortened."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The answer's numbers were held against what was seen, and some were not there. Informative: a model may have counted or
    converted by itself, or read a picture."""

    checks: tuple[Check, ...]
    kind: Literal["checked"] = "checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The run ended with an answer."""

    text: str
    kind: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The run ended without an answer. `error` is the class name of the error that the caller gets."""

    error: str
    message: str
    kind: Literal["failed"] = "failed"


Event: TypeAlias = (
    RunStarted
    | Resumed
    | RouteChosen
    | SandboxOpened
    | FilesPreviewed
    | Text
    | Thinking
    | CodeDelta
    | CodeWritten
    | Output
    | CodeRan
    | FileMade
    | Usage
    | ReplyEnded
    | Reminded
    | Retried
    | FellBack
    | Noted
    | Checked
    | Answered
    | Failed
)
