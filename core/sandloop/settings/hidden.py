"""What of a setting may be shown: no password in an address, and nothing that looks like a key. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

HIDDEN = "…"
SHOWN = 80
"""Characters of a value in a message."""
_NAME = re.compile(
    r"(?:^|[_\-. ])"
    r"(?:api_?key|key|token|secret|pass(?:word|wd|phrase)?|pwd|auth|authorization|credentials?|bearer|cookie|sig|signature)"
    r"(?:$|[_\-. ])",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"(?i:bearer|basic) \S|\b(?:[sprg]{1,2}k|hf|gh[opsu]|glpat|xox[a-z]|nvapi|tgp_v1)[-_]\w|\bAIza\w|\bAKIA\w|\beyJ\w"
    r"|(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{20,}"
)
"""How keys of vendors begin, and any long run of letters and digits."""


def is_secret(name: str, value: object = None) -> bool:
    """Whether a value of that name would better not be shown. Numbers and truths may be: no key is one."""
    if isinstance(value, int | float):
        return False
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return bool(_NAME.search(words)) or looks_like_key(value)


def looks_like_key(value: object) -> bool:
    """Whether a text looks like a key of a vendor, or any other secret."""
    return isinstance(value, str) and bool(_VALUE.search(value))


def shown_address(address: str) -> str:
    """The address without a user, a password, or a parameter that looks like a secret."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return HIDDEN
    _, at, host = parts.netloc.rpartition("@")
    path = parts.path
    if not at and "@" in path:  # one slash too few, and the password is in the path
        path = f"{HIDDEN}@{path.rpartition('@')[2]}"
    query = "&".join(_parameter(part) for part in parts.query.split("&")) if parts.query else ""
    scheme = f"{parts.scheme}:" if parts.scheme else ""
    place = f"//{HIDDEN + '@' if at else ''}{host}" if parts.netloc else ""
    return f"{scheme}{place}{path}" + (f"?{query}" if query else "")


def _parameter(part: str) -> str:
    name, equals, value = part.partition("=")
    return f"{name}={HIDDEN}" if equals and is_secret(name, value) else HIDDEN if looks_like_key(part) else part


def without_secrets(value: object, name: str = "") -> Any:
    """The value, with all that looks like a secret in it replaced, at any depth."""
    if isinstance(value, Mapping):
        rows = cast("Mapping[str, object]", value)
        return {key: without_secrets(row, str(key)) for key, row in rows.items()}
    if isinstance(value, list | tuple):
        return [without_secrets(item, name) for item in cast("list[object]", value)]
    if isinstance(value, str) and "://" in value and not is_secret(name):
        return shown_address(value)
    return HIDDEN if is_secret(name, value) else value


def quoted(value: object, name: str = "") -> str:
    """The value for a message: short, and nothing secret in it."""
    if is_secret(name, value):
        return HIDDEN
    text = repr(without_secrets(value))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}{HIDDEN}{text[-10:]}"
