"""Where a model's turn ends: a model that was not stopped goes on with a user's turn of its own making, which is no reply."""

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
