"""Each wire family as the contract test needs it: a server that speaks it, how to point a model at it, one scenario in its words.

The scenario: some text, a piece of code that prints `42` (and on the native route makes a file), then the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandloop.settings import Profile, Route, Settings
from wire import anthropic_script as claude
from wire import chat_server as chat
from wire import gemini_server as gemini
from wire import mistral_server as mistral
from wire import responses_server as responses
from wire.anthropic_server import AnthropicServer
from wire.chat_server import ChatServer
from wire.gemini_server import GeminiServer
from wire.mistral_server import MistralServer
from wire.responses_server import ResponsesServer

KEY = "a-secret-key-of-the-user"
CODE = "open('made.csv', 'w').write('b\\n42\\n')\nprint(42)"
SAYS, ANSWER = "I will look.", "The sum is 42."
MADE = b"b\n42\n"


@dataclass(frozen=True, kw_only=True)
class Family:
    """One way to reach a model."""

    name: str
    provider: str
    route: Route
    server: Callable[[], Any]
    scenario: Callable[[], list[Any]]
    refuse: Callable[[int, str], Any]
    """An answer with that status and those words, which the client does not try again."""
    cut: Callable[[], Any]
    """A reply that says something and breaks off."""
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    makes_file: bool = True
    takes_files: bool = True

    def settings(self, server: Any, **facts: Any) -> Settings:
        """A profile that points at the server."""
        profile = Profile(
            provider=self.provider, model="test-model", base_url=server.url, key_variable="KEY_OF_TEST", parameters=self.parameters
        )
        return Settings(model="p", models={"p": profile}, route=self.route, **facts)

    def left(self, server: Any) -> list[str]:
        """What of ours is still at the server. Of Claude the uploads: containers can't be deleted, nor a file whose reply
        was never heard."""
        if isinstance(server, AnthropicServer):
            return [name for name, file in server.files.items() if not file.downloadable]
        return [held for name in ("files", "uploads", "containers") for held in getattr(server, name, ()) if held != "f1"]


def _claude_refuses(status: int, message: str) -> claude.Failure:
    return claude.Failure(status, message=message)


def _mistral_made() -> MistralServer:
    return MistralServer(files={"f1": MADE})


NO_RETRY = {"x-should-retry": "false"}
FAMILIES = [
    Family(
        name="claude-native",
        provider="claude",
        route="native",
        server=lambda: AnthropicServer(key=KEY, models={"test-model": True}),
        scenario=lambda: [
            claude.Reply(
                [claude.text(SAYS), *claude.python(CODE, "42\n", made=[claude.Made("made.csv", MADE)]), claude.text(ANSWER)]
            )
        ],
        refuse=_claude_refuses,
        cut=lambda: claude.Reply([claude.text("half"), claude.CutOff()]),
    ),
    Family(
        name="claude-local",
        provider="claude",
        route="local",
        server=lambda: AnthropicServer(key=KEY, models={"test-model": True}),
        scenario=lambda: [
            claude.Reply([claude.text(SAYS), claude.call("python", {"code": CODE}, "toolu_A")], stop="tool_use"),
            claude.Reply([claude.text(ANSWER)]),
        ],
        refuse=_claude_refuses,
        cut=lambda: claude.Reply([claude.text("half"), claude.CutOff()]),
    ),
    Family(
        name="openai-native",
        provider="openai",
        route="native",
        server=ResponsesServer,
        scenario=lambda: [
            responses.reply(
                responses.message(SAYS), responses.cell(CODE, logs="42"), responses.message(ANSWER), makes=[("made.csv", MADE)]
            )
        ],
        refuse=lambda status, message: responses.refusal(status, message, headers=NO_RETRY),
        cut=lambda: responses.reply(responses.message("half an answer"), cut_after=3),
    ),
    Family(
        name="openai-responses-local",
        provider="openai",
        route="local",
        parameters={"api": "responses"},
        server=ResponsesServer,
        scenario=lambda: [
            responses.reply(responses.message(SAYS), responses.function(CODE)),
            responses.reply(responses.message(ANSWER)),
        ],
        refuse=lambda status, message: responses.refusal(status, message, headers=NO_RETRY),
        cut=lambda: responses.reply(responses.message("half an answer"), cut_after=3),
    ),
    Family(
        name="gemini-native",
        provider="gemini",
        route="native",
        server=GeminiServer,
        makes_file=False,
        scenario=lambda: [
            gemini.reply(gemini.text(SAYS), gemini.code(CODE, call="a"), gemini.result("42\n", call="a"), gemini.text(ANSWER))
        ],
        refuse=lambda status, message: gemini.refusal(status, message),
        cut=lambda: gemini.reply(gemini.text("half"), finish=None),
    ),
    Family(
        name="gemini-local",
        provider="gemini",
        route="local",
        server=GeminiServer,
        scenario=lambda: [gemini.reply(gemini.text(SAYS), gemini.function(CODE)), gemini.reply(gemini.text(ANSWER))],
        refuse=lambda status, message: gemini.refusal(status, message),
        cut=lambda: gemini.reply(gemini.text("half"), finish=None),
    ),
    Family(
        name="mistral-native",
        provider="mistral",
        route="native",
        server=_mistral_made,
        scenario=lambda: [
            mistral.reply(
                mistral.says(SAYS),
                mistral.ran(CODE, "42\n"),
                mistral.chunk(type="tool_file", tool="code_interpreter", file_id="f1", file_name="made.csv", file_type="csv"),
                mistral.says(ANSWER),
            )
        ],
        refuse=lambda status, message: mistral.Reply(status=status, body={"message": message}),
        cut=lambda: mistral.reply(mistral.says("half"), done=False),
    ),
    *(
        Family(
            name=f"{provider}-local",
            provider=provider,
            route="local",
            parameters={"api": "chat"} if provider == "openai" else {},
            server=ChatServer,
            scenario=lambda: [chat.call(CODE, text=SAYS), chat.say(ANSWER)],
            refuse=lambda status, message: chat.error(status, message, headers=NO_RETRY),
            cut=lambda: chat.say("half", cut=True),
        )
        for provider in (
            "openai",
            "azure",
            "mistral",
            "deepseek",
            "openrouter",
            "groq",
            "together",
            "huggingface",
            "ollama",
            "llamacpp",
            "vllm",
            "compatible",
        )
    ),
]
