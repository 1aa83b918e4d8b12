"""The system's keyring, if one works here. Every call is bounded in time: a locked keyring, or a bus that hangs, must not block."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from sandloop.errors import KeyStoreFailed

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")
SERVICE = "sandloop"
READ_SECONDS = 10.0
CHANGE_SECONDS = 30.0
"""Time to unlock it: the keyring may ask for a password in a window of its own."""
QUIET_SECONDS = 0.5
RECOMMENDED = 1
"""The least priority of a backend that keyring's own documentation calls safe to choose unasked."""


class NoRing(Exception):
    """No keyring works here."""


def get(name: str, *, seconds: float = READ_SECONDS) -> str | None:
    """The key under that name; None when it is not there any more. Raises `KeyStoreFailed`."""
    do = f"Unlock it, or set {name} in the environment"
    try:
        return _in_time(seconds, lambda: opened().get_password(SERVICE, name), do=do)
    except NoRing as error:
        raise _failed(f"can't be used: {error}", do) from None


def put(name: str, key: str, *, on_wait: Callable[[], None] | None = None, seconds: float = CHANGE_SECONDS) -> str:
    """Keep the key; returns the keyring's name. Raises `NoRing` and `KeyStoreFailed`."""

    def kept() -> str:
        backend: Any = opened()
        backend.set_password(SERVICE, name, key)
        if backend.get_password(SERVICE, name) != key:
            raise NoRing("the keyring does not give back what it was given")
        return str(backend.name)

    return _in_time(seconds, kept, do="Unlock it, and try again", on_wait=on_wait, secret=key)


def remove(name: str, *, on_wait: Callable[[], None] | None = None) -> None:
    """Remove the key; one that is not there is fine. Raises `KeyStoreFailed`."""

    def removed() -> None:
        backend = opened()
        if backend.get_password(SERVICE, name) is not None:
            backend.delete_password(SERVICE, name)

    do = "Unlock it, and try again"
    try:
        _in_time(CHANGE_SECONDS, removed, do=do, on_wait=on_wait)
    except NoRing as error:
        raise _failed(f"can't be used: {error}", do) from None


def opened() -> KeyringBackend:
    """The keyring to use. Raises `NoRing`: one that keeps nothing, or not safely, is none."""
    from keyring import get_keyring
    from keyring.backends import chainer, fail, null

    backend: KeyringBackend | None = get_keyring()
    if isinstance(backend, chainer.ChainerBackend):  # it stands for several; the first is the one that would keep
        backend = next(iter(backend.backends), None)
    if backend is None or isinstance(backend, fail.Keyring | null.Keyring) or backend.priority < RECOMMENDED:
        raise NoRing("no keyring works here")
    return backend


def _in_time(seconds: float, action: Callable[[], T], *, do: str, on_wait: Callable[[], None] | None = None, secret: str = "") -> T:
    """What the action gives, from a thread of its own that is left behind when it takes too long."""
    came: list[Any] = []
    failed: list[Exception] = []

    def run() -> None:
        try:
            came.append(action())
        except Exception as error:  # a backend may raise anything
            failed.append(error)

    thread = threading.Thread(target=run, name="sandloop keyring", daemon=True)
    thread.start()
    thread.join(min(seconds, QUIET_SECONDS))
    if thread.is_alive():
        if on_wait is not None:
            on_wait()
        thread.join(max(0.0, seconds - QUIET_SECONDS))
    if came:
        return came[0]  # type: ignore[no-any-return]
    if not failed:
        raise _failed(f"did not answer within {seconds:.0f} s", do)
    if isinstance(failed[0], NoRing):
        raise failed[0]
    said = f"{type(failed[0]).__name__}: {failed[0]}"
    raise _failed(f"can't be used: {(said.replace(secret, '[key]') if secret else said)[:300]}", do)


def _failed(said: str, do: str) -> KeyStoreFailed:
    return KeyStoreFailed(where="the system's keyring", said=said, do=do, is_ring=True)
