"""A keyring as the system has one, in a file of its own: in this process, or in another by `PYTHON_KEYRING_BACKEND`."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class FakeKeyring(KeyringBackend):
    """Keeps passwords, is locked, or hangs, as it is told."""

    priority: float = 5  # pyright: ignore[reportIncompatibleVariableOverride]
    name = "Fake Keyring"  # pyright: ignore[reportAssignmentType]

    def __init__(self, path: Path | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.path = path or Path(os.environ["FAKE_KEYRING"])
        self.locked = os.environ.get("FAKE_KEYRING_DOES") == "locked"
        self.go_on = threading.Event()
        """Waited for before each answer; not set, it hangs."""
        self.go_on.set()

    def get_password(self, service: str, username: str) -> str | None:
        found: str | None = self._rows().get(f"{service}/{username}")
        return found

    def set_password(self, service: str, username: str, password: str) -> None:
        self._write(self._rows() | {f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        rows = self._rows()
        if rows.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("not there")
        self._write(rows)

    def _rows(self) -> dict[str, Any]:
        self.go_on.wait(20)
        if self.locked:
            raise KeyringLocked("it is locked")
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def _write(self, rows: dict[str, Any]) -> None:
        self.path.write_text(json.dumps(rows))


class Forgetful(FakeKeyring):
    """Takes a password and does not keep it."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Plain(FakeKeyring):
    """One that keyring's documentation calls not safe to choose unasked."""

    priority = 0.5  # pyright: ignore[reportAssignmentType]
