"""What in a reply is another's words: a user's turn or a tool's result, made up by a model that was not stopped."""

from __future__ import annotations

import re

_ENDS = (
    r"<\|(?:end|im_end|eot_id|eom_id|endoftext|end_of_text|return)\|>|<end_of_turn>|</s>"
    r"|<｜end▁of▁sentence｜>|<\|END_OF_TURN_TOKEN\|>"
)
_OTHERS = (
    r"<\|(?:im_start|start|start_header_id|start_of_role)\|>(?:user|tool|system|ipython)|<\|(?:user|tool|system|observation)\|>"
    r"|<start_of_turn>user|<｜User｜>|\[INST\]|<\|START_OF_TURN_TOKEN\|><\|USER_TOKEN\|>"
)
_NEXT_TURN = re.compile(rf"(?:{_ENDS})\s{{0,8}}(?:{_OTHERS})")


def own_turn(text: str) -> str:
    """The text up to where somebody else's turn begins; all of it when none does, or when nothing stands before."""
    following = _NEXT_TURN.search(text)
    return text[: following.start()] if following and text[: following.start()].strip() else text


_RESULT = re.compile(
    r"(?<![`'\"])<(?P<name>(?:tool|function)_(?:response|result|output)s?|execution_(?:result|output)s?|interpreter|observation"
    r"|(?:code|console|system)_output)>",
    re.IGNORECASE,
)


def without_results(text: str) -> str:
    """The text without what stands in the tags of a tool's result."""
    kept: list[str] = []
    position = 0
    unclosed: set[str] = set()
    for opening in _RESULT.finditer(text):
        closing = f"</{opening['name']}>"
        if opening.start() < position or closing in unclosed:
            continue
        end = text.find(closing, opening.end())
        if end < 0:
            unclosed.add(closing)
            continue
        kept.append(text[position : opening.start()])
        position = end + len(closing)
    return "\n".join([*kept, text[position:]])
