"""Keys of vendors: from the environment, or from where `sandloop keys set` keeps them.

Kept is a key in the system's keyring where one works, else in a file that only the user can read. A small file beside says which
names are kept and where, so that no keyring is opened, nor its library loaded, for a key that is not there. Keys go to the
provider they are for and nowhere else: not into settings, events, runs, logs, errors, or a sandbox.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from sandloop.errors import BadKey, BadSetting, KeyStoreFailed
from sandloop.keys.file import KeysFile

Where: TypeAlias = Literal["environment", "keyring", "file"]
CHOICES = ("keyring", "file", "off")
MAX_KEY = 16_000


@dataclass(frozen=True, slots=True)
class Store:
    """Where keys may be kept."""

    file: KeysFile
    keyring: bool = True
    values: bool = True
    """Whether the file may hold keys, and not only the names of those in the keyring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Where a key went."""

    where: Literal["keyring", "file"]
    what: str
    """The keyring's name, or the path of the file."""
    note: str = ""
    """Why it is not in the keyring, where that is not plain."""


def store_of(environ: Mapping[str, str]) -> Store | None:
    """The store that `SANDLOOP_KEYS` names; None when it is off. Raises `BadSetting`."""
    said = environ.get("SANDLOOP_KEYS", "")
    if said == "off":
        return None
    if os.sep in said:
        return Store(KeysFile(Path(said).absolute()), keyring=False)
    if said not in ("", *CHOICES):
        from sandloop.settings import nearest

        why = f"is {said!r}, but must be keyring, file, off, or the path of a file"
        raise BadSetting(name="SANDLOOP_KEYS", why=why, where="the environment", nearest=nearest(said, CHOICES))
    from platformdirs import user_config_path

    # A folder of its own: it must be closed to others, and the folder of settings need not be.
    file = KeysFile(user_config_path("sandloop") / "keys" / "keys.json")
    return Store(file, keyring=said != "file", values=said != "keyring")


def is_key(text: str) -> bool:
    """Whether a header can hold it. What can't is quoted, in escapes, by the error of the client that would send it."""
    return text.isascii() and text.isprintable() and " " not in text


def checked_key(name: str, key: str) -> str:
    """The key that stands under this name. Raises `BadKey` for what is none."""
    if not is_key(key):
        raise BadKey(variable=name)
    return key


def find_key(variables: Sequence[str], environ: Mapping[str, str] | None = None) -> str | None:
    """The key under the first of these names that has one: in the environment, else in the store, else None.

    The store is not looked at when the environment has the key. Raises `BadKey` for what is no key, `KeyStoreFailed` when a kept
    key can't be had, and `BadSetting` for a wrong `SANDLOOP_KEYS`.
    """
    environ = os.environ if environ is None else environ
    return next((checked_key(name, key) for name in variables if (key := environ.get(name))), None) or kept_key(variables, environ)


def kept_key(variables: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The key that the store has under the first of these names. Raises as `find_key`."""
    store = store_of(environ) if variables else None
    entries = store.file.read() if store is not None else {}
    for name in variables:
        entry = entries.get(name)
        if store is None or entry is None:
            continue
        if entry.value is not None:
            if store.values:
                return checked_key(name, entry.value)
        elif store.keyring:
            from sandloop.keys import ring

            if key := ring.get(name):
                return checked_key(name, key)
    return None


def where_kept(variables: Sequence[str], environ: Mapping[str, str] | None = None) -> tuple[str, Where] | None:
    """The first of these names that has a key, and where it is. Opens no keyring, so a key removed there by hand is still named.

    Raises `KeyStoreFailed` when the file of keys can't be used, and `BadSetting` for a wrong `SANDLOOP_KEYS`.
    """
    environ = os.environ if environ is None else environ
    if set_one := next((name for name in variables if environ.get(name)), None):
        return set_one, "environment"
    kept = kept_names(environ) if variables else {}
    return next(((name, kept[name]) for name in variables if name in kept), None)


def kept_names(environ: Mapping[str, str]) -> dict[str, Where]:
    """All names in the store, and where each key is. Opens no keyring. Raises as `where_kept`."""
    store = store_of(environ)
    if store is None:
        return {}
    places: dict[str, Where] = {name: "keyring" if one.value is None else "file" for name, one in store.file.read().items()}
    usable = {"keyring": store.keyring, "file": store.values}
    return {name: place for name, place in sorted(places.items()) if usable[place]}


def keep(name: str, key: str, environ: Mapping[str, str], *, on_wait: Callable[[], None] | None = None) -> Kept:
    """Keep the key under that name, instead of one that is there.

    Args:
        on_wait: Called once when the keyring takes longer than half a second: it may be asking the user to unlock it.

    Raises:
        KeyStoreFailed: It can be kept nowhere.
        BadSetting: `SANDLOOP_KEYS` is wrong.
    """
    store = store_of(environ)
    if store is None:
        raise KeyStoreFailed(
            where="SANDLOOP_KEYS=off", said="means that none is kept", do=f"Unset it, or set {name} in the environment"
        )
    note = ""
    if store.keyring:
        from sandloop.keys import ring

        try:
            ring_name = ring.put(name, key, on_wait=on_wait)
            store.file.write(name, None)
            return Kept(where="keyring", what=ring_name)
        except ring.NoRing as error:
            note = str(error)
        except KeyStoreFailed as error:
            if not store.values or not error.is_ring:
                raise
            note = f"the system's keyring {error.said}"
        if not store.values:
            raise KeyStoreFailed(
                where="the system's keyring", said=f"can't be used: {note}", do="Unset SANDLOOP_KEYS to keep keys in a file"
            )
    store.file.write(name, key)
    return Kept(where="file", what=str(store.file.path), note=note)


def forget(name: str, environ: Mapping[str, str], *, on_wait: Callable[[], None] | None = None) -> Where | None:
    """Remove the key of that name from the store; returns where it was, or None. Raises as `keep`."""
    store = store_of(environ)
    entry = store.file.read().get(name) if store is not None else None
    if store is None or entry is None:
        return None
    if entry.value is None:
        from sandloop.keys import ring

        ring.remove(name, on_wait=on_wait)
    store.file.remove(name)
    return "keyring" if entry.value is None else "file"
