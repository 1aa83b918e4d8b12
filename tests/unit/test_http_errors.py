"""A server's words without the key."""

from __future__ import annotations

import pytest

from sandloop_providers.http_errors import plain


@pytest.mark.parametrize(
    ("said", "key"),
    [("no key sk-1 here", "sk-1"), (f"Illegal header value {b'Bearer sk-1' + bytes([13])!r}", "sk-1\r"), ("a  sk\n1 b", "sk\n1")],
)
def test_a_key_that_is_quoted_is_not_shown(said: str, key: str) -> None:
    assert "sk" not in plain(said, key)
    assert "[key]" in plain(said, key)
