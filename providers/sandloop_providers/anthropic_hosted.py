"""Claude on Amazon Bedrock and on Google Vertex AI. Neither offers code execution, so the code runs locally.

The SDK's own clients sign the requests. Their libraries for that are extras, looked for before a client is made.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import urlsplit

from sandloop.errors import BadSetting, MissingExtra, UsageError
from sandloop.ports import Capabilities, ModelChoice, ProviderAbout
from sandloop.settings.hidden import quoted, shown_address
from sandloop_providers.anthropic import Claude
from sandloop_providers.anthropic_client import Decoder, checked, http_client

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

REGION_PARAMETER, PROJECT_PARAMETER = "region", "project"
REGIONS = {"bedrock": ("AWS_REGION", "AWS_DEFAULT_REGION"), "vertex": ("CLOUD_ML_REGION", "GOOGLE_CLOUD_LOCATION")}
PROJECTS = ("ANTHROPIC_VERTEX_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")
ADDRESSES = {"bedrock": "ANTHROPIC_BEDROCK_BASE_URL", "vertex": "ANTHROPIC_VERTEX_BASE_URL"}


class HostedClaude(Claude):
    """A Claude model at a cloud that runs no code: the local route alone."""

    def __init__(self, host: Host, choice: ModelChoice, *, address: str, arguments: Mapping[str, Any]) -> None:
        ours = (REGION_PARAMETER, PROJECT_PARAMETER)
        parameters = {k: v for k, v in checked(choice.parameters).items() if k not in ours}
        key = choice.key or next((v for n in host.secrets if (v := os.environ.get(n))), "")
        super().__init__(model=choice.model or "", address=address, credential={"key": key}, parameters=parameters)
        self.name, self.title, self.variables, self.prices = host.name, host.title, host.key_variables, host.prices
        self._host, self._arguments = host, arguments

    async def capabilities(self) -> Capabilities:
        """Known without a question: no code runs there."""
        return Capabilities(runs_code=False, runs_code_why=f"{self.title} has no code execution", sees_pictures=True)

    async def listed(self) -> list[str]:
        """Not offered: these hosts list models in another API with other rights. Raises `UsageError`."""
        raise UsageError(f"{self.title} is not asked for its models. Its console lists those that the account may use.")

    def _opened(self) -> Any:
        if self._client is None:
            from anthropic.lib.bedrock import AsyncAnthropicBedrock
            from anthropic.lib.vertex import AsyncAnthropicVertex

            made: Any = AsyncAnthropicBedrock if self._host.name == "bedrock" else AsyncAnthropicVertex
            self._client = cast("AsyncAnthropic", made(base_url=self._address, http_client=http_client(), **self._arguments))
        return self._client

    def _decoder(self) -> Decoder | None:
        if self._host.name != "bedrock":
            return None
        from anthropic.lib.bedrock._stream_decoder import AWSEventStreamDecoder  # the SDK's: Amazon frames streams its own way

        return AWSEventStreamDecoder().aiter_bytes

    def _cached(self, body: dict[str, Any]) -> None:
        """Up to the last block: these hosts take no mark for the request as a whole."""
        body["messages"][-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What an entry point names: opens a Claude model at one cloud, without a request."""

    name: Literal["bedrock", "vertex"]
    title: str
    key_variables: tuple[str, ...]
    secrets: tuple[str, ...]
    """Variables whose values must not show in an error."""
    prices: str
    storable_keys: tuple[str, ...] = ()
    default_model: str | None = None

    @property
    def about(self) -> ProviderAbout:
        """For `sandloop models`."""
        return ProviderAbout(title=self.title)

    def __call__(self, choice: ModelChoice) -> HostedClaude:
        """Raises `MissingExtra`, `BadSetting` and `UsageError`."""
        if not choice.model:
            raise UsageError(f"{self.title} needs the name of a model. Name one as '{self.name}:MODEL'.")
        region = _setting(choice, REGION_PARAMETER, REGIONS[self.name])
        if not region:
            why = f"is not set. Set {' or '.join(REGIONS[self.name])} in the environment, or the parameter"
            raise BadSetting(name=f"parameters.{REGION_PARAMETER}", why=why)
        arguments = self._bedrock(choice, region) if self.name == "bedrock" else self._vertex(choice, region)
        return HostedClaude(self, choice, address=self._address(choice, region), arguments=arguments)

    async def listed(self, choice: ModelChoice) -> list[str]:
        """Raises `UsageError`."""
        return await self(choice).listed()

    def _bedrock(self, choice: ModelChoice, region: str) -> dict[str, Any]:
        if not (_installed("boto3") and _installed("botocore")):
            raise MissingExtra(what="boto3, which signs requests to Bedrock,", extra="bedrock")
        return {"aws_region": region} | ({"api_key": choice.key} if choice.key else {})

    def _vertex(self, choice: ModelChoice, region: str) -> dict[str, Any]:
        project = _setting(choice, PROJECT_PARAMETER, PROJECTS)
        if not project:
            why = f"is not set. Set {' or '.join(PROJECTS)} in the environment, or the parameter"
            raise BadSetting(name=f"parameters.{PROJECT_PARAMETER}", why=why)
        if not choice.key and not (_installed("google") and _installed("google.auth")):
            raise MissingExtra(what="google-auth, which signs in to Vertex AI,", extra="vertex")
        return {"region": region, "project_id": project} | ({"access_token": choice.key} if choice.key else {})

    def _address(self, choice: ModelChoice, region: str) -> str:
        usual = f"https://bedrock-runtime.{region}.amazonaws.com" if self.name == "bedrock" else _vertex_address(region)
        address = choice.base_url or os.environ.get(ADDRESSES[self.name]) or usual
        if urlsplit(address).scheme not in ("http", "https"):
            raise BadSetting(name="base_url", why=f"is {quoted(shown_address(address))}, but must begin with http:// or https://")
        return address.rstrip("/")


def _vertex_address(region: str) -> str:
    host = {"global": "aiplatform", "us": "aiplatform.us.rep", "eu": "aiplatform.eu.rep"}.get(region, f"{region}-aiplatform")
    return f"https://{host}.googleapis.com/v1"


def _setting(choice: ModelChoice, parameter: str, variables: tuple[str, ...]) -> str:
    given = choice.parameters.get(parameter)
    if given is not None and not isinstance(given, str):
        raise BadSetting(name=f"parameters.{parameter}", why=f"is {given!r}, but must be text")
    return given or next((v for n in variables if (v := os.environ.get(n))), "")


def _installed(package: str) -> bool:
    return find_spec(package) is not None


bedrock = Host(
    name="bedrock",
    title="Claude on Amazon Bedrock",
    key_variables=("AWS_BEARER_TOKEN_BEDROCK", "AWS_ACCESS_KEY_ID", "AWS_PROFILE"),
    secrets=("AWS_BEARER_TOKEN_BEDROCK", "AWS_SECRET_ACCESS_KEY"),
    prices="aws",
    storable_keys=("AWS_BEARER_TOKEN_BEDROCK",),
)
vertex = Host(
    name="vertex",
    title="Claude on Google Vertex AI",
    key_variables=("GOOGLE_APPLICATION_CREDENTIALS",),
    secrets=(),
    prices="google",
)
