"""How long a server asks to wait, in each of the forms it is said in."""

from __future__ import annotations

import httpx2
import pytest

from sandloop_providers.waits import never_wait_long, wait_of, waits_long

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


def used_up(what: str, reset: str) -> dict[str, str]:
    return {f"x-ratelimit-reset-{what}": reset, f"x-ratelimit-remaining-{what}": "0"}


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"retry-after": "17s"}, 17),
        ({"retry-after": "1m2.5s"}, 62.5),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, 360),
        ({"x-ratelimit-reset-tokens": "120ms", "x-ratelimit-remaining-tokens": "0"}, 0.12),
        ({"x-ratelimit-reset-tokens": "1h1m1s", "x-ratelimit-remaining-tokens": "0"}, 3661),
        ({"x-ratelimit-reset-tokens": "7.66s", "x-ratelimit-remaining-tokens": "12"}, None),
        ({**used_up("a", "7s"), **used_up("b", "9s")}, 9),
        ({**used_up("a", "7s"), **used_up("b", "9s"), "x-ratelimit-remaining-b": "5"}, 7),
        ({**used_up("a", "7s"), **used_up("b", "nan")}, 7),
        ({"ratelimitbysize-reset": "23", "ratelimitbysize-remaining": "0"}, 23),
        ({"X-RateLimit-Reset": "1792567700", "X-RateLimit-Remaining": "0"}, 20),
        ({"x-ratelimit-reset": "1792567695500", "x-ratelimit-remaining": "0"}, 15.5),
        ({"x-ratelimit-reset": "Wed, 21 Oct 2026 07:28:30 GMT"}, 30),
        ({"anthropic-ratelimit-tokens-reset": "2026-10-21T07:28:40Z", "anthropic-ratelimit-tokens-remaining": "0"}, 40),
        ({"anthropic-ratelimit-tokens-reset": "2026-10-21T07:27:40Z", "anthropic-ratelimit-tokens-remaining": "0"}, None),
        ({"x-ratelimit-reset": "2", "retry-after": "5"}, 5),
        ({"x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-reset": ""}, None),
        ({"x-ratelimit-reset": "nan"}, None),
        ({"x-ratelimit-reset": "1e300"}, None),
        ({"x-ratelimit-reset": "9" * 4000 + "s"}, None),
        ({"x-ratelimit-reset": "-5"}, None),
    ],
)
def test_a_limit_that_is_used_up_says_when_it_begins_anew(headers: dict[str, str], wait: float | None) -> None:
    assert wait_of(headers, status=429, now=NOW) == (None if wait is None else pytest.approx(wait))


def test_limits_count_for_nothing_where_something_else_is_wrong() -> None:
    headers = {"x-ratelimit-reset-tokens": "50s", "x-ratelimit-remaining-tokens": "0"}
    assert (wait_of(headers, status=503), waits_long(headers, status=503)) == (None, False)
    assert (wait_of(headers, status=429), waits_long(headers, status=429)) == (50, True)


async def test_an_sdk_that_knows_fewer_forms_is_told_in_its_own() -> None:
    short = httpx2.Response(429, headers=used_up("tokens", "1.5s"))
    await never_wait_long(short)
    assert (short.headers["retry-after-ms"], "x-should-retry" in short.headers) == ("1500.0", False)
    long = httpx2.Response(429, headers=used_up("tokens", "6m0s"))
    await never_wait_long(long)
    assert ("retry-after-ms" in long.headers, long.headers["x-should-retry"]) == (False, "false")
    well = httpx2.Response(200, headers=used_up("tokens", "1.5s"))
    await never_wait_long(well)
    assert "retry-after-ms" not in well.headers
