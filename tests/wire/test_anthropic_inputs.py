"""Input files at Anthropic that are not where they should be: uploads that ended, and uploads that silently never arrived."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandloop.errors import BadSetting, NativeUnavailable
from sandloop.events import CodeRan, Noted, ReplyEnded, Retried
from sandloop.ports import ModelChoice
from sandloop_providers.anthropic import anthropic
from wire.anthropic_script import Block, Failure, Part, Reply, bash, python, result, text, use
from wire.anthropic_server import AnthropicServer
from wire.anthropic_state import KEY
from wire.anthropic_talk import Talk, only

NO_FILE = (
    "Traceback (most recent call last):\n  File \"<cell>\", line 1\n    x\nFileNotFoundError: [Errno 2] No such file: 'a.csv'\n"
)
MISSED = python("open('a.csv')", stderr=NO_FILE, code=1)
CAUGHT = python("load()", "FileNotFoundError: 'a.csv'\n")
EMPTY = bash("ls $INPUT_DIR")
FOUND = python("print(os.listdir(os.environ['INPUT_DIR']))", "['a.csv']\n")
READ = python("print(len(open(os.environ['INPUT_DIR'] + '/a.csv').read()))", "9\n")


@pytest.mark.parametrize(
    ("parts", "noted"),
    [
        ([*READ], 0),
        ([*MISSED, *FOUND], 0),
        ([*EMPTY, *READ], 0),
        ([*MISSED, *READ], 0),
        ([*python("print(1 + 1)", "2\n")], 0),
        ([*bash("ls $INPUT_DIR > list.txt")], 0),
        ([*bash("ls $INPUT_DIR | wc -l", "1\n")], 0),
        ([*python("open('b.csv')", stderr=NO_FILE.replace("a.csv", "b.csv"), code=1)], 0),
        ([*MISSED], 1),
        ([*CAUGHT], 1),
        ([*EMPTY], 1),
        ([*bash("cat a.csv", "cat: a.csv: No such file or directory\n", code=1)], 1),
    ],
)
async def test_files_that_no_code_found_are_told_and_one_wrong_path_is_not(parts: list[Part], noted: int, tmp_path: Path) -> None:
    with AnthropicServer([Reply([*parts, text("Done.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Read", a_csv=b"item\n1\n")
            events = await talk.reply()

    told = [n for n in only(events, Noted) if n.about == "provider"]
    assert len(told) == noted
    assert all("'a.csv'" in n.text for n in told)
    assert only(events, ReplyEnded)


@pytest.mark.parametrize("parts", [[*MISSED, *EMPTY], [*EMPTY, *CAUGHT]])
async def test_an_empty_input_folder_and_a_missed_file_end_the_native_route(parts: list[Part], tmp_path: Path) -> None:
    with AnthropicServer([Reply([*parts, text("There is no file.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Read", a_csv=b"1")
            with pytest.raises(NativeUnavailable, match="does not hold them"):
                await talk.reply()

    assert len(only(talk.history, CodeRan)) == 2
    assert len(only(talk.history, Noted)) == 1
    assert server.files == {}


async def test_a_file_that_was_found_once_is_not_doubted_later(tmp_path: Path) -> None:
    with AnthropicServer([Reply(FOUND), Reply([*MISSED, *EMPTY])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Look", a_csv=b"1")
            await talk.reply()
            talk.ask("Delete it and look again")
            assert only(await talk.reply(), Noted) == []


@pytest.mark.parametrize("container_died", [False, True])
async def test_an_upload_that_ended_is_sent_again_once_and_told(container_died: bool, tmp_path: Path) -> None:
    with AnthropicServer([Reply(FOUND), Reply([text("Still here.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Look", a_csv=b"1", b_csv=b"2")
            await talk.reply()
            gone = next(i for i, f in server.files.items() if f.name == "a.csv")
            del server.files[gone]
            if container_died:
                server.kill_containers()
            talk.ask("Again")
            events = await talk.reply()

    reasons = [r.reason for r in only(events, Retried)]
    assert ["container was gone" in r for r in reasons] == [True, False][1 - container_died :]
    assert "uploaded and asked about again" in reasons[-1]
    assert len(server.asked("POST", "/v1/files")) == 3
    assert server.files == {}
    uploads = [b["file_id"] for m in server.replies_asked[-1]["messages"] for b in m["content"] if b["type"] == "container_upload"]
    assert len(uploads) == 2
    assert gone not in uploads


async def test_an_upload_that_ends_at_once_again_ends_the_native_route(tmp_path: Path) -> None:
    with AnthropicServer([Failure(404, "not_found_error", "The file has expired", times=2)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Look", a_csv=b"1")
            with pytest.raises(NativeUnavailable):
                await talk.reply()

    assert len(server.replies_asked) == 2
    assert len(server.deleted) == 2


SKILLS = [{"type": "anthropic", "skill_id": "xlsx"}, {"type": "custom", "skill_id": "skill_01", "version": "latest"}]


async def test_skills_go_along_with_every_native_request_and_no_local_one(tmp_path: Path) -> None:
    with AnthropicServer([Reply(python("x = 1")), Reply([text("2")]), Reply([text("3")])]) as server:
        choice = ModelChoice(provider="anthropic", base_url=server.url, key=KEY, parameters={"skills": SKILLS})
        async with Talk(server, tmp_path, choice=choice) as talk:
            talk.ask("One")
            container = only(await talk.reply(), ReplyEnded)[0].container
            talk.ask("Two")
            await talk.reply()
            talk.native = False
            talk.ask("Three")
            await talk.reply()

    first, second, third = server.replies_asked
    assert first["container"] == {"skills": SKILLS}
    assert second["container"] == {"skills": SKILLS, "id": container}
    assert "container" not in third
    assert all("skills" not in body for body in server.replies_asked)


async def test_a_skill_that_is_not_there_ends_the_native_route(tmp_path: Path) -> None:
    with AnthropicServer([Failure(404, "not_found_error", "Skill 'xslx' was not found")]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("One")
            with pytest.raises(NativeUnavailable, match="xslx"):
                await talk.reply()


@pytest.mark.parametrize(
    "skills",
    ["xlsx", ["xlsx"], [{"skill_id": "xlsx"}], [{"type": "anthropic"}], [{"type": "own", "skill_id": "x"}],
     [{"type": "custom", "skill_id": ""}], [{"type": "custom", "skill_id": "x", "version": 1}],
     [{"type": "custom", "skill_id": "x", "path": "/"}]],
)  # fmt: skip
def test_skills_of_another_shape_are_a_bad_setting(skills: object) -> None:
    with pytest.raises(BadSetting, match="skills"):
        anthropic(ModelChoice(provider="anthropic", key=KEY, parameters={"skills": skills}))


async def test_a_legacy_result_and_a_call_by_other_code_are_read(tmp_path: Path) -> None:
    caller = {"type": "code_execution_20260120", "tool_id": "srvtoolu_A"}
    search = {"type": "server_tool_use", "id": "srvtoolu_W", "name": "web_search", "input": {"query": "q"}, "caller": caller}
    parts = [
        use("code_execution", {"code": "search()"}, "srvtoolu_A"),
        Block(search),
        Block({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_W", "content": [], "caller": caller}),
        result("srvtoolu_A", "1\n"),
    ]
    with AnthropicServer([Reply(parts), Reply([text("Fine.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Search")
            (ran,) = only(await talk.reply(), CodeRan)
            talk.ask("And?")
            await talk.reply()

    assert (ran.code_id, ran.stdout) == ("srvtoolu_A", "1\n")
    assert server.replies_asked[1]["messages"][1]["content"] == server.sent[:4]


async def test_a_file_made_by_the_editor_is_a_step_and_one_it_can_not_find_too(tmp_path: Path) -> None:
    tool = "text_editor_code_execution"
    made = {"type": f"{tool}_create_result", "is_file_update": False}
    parts = [
        use(tool, {"command": "create", "path": "/tmp/a.py", "file_text": "print(1)\n"}, "srvtoolu_E"),
        Block({"type": f"{tool}_tool_result", "tool_use_id": "srvtoolu_E", "content": made}),
        use(tool, {"command": "view", "path": "/tmp/none"}, "srvtoolu_F"),
        Block({"type": f"{tool}_tool_result", "tool_use_id": "srvtoolu_F",
               "content": {"type": f"{tool}_tool_result_error", "error_code": "file_not_found", "error_message": "no /tmp/none"}}),
    ]  # fmt: skip
    with AnthropicServer([Reply(parts)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Write")
            created, viewed = only(await talk.reply(), CodeRan)

    assert (created.stdout, created.ok) == ("File created.", True)
    assert (viewed.stderr, viewed.stopped_by) == ("file_not_found: no /tmp/none", "provider")
