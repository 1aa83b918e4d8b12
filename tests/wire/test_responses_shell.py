"""Shells of others: OpenAI's hosted one, and OpenRouter's behind its setting, whichever way it names its items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandloop import Session, Settings, analyze
from sandloop.errors import BadSetting, NativeUnavailable
from sandloop.ports import ModelChoice
from sandloop.settings import Profile
from sandloop_providers.catalog import openrouter
from sandloop_providers.chat import Chat
from wire.responses_server import USAGE, Container, Item, Reply, ResponsesServer, message, refusal, reply, shell


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("a\n1\n")


class RouterServer(ResponsesServer):
    """Makes the container of a session when a request names it."""

    def events(self, wanted: Reply, seen: Any) -> list[Item]:
        name = f"sess_{seen.json['session_id']}"
        made = self.containers.setdefault(name, Container(name))
        for upload in seen.json["tools"][0]["environment"].get("file_ids", ()):
            if not any(upload in path for path, _, _ in made.files.values()):
                self._put(made, upload)
        for number, (path, content) in enumerate(wanted.makes):
            made.files[f"cfile_made{number}"] = (path, content, "assistant")
        whole = super().events(Reply(items=wanted.items), seen)
        whole[-1]["response"]["usage"] = {**USAGE, "cost": 0.0125, "cost_details": {"server_tool_cost": 0.003}}
        return whole


def settings(server: ResponsesServer, provider: str, **parameters: Any) -> Settings:
    profile = Profile(provider=provider, model="m/x", base_url=server.url, parameters=parameters)
    return Settings(model="p", models={"p": profile}, route="native")


def test_files_of_the_hosted_shell_come_back_and_its_items_go_back_as_they_came() -> None:
    items = [*shell("echo 3 > sum.txt; echo 3", stdout="3\n"), message("It is 3.", cites=["sum.txt"])]
    made = [("sum.txt", b"3\n"), ("quiet.txt", b"q")]
    script = [reply(*items, makes=made), reply(message("Still 3."))]
    with ResponsesServer(script) as server, Session(settings=settings(server, "openai", tool="shell")) as session:
        first = session.ask("How many?", ["a.csv"])
        session.ask("And now?")

    assert {f.name: f.bytes() for f in first.files} == {"sum.txt": b"3\n", "quiet.txt": b"q"}
    back = [i for i in server.asked[1].json["input"] if i.get("type", "").startswith("shell_call")]
    assert back == items[:2]
    assert server.asked[1].json["tools"] == server.asked[0].json["tools"]


def in_one_item() -> list[Item]:
    outcome = {"type": "exit", "exit_code": 0}
    output = [{"stdout": "3\n", "stderr": "", "outcome": outcome}]
    return [{"type": "openrouter:shell", "id": "sh_1", "action": {"commands": ["echo 3"]}, "output": output}]


def with_its_own_names(*, nested: bool) -> list[Item]:
    call, output = shell("echo 3", stdout="3\n")
    call["type"], output["type"] = "openrouter:shell", "openrouter:shell_output"
    if not nested:
        del call["action"]
        call["command"] = "echo 3"
    return [call, output]


@pytest.mark.parametrize(
    "items",
    [shell("echo 3", stdout="3\n"), in_one_item(), with_its_own_names(nested=True), with_its_own_names(nested=False)],
    ids=["shell_call", "one item", "own names", "flat"],
)
def test_openrouters_shell_runs_in_the_sessions_container_whatever_it_calls_its_items(items: list[Item]) -> None:
    script = [reply(*items, message("It is 3."), makes=[("/root/sum.txt", b"3\n")]), reply(message("Still 3."))]
    with RouterServer(script) as server:
        with Session(settings=settings(server, "openrouter", shell=True)) as session:
            result = session.ask("How many?", ["a.csv"])
            session.ask("And now?")

        first, second = (seen.json for seen in server.asked)
        assert server.uploads == {}
    (step,) = result.steps
    assert step.ran is not None
    assert (step.code.source, step.ran.stdout, step.ran.exit_code) == ("echo 3", "3\n", 0)
    assert {f.name: f.bytes() for f in result.files} == {"sum.txt": b"3\n"}
    assert result.usage.cost == 0.0125
    (tool,) = first["tools"]
    assert tool["type"] == "openrouter:shell"
    assert tool["environment"]["network_policy"] == {"type": "disabled"}
    assert first["session_id"] == second["session_id"]
    assert [i for i in second["input"] if "shell" in i.get("type", "")] == items


@pytest.mark.parametrize("status", [400, 404])
def test_a_refusal_of_openrouters_shell_ends_the_native_route(status: int) -> None:
    with RouterServer([refusal(status, "No endpoints found")]) as server, pytest.raises(NativeUnavailable, match="No endpoints"):
        analyze("?", settings=settings(server, "openrouter", shell=True))


def test_openrouters_shell_is_off_by_default_and_its_setting_is_checked() -> None:
    assert isinstance(openrouter(ModelChoice(provider="openrouter", model="m", key="k")), Chat)
    with pytest.raises(BadSetting, match="shell"):
        openrouter(ModelChoice(provider="openrouter", model="m", key="k", parameters={"shell": "yes"}))
