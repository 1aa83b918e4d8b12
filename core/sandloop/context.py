"""A long conversation made to fit a model's context: what is old is shortened, with a note where, and never silently dropped.

Pure. Shortened are, step by step until it fits: outputs of earlier questions, then the replies of earlier questions (which go
back as text from then on, with their code), then outputs of the question at hand but for its last two. The head and the tail of
each stay.
The events keep everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sandloop.conversation import Asked, Message, Ran, Said
from sandloop.feedback import head_and_tail

CHARS_PER_TOKEN = 3
"""English has about 4, tables and code about 3."""
LEVELS = ((600, 4_000), (200, 1_200), (80, 300))
"""Characters left of an old output and of an old reply, tried in this order."""
KEPT_RUNS = 2


def fitted(messages: Sequence[Message], tokens: int) -> tuple[Message, ...]:
    """The messages in at most about `tokens` tokens, as far as shortening what is old can do it."""
    most = tokens * CHARS_PER_TOKEN
    if size(messages) <= most:
        return tuple(messages)
    now = max((i for i, m in enumerate(messages) if isinstance(m, Asked)), default=0)
    shorter = tuple(messages)
    for output, reply in LEVELS:
        for shorten, chars in ((_old_outputs, output), (_old_replies, reply)):
            if size(shorter := shorten(shorter, now, chars)) <= most:
                return shorter
    for output, _ in LEVELS:
        if size(shorter := _outputs_of_now(shorter, now, output)) <= most:
            return shorter
    return shorter


def size(messages: Sequence[Message]) -> int:
    """Characters that the messages take on the wire, about."""
    return sum(_size(message) for message in messages)


def _size(message: Message) -> int:
    match message:
        case Asked(text=text):
            return len(text)
        case Said(text=text, wire=wire):
            return len(wire or text)
        case Ran(results=results):
            return sum(len(result.text) for result in results)


def _old_outputs(messages: Sequence[Message], now: int, chars: int) -> tuple[Message, ...]:
    return tuple(_shortened(m, chars) if isinstance(m, Ran) and i < now else m for i, m in enumerate(messages))


def _old_replies(messages: Sequence[Message], now: int, chars: int) -> tuple[Message, ...]:
    """As text: a reply word for word can't be shortened. Results of its calls stand as text beside it then."""
    return tuple(
        replace(m, text=(short := head_and_tail(m.narrated or m.text, chars)), narrated=short, calls=(), wire=None)
        if isinstance(m, Said) and i < now and _size(m) > chars
        else m
        for i, m in enumerate(messages)
    )


def _outputs_of_now(messages: Sequence[Message], now: int, chars: int) -> tuple[Message, ...]:
    runs = [i for i, m in enumerate(messages) if isinstance(m, Ran) and i > now][:-KEPT_RUNS]
    return tuple(_shortened(m, chars) if i in runs and isinstance(m, Ran) else m for i, m in enumerate(messages))


def _shortened(message: Ran, chars: int) -> Ran:
    """Pictures of old results are left out too: families show the newest only."""
    return Ran(results=tuple(replace(result, text=head_and_tail(result.text, chars), pictures=()) for result in message.results))
