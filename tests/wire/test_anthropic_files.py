"""Files at Anthropic: up once, down bounded, all deleted at the end whatever happened."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path

import pytest

from sandloop.errors import KeyRefused, NativeUnavailable, Overloaded, Unreachable
from sandloop.events import CodeWritten, FileMade, Noted
from sandloop.limits import Limits
from wire.anthropic_script import AGAIN, CutOff, Failure, Hold, Made, Reply, python, text, use
from wire.anthropic_server import AnthropicServer
from wire.anthropic_talk import Talk, only


def uploads(body: dict[str, list[dict[str, list[dict[str, str]]]]]) -> list[list[str]]:
    """The file ids attached to each message."""
    return [[b["file_id"] for b in m["content"] if b["type"] == "container_upload"] for m in body["messages"]]


async def test_a_file_goes_up_once_and_stays_in_the_message_that_brought_it(tmp_path: Path) -> None:
    with AnthropicServer([Reply([text("One.")]), Reply([text("Two.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("First", a_csv=b"a\n1\n", b_csv=b"b\n2\n")
            await talk.reply()
            first = {f.name: i for i, f in server.files.items()}
            talk.ask("Second", c_csv=b"c\n3\n")
            await talk.reply()
            stored = {f.name: (f.content, f.mime, f.expires_in) for f in server.files.values()}
            third = next(i for i, f in server.files.items() if f.name == "c.csv")

    assert len(server.asked("POST", "/v1/files")) == 3
    assert stored["a.csv"] == (b"a\n1\n", "text/csv", 86_400)
    assert uploads(server.replies_asked[0]) == [[first["a.csv"], first["b.csv"]]]
    assert uploads(server.replies_asked[1]) == [[first["a.csv"], first["b.csv"]], [], [third]]
    assert server.containers == {next(iter(server.containers)): {"a.csv", "b.csv", "c.csv"}}
    assert server.files == {}
    assert len(server.deleted) == 3


async def test_a_repeated_upload_sends_the_whole_file_again(tmp_path: Path) -> None:
    content = b"x" * 300_000
    with AnthropicServer([Reply([text("Done.")])]) as server:
        server.before("POST", "/v1/files", Failure(500, headers=AGAIN))
        async with Talk(server, tmp_path) as talk:
            talk.ask("Read", a_csv=content)
            await talk.reply()
            assert [f.content for f in server.files.values()] == [content]


async def test_made_files_come_back_with_the_step_that_made_them_and_are_deleted_there(tmp_path: Path) -> None:
    made = [Made("chart.png", b"\x89PNG\r\n\x1a\n123"), Made("table.csv", b"a,b\n")]
    script = [Reply(python("save()", made=made)), Reply(python("save()", made=[Made("table.csv", b"a,b\n1,2\n")]))]
    with AnthropicServer(script) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Save", a_csv=b"1")
            events = await talk.reply()
            talk.ask("Again")
            later = await talk.reply()
            assert len(server.files) == 4

    (written,) = only(events, CodeWritten)
    files = only(events, FileMade)
    assert [(f.name, f.mime, f.change, f.code_id) for f in files] == [
        ("chart.png", "image/png", "new", written.code_id),
        ("table.csv", "text/csv", "new", written.code_id),
    ]
    assert talk.store.path(files[0].sha256).read_bytes() == made[0].content
    assert [(f.name, f.change) for f in only(later, FileMade)] == [("table.csv", "changed")]
    assert server.files == {}


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (Made("own.csv", b"1", downloadable=False), "can't be downloaded"),
        (Made("big.bin", b"x" * 2_000), "1.0 kB"),
        (Made("liar.bin", b"x" * 2_000, says_size=10), "1.0 kB"),
    ],
)
async def test_a_file_that_can_not_be_had_is_noted_and_the_run_goes_on(made: Made, why: str, tmp_path: Path) -> None:
    with AnthropicServer([Reply([*python("save()", made=[made, Made("good.txt", b"ok")]), text("Saved.")])]) as server:
        async with Talk(server, tmp_path, limits=Limits(file_bytes=1_000)) as talk:
            talk.ask("Save")
            events = await talk.reply()

    (noted,) = only(events, Noted)
    assert (noted.about, made.name in noted.text, why in noted.text) == ("file", True, True)
    assert [f.name for f in only(events, FileMade)] == ["good.txt"]
    assert server.files == {}


@pytest.mark.parametrize("path", ["/v1/files/file_made", "/v1/files/file_made/content"])
async def test_a_download_that_fails_is_noted_and_its_file_still_deleted(path: str, tmp_path: Path) -> None:
    with AnthropicServer([Reply(python("save()", made=[Made("a.txt", file_id="file_made")]))]) as server:
        hindrances = [Failure(500)] if path.endswith("content") else [Failure(404, "not_found_error", "gone")]
        server.before("GET", path, *hindrances)
        async with Talk(server, tmp_path) as talk:
            talk.ask("Save")
            events = await talk.reply()

    assert len(only(events, Noted)) == 1
    assert only(events, FileMade) == []
    assert server.deleted == ["file_made"]


async def test_more_files_than_the_limit_are_noted_and_all_deleted(tmp_path: Path) -> None:
    made = [Made(f"{i}.txt", str(i).encode()) for i in range(5)]
    with AnthropicServer([Reply(python("save()", made=made))]) as server:
        async with Talk(server, tmp_path, limits=Limits(files=2)) as talk:
            talk.ask("Save")
            events = await talk.reply()

    assert len(only(events, FileMade)) == 2
    assert "3 more made files" in only(events, Noted)[0].text
    assert server.files == {}


@pytest.mark.parametrize("name", ["../../etc/passwd", "/root/.ssh/id_rsa", "a\x00b\x1b[31m.txt", "..", "x" * 5_000, ""])
async def test_a_hostile_name_of_a_made_file_stays_in_the_store(name: str, tmp_path: Path) -> None:
    with AnthropicServer([Reply(python("save()", made=[Made(name, b"content")]))]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Save")
            (made,) = only(await talk.reply(), FileMade)

    assert made.name not in ("", ".", "..")
    assert not Path(made.name).is_absolute()
    assert ".." not in Path(made.name).parts
    assert made.name.isprintable()
    assert talk.store.path(made.sha256).read_bytes() == b"content"


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure(400, "invalid_request_error", "unsupported file"), NativeUnavailable),
        (Failure(413, "request_too_large", "too large"), NativeUnavailable),
        (Failure(403, "permission_error", "no Files API for this workspace"), NativeUnavailable),
        (Failure(404, "not_found_error", "Not found", body=b"<html>nothing here</html>"), NativeUnavailable),
        (Failure(401, "authentication_error", "no"), KeyRefused),
        (Failure(500), Overloaded),
    ],
)
async def test_a_refused_upload_ends_the_native_route_and_what_went_up_is_deleted(
    failure: Failure, error: type[Exception], tmp_path: Path
) -> None:
    with AnthropicServer() as server:
        server.before("POST", "/v1/files", failure)
        async with Talk(server, tmp_path) as talk:
            talk.ask("Read", a_csv=b"1", b_csv=b"2", c_csv=b"3")
            with pytest.raises(error):
                await talk.reply()
            assert len(server.files) == 2

    assert server.files == {}
    assert server.replies_asked == []


async def test_everything_is_deleted_after_a_reply_that_broke_off(tmp_path: Path) -> None:
    cut = [*python("save()", made=[Made("a.txt", b"1")]), CutOff()]
    with AnthropicServer([Reply(cut)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Save", a_csv=b"1")
            with pytest.raises(Unreachable):
                await talk.reply()

    assert [f.name for f in only(talk.history, FileMade)] == ["a.txt"]
    assert len(server.deleted) == 2
    assert server.files == {}


async def test_everything_is_deleted_after_a_cancelled_reply_and_its_connection_is_closed(tmp_path: Path) -> None:
    hold = Hold()
    with AnthropicServer([Reply([use("code_execution", {"code": "x"}, "srvtoolu_A"), hold, text("never")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Wait", a_csv=b"1")
            task = asyncio.create_task(talk.reply())
            await asyncio.to_thread(hold.reached.wait, 10)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert task.cancelled()
        hold.go.set()

    assert server.files == {}
    assert len(server.deleted) == 1


async def test_what_went_up_before_a_cancelled_upload_is_deleted(tmp_path: Path) -> None:
    hold = Hold()
    with AnthropicServer() as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("One", a_csv=b"1")
            server.script.append(Reply([text("One.")]))
            await talk.reply()
            server.before("POST", "/v1/files", hold)
            talk.ask("Two", b_csv=b"2")
            task = asyncio.create_task(talk.reply())
            await asyncio.to_thread(hold.reached.wait, 10)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        left = dict(server.files)
        hold.go.set()

    assert len(server.deleted) == 1
    assert left == {}


async def test_closing_survives_cancellation_around_it(tmp_path: Path) -> None:
    import anyio

    with AnthropicServer([Reply([text("One.")])]) as server:
        talk = Talk(server, tmp_path)
        talk.ask("One", a_csv=b"1", b_csv=b"2")
        await talk.reply()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await talk.provider.close()

    assert server.files == {}


async def test_closing_twice_or_unused_is_nothing_and_a_failed_deletion_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with AnthropicServer([Reply([text("One.")])]) as server:
        async with Talk(server, tmp_path) as unused:
            await unused.provider.close()
        async with Talk(server, tmp_path) as talk:
            talk.ask("One", a_csv=b"1", b_csv=b"2")
            await talk.reply()
            server.before("DELETE", "/v1/files", Failure(403, "permission_error", "no"))
            with caplog.at_level(logging.WARNING, "sandloop"):
                await talk.provider.close()
            await talk.provider.close()

    assert len(server.asked("DELETE", "/v1/files")) == 2
    assert len(server.deleted) == 1
    assert "did not delete the file" in caplog.text
    assert "test-key" not in caplog.text


async def test_closing_gives_up_on_a_server_that_does_not_answer(tmp_path: Path) -> None:
    hold = Hold()
    with AnthropicServer([Reply([text("One.")])]) as server:
        talk = Talk(server, tmp_path)
        talk.provider.close_seconds = 0.3
        talk.ask("One", a_csv=b"1")
        await talk.reply()
        server.before("DELETE", "/v1/files", hold)
        began = time.monotonic()
        await talk.provider.close()
        took = time.monotonic() - began
        hold.go.set()

    assert took < 3
