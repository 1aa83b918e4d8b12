"""How long a server asks to wait, in each of the forms it is said in."""

from __future__ import annotations

import pytest

from sandloop_providers.http_errors import plain, wait_of

NOW = 1_792_567_680.0
"""Wed, 21 Oct 2026 07:28:00 GMT"""


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "17"}, 17),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30"}, 30),
        ({"retry-after": "Wed, 21 Oct 2026 09:29:00 +0200"}, 60),
        ({"retry-after": "Wed, 21 Oct 2026 07:27:00 GMT"}, None),
        ({"retry-after": "Sun, 21 Oct 2029 07:28:30 GMT"}, None),
        ({"retry-after": "Wed, 99 Oct 99999 07:28:30 GMT"}, None),
    ],
)
def test_the_wait_is_read(headers: dict[str, str], wait: float | None) -> None:
    assert wait_of(headers, now=NOW) == wait


@pytest.mark.parametrize(
    ("said", "key"),
    [("no key sk-1 here", "sk-1"), (f"Illegal header value {b'Bearer sk-1' + bytes([13])!r}", "sk-1\r"), ("a  sk\n1 b", "sk\n1")],
)
def test_a_key_that_is_quoted_is_not_shown(said: str, key: str) -> None:
    assert "sk" not in plain(said, key)
    assert "[key]" in plain(said, key)
