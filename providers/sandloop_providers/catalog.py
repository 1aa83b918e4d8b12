"""The vendors that speak chat completions: a row each, with its address, its key and how it differs, and why."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from sandloop.errors import BadSetting, MissingKey, UsageError
from sandloop.ports import ModelChoice, Provider, ProviderAbout
from sandloop.settings.hidden import quoted, shown_address
from sandloop_providers.chat import NO_KEY, PICTURES_PARAMETER, TOOLS_PARAMETER, Chat, Server
from sandloop_providers.chat_shape import Shape
from sandloop_providers.container_time import OPENAI, Rate
from sandloop_providers.mistral import Mistral
from sandloop_providers.responses import API_PARAMETER, TOOL_PARAMETER, Account, Responses
from sandloop_providers.responses import checked as checked_responses
from sandloop_providers.responses_wire import OPENROUTER_SHELL
from sandloop_providers.server_models import on_this_machine, served_models

SHELL_PARAMETER = "shell"
"""OpenRouter's parameter that is ours: whether it runs code itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """One row. Called with a choice it gives the provider, without a request."""

    name: str
    title: str
    address: str | None
    """None: the user names it."""
    address_variable: str | None = None
    key_variables: tuple[str, ...] = ()
    optional_keys: tuple[str, ...] = ()
    """Variables of a key that such a server may ask for and mostly doesn't."""
    default_model: str | None = None
    local: bool = False
    """Runs on the user's machine as a rule, lists its models, needs no key."""
    no_model: str = ""
    bound: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    asks_usage: bool = True
    sends_back: tuple[str, ...] = ()
    sees_pictures: bool = False
    prices: str | None = None
    reports_cost: bool = False
    cuts_silently: bool = False
    keeps_environment: bool = False
    native: str = ""
    """What runs code at the vendor."""
    limits: str = ""

    def __call__(self, choice: ModelChoice) -> Provider:
        """Raises `MissingKey`, `BadSetting` and `UsageError`."""
        return self.chat(choice)

    def chat(self, choice: ModelChoice) -> Chat:
        """The model behind chat completions. Raises like a call."""
        address = self.address_for(choice.base_url)
        model = choice.model or self.default_model
        if model is None and not on_this_machine(address):
            raise UsageError(f"{self.title} needs the name of a model. Name one as '{self.name}:MODEL'.")
        server = Server(
            name=self.name,
            title=self.title,
            address=address,
            key=self._key(choice, address),
            key_variables=self.key_variables or self.optional_keys,
            shape=Shape(bound=self.bound, asks_usage=self.asks_usage),
            sends_back=self.sends_back,
            sees_pictures=self.sees_pictures,
            prices=self.prices,
            reports_cost=self.reports_cost,
            cuts_silently=self.cuts_silently,
            keeps_environment=self.keeps_environment,
            no_model=self.no_model or f"Name a model as '{self.name}:MODEL'",
        )
        return Chat(server, model=model, parameters=choice.parameters)

    @property
    def storable_keys(self) -> tuple[str, ...]:
        """Not Ollama's: it is for its cloud, and must not go to this machine."""
        return self.key_variables or (self.optional_keys if self.name != "ollama" else ())

    @property
    def about(self) -> ProviderAbout:
        """For `sandloop models`."""
        return ProviderAbout(title=self.title, native=self.native, limits=self.limits)

    async def listed(self, choice: ModelChoice) -> list[str]:
        """The models that the server lists. Raises a `ProviderError`."""
        chat = self.chat(replace(choice, model=choice.model or "any"))
        try:
            return await chat.listed()
        finally:
            await chat.close()

    def computes_here(self, choice: ModelChoice) -> bool:
        """Whether the model runs on this machine, as far as the address tells."""
        return self.local and on_this_machine(self.address_for(choice.base_url))

    def account(self, choice: ModelChoice) -> Account:
        """Where, and as whom, for those that speak more than chat completions. Raises `MissingKey` and `BadSetting`."""
        address = self.address_for(choice.base_url)
        return Account(
            name=self.name,
            title=self.title,
            address=address,
            key=self._key(choice, address),
            key_variables=self.key_variables,
            prices=self.prices,
            keeps_environment=self.keeps_environment,
        )

    def address_for(self, base_url: str | None = None) -> str:
        """The address to use: the call's, the vendor's own variable, the usual one. Raises `BadSetting` and `UsageError`."""
        variable = os.environ.get(self.address_variable or "")
        said = ollama_host(variable) if variable and self.name == "ollama" else variable
        address = base_url or said or self.address
        if address is None:
            raise UsageError(
                f"The provider '{self.name}' needs an address. Give 'base_url', such as http://localhost:8000/v1, in a profile "
                "[models.NAME] or as the setting."
            )
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            why = f"is {quoted(shown_address(address))}, but must begin with http:// or https:// and name a host"
            raise BadSetting(name="base_url", why=why)
        return address.rstrip("/")

    async def serving(self, base_url: str | None = None) -> list[str]:
        """The models that the server lists now; empty when nothing answers within 0.3 s. Sends no key."""
        return await served_models(self.address_for(base_url)) if self.local or base_url else []

    def _key(self, choice: ModelChoice, address: str) -> str:
        if choice.key:
            return choice.key
        if not (self.local and on_this_machine(address) and self.name == "ollama"):
            for variable in (*self.key_variables, *self.optional_keys):
                if key := os.environ.get(variable):
                    return key
        if self.key_variables and not on_this_machine(address):
            raise MissingKey(provider=self.title, variables=self.key_variables)
        return NO_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAI(Vendor):
    """OpenAI's own row: it runs code itself, through the Responses API."""

    containers: Rate | None = None
    """How the time of containers is billed; None: unknown."""

    def __call__(self, choice: ModelChoice) -> Provider:
        """Raises `MissingKey` and `BadSetting`."""
        api, tool = checked_responses(choice.parameters)
        parameters = {k: v for k, v in choice.parameters.items() if k not in (API_PARAMETER, TOOL_PARAMETER)}
        chat = self.chat(replace(choice, parameters=parameters))
        account = replace(self.account(choice), containers=self.containers)
        return Responses(account, model=chat.model, chat=chat, parameters=parameters, api=api, tool=tool)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRouter(Vendor):
    """OpenRouter's own row: with `shell = true` it runs code itself, in a beta of its Responses API."""

    def __call__(self, choice: ModelChoice) -> Provider:
        """Raises `MissingKey`, `BadSetting` and `UsageError`."""
        shell = choice.parameters.get(SHELL_PARAMETER, False)
        if not isinstance(shell, bool):
            raise BadSetting(name=f"parameters.{SHELL_PARAMETER}", why=f"is {shell!r}, but must be true or false")
        parameters = {k: v for k, v in choice.parameters.items() if k != SHELL_PARAMETER}
        chat = self.chat(replace(choice, parameters=parameters))
        if not shell:
            return chat
        account = replace(self.account(choice), reports_cost=self.reports_cost)
        own = {k: v for k, v in parameters.items() if k not in (TOOLS_PARAMETER, PICTURES_PARAMETER, "extra_body")}
        checked_responses(own)
        return Responses(account, model=chat.model, chat=chat, parameters=own, api="chat", tool=OPENROUTER_SHELL)


@dataclass(frozen=True, slots=True, kw_only=True)
class MistralVendor(Vendor):
    """Mistral's own row: it runs code itself, where no data file is asked about."""

    def __call__(self, choice: ModelChoice) -> Provider:
        """Raises `MissingKey` and `BadSetting`."""
        chat, address = self.chat(choice), self.address_for(choice.base_url)
        own = {k: v for k, v in choice.parameters.items() if k not in (TOOLS_PARAMETER, PICTURES_PARAMETER, "extra_body")}
        key = self._key(choice, address)
        return Mistral(model=chat.model, address=address, key=key, variables=self.key_variables, chat=chat, parameters=own)


def ollama_host(value: str) -> str:
    """What `OLLAMA_HOST` means to a client: a host, perhaps with a port, perhaps a URL, perhaps a server's "all addresses"."""
    parts = urlsplit(value if "://" in value else f"//{value}")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 11434)
    host = {None: "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(parts.hostname, parts.hostname)  # noqa: S104 - replaced
    host = f"[{host}]" if host and ":" in host and not host.startswith("[") else host
    return f"{parts.scheme or 'http'}://{host}:{port}{parts.path.rstrip('/').removesuffix('/v1')}/v1"


openai = OpenAI(
    name="openai",
    title="OpenAI",
    address="https://api.openai.com/v1",
    address_variable="OPENAI_BASE_URL",
    key_variables=("OPENAI_API_KEY",),
    default_model="gpt-5.5",
    bound="max_completion_tokens",  # its reasoning models refuse max_tokens
    sees_pictures=True,
    prices="openai",
    keeps_environment=True,
    native="code interpreter, with files",
    limits="512 MB a file, container kept for the session, 20 idle minutes",
    containers=OPENAI,
)
mistral = MistralVendor(
    name="mistral",
    title="Mistral",
    address="https://api.mistral.ai/v1",
    key_variables=("MISTRAL_API_KEY",),
    default_model="mistral-small-latest",
    asks_usage=False,  # it counts in the last chunk unasked, and refuses fields it does not know
    prices="mistral",
    native="code interpreter, without files",
    limits="used for questions without data files",
)
deepseek = Vendor(
    name="deepseek",
    title="DeepSeek",
    address="https://api.deepseek.com",
    key_variables=("DEEPSEEK_API_KEY",),
    default_model="deepseek-v4-flash",
    sends_back=("reasoning_content",),  # a reply with calls that comes back without it is refused with 400
    prices="deepseek",
)
openrouter = OpenRouter(
    name="openrouter",
    title="OpenRouter",
    address="https://openrouter.ai/api/v1",
    key_variables=("OPENROUTER_API_KEY",),
    sends_back=("reasoning_details",),  # it hands them to the vendor, some of whom demand their signatures
    prices="openrouter",
    reports_cost=True,  # it knows what the vendor it chose took; a price list does not
)
groq = Vendor(
    name="groq",
    title="Groq",
    address="https://api.groq.com/openai/v1",
    key_variables=("GROQ_API_KEY",),
    default_model="openai/gpt-oss-120b",
    prices="groq",
)
huggingface = Vendor(
    name="huggingface",
    title="Hugging Face",
    address="https://router.huggingface.co/v1",
    key_variables=("HF_TOKEN",),
    prices="huggingface",
)
azure = OpenAI(
    name="azure",
    title="Azure OpenAI",
    address=None,  # https://RESOURCE.openai.azure.com/openai/v1
    address_variable="AZURE_OPENAI_ENDPOINT",
    key_variables=("AZURE_OPENAI_API_KEY",),
    bound="max_completion_tokens",
    sees_pictures=True,
    prices="azure",
    native="code interpreter, with files",
    limits="as OpenAI, containers are regional",
)
together = Vendor(
    name="together",
    title="Together",
    address="https://api.together.ai/v1",
    key_variables=("TOGETHER_API_KEY",),
    prices="together",
)
ollama = Vendor(
    name="ollama",
    title="Ollama",
    address="http://localhost:11434/v1",
    address_variable="OLLAMA_HOST",
    optional_keys=("OLLAMA_API_KEY",),  # for its cloud; never sent to this machine
    local=True,
    cuts_silently=True,
    no_model="Start it with 'ollama serve', pull a model with 'ollama pull qwen2.5-coder', and try again",
)
llamacpp = Vendor(
    name="llamacpp",
    title="llama.cpp",
    address="http://localhost:8080/v1",
    optional_keys=("LLAMA_API_KEY",),
    local=True,
    no_model="Start it with 'llama-server --model MODEL.gguf', or use '-m local'",
)
vllm = Vendor(
    name="vllm",
    title="vLLM",
    address="http://localhost:8000/v1",
    optional_keys=("VLLM_API_KEY",),
    local=True,
    no_model="Start it with 'vllm serve MODEL'",
)
compatible = Vendor(
    name="compatible",
    title="The server",
    address=None,
    optional_keys=("SANDLOOP_COMPATIBLE_KEY",),
    no_model="Name a model as 'compatible:MODEL'",
)
