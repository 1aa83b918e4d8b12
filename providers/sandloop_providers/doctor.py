"""What the doctor says of the models: keys (present or not, never their value), servers that answer, the embedded model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from sandloop.errors import BadSetting, KeyStoreFailed
from sandloop.keys import where_kept
from sandloop.ports import Finding
from sandloop_providers.anthropic import anthropic
from sandloop_providers.catalog import Vendor, deepseek, groq, llamacpp, mistral, ollama, openai, openrouter, together, vllm
from sandloop_providers.llama_server import find_program
from sandloop_providers.weights import KNOWN, cache_folder, kept

KEYED: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "claude": (anthropic.key_variables, anthropic.default_model),
    **{v.name: (v.key_variables, v.default_model) for v in (openai, mistral, deepseek, openrouter, groq, together)},
}
"""By the name to give with -m: the variables of the key, and the default model. The order is the order of preference."""
SERVERS: tuple[Vendor, ...] = (ollama, llamacpp, vllm)


@dataclass(frozen=True, slots=True)
class Local:
    """The embedded model's parts."""

    runtime: str | None
    weights: tuple[str, ...]
    """Names to give with -m whose weights are in the cache."""


def findings() -> list[Finding]:
    """A line for each provider, then one that says which models would work now."""
    served, local = asyncio.run(_served()), _local()
    lines = [_key_line(name, variables) for name, (variables, _) in KEYED.items()]
    lines += [_server_line(vendor, served[vendor.name]) for vendor in SERVERS]
    lines.append(_local_line(local))
    working = [name for name, _ in _working(served, local)]
    if working:
        says = f"{', '.join(working)}; and replay:PATH for a recorded run"
        return [*lines, Finding(what="models that would work now", state="ready", says=says)]
    do = "keep a key, for example with: sandloop keys set claude; or: pip install 'sandloop[local]'"
    says = "none but replay:PATH: no key is set, no local server answers, and the embedded model has no runtime"
    return [*lines, Finding(what="models that would work now", state="missing", says=says, do=do)]


def working_models() -> list[tuple[str, str]]:
    """Names to give with -m that would work now without a download, each with why, the best first."""
    return _working(asyncio.run(_served()), _local())


def _working(served: Mapping[str, list[str]], local: Local) -> list[tuple[str, str]]:
    models = [
        (name if default else f"{name}:MODEL", key)
        for name, (variables, default) in KEYED.items()
        if (key := _present_or_none(variables)) is not None
    ]
    models += [(f"{name}:{listed[0]}", f"{name} answers on this machine") for name, listed in served.items() if listed]
    if local.runtime is not None:
        models += [(name, f"{local.runtime} and the weights are here") for name in local.weights]
    return models


async def _served() -> dict[str, list[str]]:
    lists = await asyncio.gather(*(vendor.serving() for vendor in SERVERS))
    return {vendor.name: listed for vendor, listed in zip(SERVERS, lists, strict=True)}


def _local() -> Local:
    program = find_program()
    folder = cache_folder()
    names = {"standard": "local", "small": "local:small"}
    here = tuple(names.get(name, f"local:{name}") for name, weights in KNOWN.items() if kept(weights, folder) is not None)
    return Local(program.kind if program is not None else None, here)


def _present(variables: tuple[str, ...]) -> str | None:
    """Which key there is, and where. Raises `KeyStoreFailed` and `BadSetting`."""
    found = where_kept(variables)
    if found is None:
        return None
    variable, where = found
    return f"{variable} is set" if where == "environment" else f"{variable} is kept in the {where}"


def _present_or_none(variables: tuple[str, ...]) -> str | None:
    try:
        return _present(variables)
    except (KeyStoreFailed, BadSetting):  # told in the provider's own line
        return None


def _key_line(name: str, variables: tuple[str, ...]) -> Finding:
    try:
        present = _present(variables)
    except (KeyStoreFailed, BadSetting) as error:
        return Finding(what=name, state="warning", says=f"no key in the environment; {error}")
    if present is not None:
        return Finding(what=name, state="ready", says=f"{present} (not tried)")
    return Finding(what=name, state="optional", says="no key", do=f"sandloop keys set {name}, or: export {variables[0]}=…")


def _server_line(vendor: Vendor, listed: list[str]) -> Finding:
    if listed:
        more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
        return Finding(what=vendor.name, state="ready", says=f"answers at {vendor.address_for()}: {', '.join(listed[:3])}{more}")
    return Finding(what=vendor.name, state="optional", says=f"nothing answers at {vendor.address_for()}")


def _local_line(local: Local) -> Finding:
    weights = f"weights here for {', '.join(local.weights)}" if local.weights else "no weights here yet (fetched at first use)"
    if local.runtime is None:
        do = "pip install 'sandloop[local]'"
        return Finding(what="local", state="optional", says=f"no llama-server on PATH and no llama-cpp-python; {weights}", do=do)
    return Finding(what="local", state="ready", says=f"{local.runtime} is here; {weights}")
