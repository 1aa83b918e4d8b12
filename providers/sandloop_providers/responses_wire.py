"""The conversation as the Responses API wants it. Pure: what needs reading or uploading comes in as an argument.

Two families, because their replies can't be exchanged: a reply of the native route holds calls of a tool, in a container, that the
local route does not declare. The other family's reply goes back as its narrated text. Nothing is stored at the server, so every
item goes back, in order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from sandloop.conversation import Asked, Message, Ran, Said
from sandloop.prompts import TOOLS
from sandloop_providers.responses_items import SHELL_CALLS, SHELL_OUTPUTS

NATIVE: Final = "openai-responses-native"
LOCAL: Final = "openai-responses-local"
INTERPRETER, SHELL, OPENROUTER_SHELL = "code_interpreter", "shell", "openrouter:shell"
OUTPUTS, ENCRYPTED = "code_interpreter_call.outputs", "reasoning.encrypted_content"
NATIVE_RULES = """\
You answer questions about the user's files by running code with your {tool} tool.
- Never guess what a file holds, and never make up a number: read it, compute it, print it.
- Wrap risky code in try/except and print the traceback: an exception that nobody prints is lost.
- Write every file meant for the user (charts, tables, workbooks) into /mnt/data, and name it in the answer.
- There is no network, and nothing can be installed.
- End with the answer in plain words and numbers.{files}"""
FILES = "\n- The user's files in the container:\n{lines}"
STATE_GONE = (
    "(The container that ran your code so far is gone, with its variables and the files it made. "
    "The input files are there again; run again what you need.)"
)
NOT_RUN = "This call was cut off and not run."
_HELD_BY_CONTAINER = ("code_interpreter_call", *SHELL_CALLS, *SHELL_OUTPUTS)

Item: TypeAlias = dict[str, Any]


def native_instructions(tool: str, paths: Mapping[str, str]) -> str:
    """The rules of the native route, with where each input lies."""
    lines = "\n".join(f"  {json.dumps(name, ensure_ascii=False)} is at {json.dumps(path)}" for name, path in paths.items())
    if tool == OPENROUTER_SHELL:  # where its files lie is not documented
        names = ", ".join(json.dumps(name, ensure_ascii=False) for name in paths)
        where = f"\n- The user's files are in the container; find them first: {names}" if paths else ""
        return NATIVE_RULES.format(tool="shell", files=where).replace("into /mnt/data", "into your home folder")
    called = "python" if tool == INTERPRETER else "shell"
    return NATIVE_RULES.format(tool=called, files=FILES.format(lines=lines) if paths else "")


def native_tool(tool: str, container: str) -> Item:
    """The declaration of the tool, in a container of ours."""
    if tool == SHELL:
        return {"type": SHELL, "environment": {"type": "container_reference", "container_id": container}}
    return {"type": INTERPRETER, "container": container}


def native_input(messages: Sequence[Message], *, live: str, encrypted: bool) -> list[Item]:
    """The input of a native request.

    Args:
        live: The container there is now. Calls that ran in another one can't go back: the server refuses them.
        encrypted: Whether reasoning items carry their content. Without it they can't go back.
    """
    items: list[Item] = []
    for position, message in enumerate(messages):
        match message:
            case Asked(text=asked):
                items.append(_user(asked))
            case Said():
                lost = _ran_elsewhere(message, live)
                items += _said(message, NATIVE, encrypted=encrypted) if not lost else _narrated(message)
                if lost and position + 1 < len(messages):
                    items.append(_user(STATE_GONE))
            case Ran(results=results):
                items.append(_user("\n\n".join(r.text for r in results)))
    return items


def local_input(messages: Sequence[Message], *, pictures: Mapping[str, str], encrypted: bool) -> list[Item]:
    """The input of a local request: results of calls go back as `function_call_output`, those of fenced blocks as text."""
    items: list[Item] = []
    open_calls: list[str] = []
    for message in messages:
        match message:
            case Asked(text=asked):
                items += [_output(call, NOT_RUN) for call in open_calls]
                items.append(_user(asked))
                open_calls = []
            case Said():
                said = _said(message, LOCAL, encrypted=encrypted)
                items += said
                open_calls += [str(i["call_id"]) for i in said if i.get("type") == "function_call" and i.get("call_id")]
            case Ran():
                items += _ran(message, open_calls, pictures)
                open_calls = []
    return [*items, *(_output(call, NOT_RUN) for call in open_calls)]


def client_tools() -> list[Item]:
    """The tools of the local route in the envelope of this API."""
    return [{"type": "function", "strict": False, **tool} for tool in TOOLS]


def _ran(message: Ran, open_calls: Sequence[str], pictures: Mapping[str, str]) -> list[Item]:
    left = list(open_calls)
    answers: list[Item] = []
    texts: list[str] = []
    for result in message.results:
        if result.call_id in left:
            left.remove(result.call_id)
            answers.append(_output(result.call_id, result.text))
        else:
            texts.append(result.text)
    answers += [_output(call, NOT_RUN) for call in left]
    shown = [p for r in message.results for p in r.pictures if p.sha256 in pictures]
    if shown:
        texts.append("Pictures made: " + ", ".join(p.name for p in shown))
    if not texts:
        return answers
    content: list[Item] = [{"type": "input_text", "text": "\n\n".join(texts)}]
    content += [{"type": "input_image", "image_url": pictures[p.sha256], "detail": "auto"} for p in shown]
    return [*answers, {"role": "user", "content": content}]


def _said(message: Said, family: str, *, encrypted: bool) -> list[Item]:
    """A reply word for word when this family made it."""
    if message.family != family or not message.wire:
        return _narrated(message)
    items: list[Item] = json.loads(message.wire)
    if "\\ud" in message.wire:  # half a surrogate pair, which models do send and UTF-8 can't hold
        items = json.loads(json.dumps(items, ensure_ascii=False).encode(errors="replace"))
    kept = [i for i in items if i.get("type") != "reasoning" or (encrypted and i.get("encrypted_content"))]
    # Outputs were asked for by `include`; the same item goes back without a picture's megabytes.
    return [{**i, "outputs": _without_pictures(i["outputs"])} if isinstance(i.get("outputs"), list) else i for i in kept]


def _without_pictures(outputs: list[Item]) -> list[Item]:
    return [o for o in outputs if o.get("type") != "image"]


def _narrated(message: Said) -> list[Item]:
    narrated = message.narrated.strip()
    return [{"role": "assistant", "content": narrated}] if narrated else []


def _ran_elsewhere(message: Said, live: str) -> bool:
    if message.family != NATIVE or not message.wire:
        return False
    items: list[Item] = json.loads(message.wire)
    return any(i.get("type") in _HELD_BY_CONTAINER and i.get("container_id", live) != live for i in items)


def _user(text: str) -> Item:
    return {"role": "user", "content": text if text.strip() else "(nothing)"}


def _output(call_id: str, text: str) -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": text or "(nothing)"}
