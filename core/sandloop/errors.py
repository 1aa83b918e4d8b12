"""Every error the caller can get, as one tree.

    SandloopError
    ├── UsageError            the call was wrong: change the call                       exit code 2
    │   ├── BadFile           a file that can't be taken, and why
    │   ├── BadSetting        a setting that can't be used, its value and the nearest right one
    │   ├── BadSuite          a compare file that can't be used: the line, the place in it, and the nearest right key
    │   └── UnknownModel      no provider answers to that name
    ├── ProviderError         the model's side failed: key, quota, refusal, wire         exit code 3
    │   ├── MissingKey        the provider needs a key, and none is set
    │   ├── BadKey            what is set is no key: it has a blank, the end of a line, or a letter that no key has
    │   ├── KeyStoreFailed    the keyring or the file where keys are kept can't be used
    │   ├── MissingExtra      a package is not installed; the sentence names the command
    │   ├── KeyRefused        the provider refused the key (401, 403)
    │   ├── ModelNotFound     the provider has no such model
    │   ├── RateLimited       too many requests, or the account's quota is spent
    │   ├── Overloaded        the provider is overloaded or broken (5xx)
    │   ├── Unreachable       no connection, or it broke in mid-reply
    │   ├── Refused           the model declined to answer
    │   ├── NativeUnavailable the provider's own interpreter can't do this; the local route could
    │   ├── LocalModelFailed  the embedded model could not be had or started
    │   └── BadReply          an answer that can't be read
    ├── SandboxError          the place where code runs failed: Docker, the image           exit code 4
    │   ├── EngineUnavailable no engine answers, or it may not be used
    │   ├── BubblewrapUnavailable  bubblewrap was asked for, and is missing or can't work on this machine
    │   ├── ImageUnavailable  the sandbox image is missing and could not be built
    │   ├── Unsafe            a required control is not in force, so nothing was run
    │   ├── SandboxLost       the container went away in the middle of a run
    │   └── StorageFailed     this machine has no room for the files that the run makes
    └── LimitReached          your limit did its work; what was done so far is in .result   exit code 5

An error takes facts and writes its own two sentences: what happened, with the values; what to do next. Code of the user that
fails is none of these: it is a `CodeRan`. Once a run has started, `.result` holds all that it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from sandloop.result import Result


class SandloopError(Exception):
    """The root of all errors of sandloop. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 1
    result: Result | None = None
    """All that the run had when it failed; None when nothing had started."""


class UsageError(SandloopError):
    """The call was wrong."""

    exit_code = 2


class BadFile(UsageError):
    """A file that can't be taken."""

    def __init__(self, *, name: str, why: str, do: str) -> None:
        self.name, self.why, self.do = name, why, do
        shown = repr(name).replace("\\\\", "\\")  # as a path of Windows is written; what can't be printed stays an escape
        super().__init__(f"{shown} {why}. {do}.")


class BadSetting(UsageError):
    """A setting that can't be used."""

    def __init__(self, *, name: str, why: str, where: str = "", nearest: str | None = None) -> None:
        self.name, self.why, self.where, self.nearest = name, why, where, nearest
        place = f" in {where}" if where else ""
        hint = f"Did you mean {nearest!r}?" if nearest else "'sandloop config --all' lists every setting."
        super().__init__(f"The setting {name!r}{place} {why}. {hint}")


class BadSuite(UsageError):
    """A compare file that can't be used."""

    def __init__(self, *, file: str, line: int, place: str, why: str, do: str) -> None:
        self.file, self.line, self.place, self.why, self.do = file, line, place, why, do
        super().__init__(
            f"{file}, line {line}: {f'{place} ' if place else 'the file '}{why}. {do}{'' if do.endswith('?') else '.'}"
        )


class UnknownModel(UsageError):
    """No provider answers to that name."""

    def __init__(self, *, model: str, known: tuple[str, ...], nearest: str | None = None) -> None:
        self.model, self.known, self.nearest = model, known, nearest
        hint = f"Did you mean {nearest!r}?" if nearest else f"Name one as 'provider:model'; known are {', '.join(known)}."
        super().__init__(f"There is no model or provider {model!r}. {hint}")


class ProviderError(SandloopError):
    """The model's side failed."""

    exit_code = 3


class MissingKey(ProviderError):
    """The provider needs a key, and none is set."""

    def __init__(self, *, provider: str, variables: tuple[str, ...]) -> None:
        self.provider, self.variables = provider, variables
        super().__init__(
            f"{provider} needs a key and none is set. Keep one with 'sandloop keys set {variables[0]}', set "
            f"{' or '.join(variables)} in the environment, or use a model without a key: '-m local', or '-m replay:PATH'."
        )


class BadKey(ProviderError):
    """What is set as a key is none, so it was not sent."""

    def __init__(self, *, variable: str) -> None:
        self.variable = variable
        super().__init__(
            f"The value of {variable} has a blank, the end of a line or a letter that no key has, so it was not sent. "
            "Set the key alone; a file with the line ends of Windows leaves one of them in the value."
        )


class KeyStoreFailed(ProviderError):
    """The keyring or the file where keys are kept can't be used."""

    def __init__(self, *, where: str, said: str, do: str, is_ring: bool = False) -> None:
        self.where, self.said, self.do, self.is_ring = where, said, do, is_ring
        super().__init__(f"Keys can't be kept or found: {where} {said}. {do}.")


class MissingExtra(ProviderError):
    """A package that this provider needs is not installed."""

    def __init__(self, *, what: str, extra: str) -> None:
        self.what, self.extra = what, extra
        super().__init__(f"{what} is not installed. Install it with: pip install 'sandloop[{extra}]'.")


class KeyRefused(ProviderError):
    """The provider refused the key."""

    def __init__(self, *, provider: str, said: str, variables: tuple[str, ...] = ()) -> None:
        self.provider, self.said, self.variables = provider, said, variables
        check = f"Check the value of {' or '.join(variables)}" if variables else "Check the key"
        super().__init__(f"{provider} refused the key: {said}. {check}, and that its account may use this model.")


class ModelNotFound(ProviderError):
    """The provider has no such model."""

    def __init__(self, *, provider: str, model: str, said: str) -> None:
        self.provider, self.model, self.said = provider, model, said
        super().__init__(f"{provider} has no model {model!r}: {said}. Check the model's name with the provider.")


class RateLimited(ProviderError):
    """Too many requests, or the account's quota is spent."""

    def __init__(self, *, provider: str, said: str, wait: float | None = None) -> None:
        self.provider, self.said, self.wait = provider, said, wait
        do = f"Try again in {wait:.0f} s" if wait else "Try again later, or check the account's quota"
        super().__init__(f"{provider} takes no more requests now: {said}. {do}.")


class Overloaded(ProviderError):
    """The provider is overloaded or broken."""

    def __init__(self, *, provider: str, status: int | None, said: str) -> None:
        self.provider, self.status, self.said = provider, status, said
        super().__init__(f"{provider} failed with status {status}: {said}. Try again later, or use another model.")


class Unreachable(ProviderError):
    """No connection to the provider, or it broke in the middle of a reply."""

    def __init__(self, *, provider: str, address: str, said: str) -> None:
        self.provider, self.address, self.said = provider, address, said
        super().__init__(f"{provider} at {address} can't be reached: {said}. Check the address and the network.")


class Refused(ProviderError):
    """The model declined to answer."""

    def __init__(self, *, provider: str, said: str) -> None:
        self.provider, self.said = provider, said
        super().__init__(f"{provider} declined to answer: {said}. Ask differently, or use another model.")


class NativeUnavailable(ProviderError):
    """The provider's own interpreter can't do this; `auto` continues on the local route."""

    def __init__(self, *, provider: str, said: str) -> None:
        self.provider, self.said = provider, said
        super().__init__(f"{provider} can't run the code itself: {said}. Use route 'auto' or 'local'.")


class LocalModelFailed(ProviderError):
    """The embedded model could not be had or started, or it ended."""

    def __init__(self, *, said: str, do: str) -> None:
        self.said, self.do = said, do
        super().__init__(f"The local model can't be used: {said}. {do}.")


class BadReply(ProviderError):
    """An answer that can't be read, or a request the provider calls malformed."""

    def __init__(self, *, provider: str, said: str) -> None:
        self.provider, self.said = provider, said
        super().__init__(f"{provider} sent an answer that can't be used: {said}. Try again, or use another model.")


class SandboxError(SandloopError):
    """The place where code runs failed."""

    exit_code = 4


class EngineUnavailable(SandboxError):
    """No container engine answers, or it may not be used."""

    def __init__(self, *, address: str, said: str, do: str, answers: bool = False) -> None:
        self.address, self.said, self.do, self.answers = address, said, do, answers
        happened = "The container engine can't be used at" if answers else "Docker does not answer on"
        super().__init__(f"{happened} {address}: {said}. {do}.")


class BubblewrapUnavailable(SandboxError):
    """Bubblewrap was asked for, and is missing or can't work on this machine."""

    def __init__(self, *, said: str, do: str) -> None:
        self.said, self.do = said, do
        super().__init__(f"bubblewrap can't be used: {said}. {do}.")


class ImageUnavailable(SandboxError):
    """The sandbox image is missing and could not be built."""

    def __init__(self, *, image: str, said: str, do: str) -> None:
        self.image, self.said, self.do = image, said, do
        super().__init__(f"The sandbox image {image} can't be had: {said}. {do}.")


class Unsafe(SandboxError):
    """A required control is not in force, so nothing was run."""

    def __init__(self, *, control: str, found: str, do: str) -> None:
        self.control, self.found, self.do = control, found, do
        super().__init__(f"The sandbox is not closed: {control}, found {found}; nothing was run. {do}.")


class SandboxLost(SandboxError):
    """The container went away, stopped answering, or said something it can't say."""

    def __init__(self, *, said: str) -> None:
        self.said = said
        super().__init__(f"The sandbox was lost: {said}. Its variables and files are gone; ask again to start a new one.")


class StorageFailed(SandboxError):
    """The folder on this machine where the run's files are kept can't be written: it is full, or was taken away."""

    def __init__(self, *, folder: str, said: str) -> None:
        self.folder, self.said = folder, said
        super().__init__(
            f"The run's files can't be kept in {folder}: {said}. Make room there, or set TMPDIR to another folder, and ask again."
        )


class LimitReached(SandloopError):
    """A limit of the caller ended the run; `.result` has what was done."""

    exit_code = 5

    def __init__(self, *, limit: str, value: float) -> None:
        self.limit, self.value = limit, value
        option = {"seconds": "--timeout, ", "cost": "--max-cost, "}.get(limit, "")
        super().__init__(
            f"The run reached its limit of {limit} = {value:g}. What it did so far is kept; raise Limits.{limit} "
            f"({option}SANDLOOP_{limit.upper()}) to go on."
        )
