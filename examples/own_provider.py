"""A provider of one's own: `analyze(..., model="counting")` once an entry point names `counting`.

[project.entry-points."sandloop.providers"]
counting = "own_provider:counting"
"""

from collections.abc import AsyncGenerator, Sequence

from sandloop.conversation import Asked, Ran, conversation
from sandloop.events import Event, ReplyEnded, Text
from sandloop.ports import Capabilities, ModelChoice, ProviderAbout, Turn


class Counting:
    """A "model" that counts lines: it writes code for the newest question, then says what the code printed."""

    name = "counting"
    model = "lines"

    async def capabilities(self) -> Capabilities:
        """It runs no code itself, so the local sandbox does."""
        return Capabilities(runs_code=False, runs_code_why="a provider of one's own")

    async def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """One reply: text as it comes, then exactly one `ReplyEnded`."""
        match conversation(history)[-1]:
            case Ran(results=results):
                text = f"The files have this many lines:\n{results[0].text.removeprefix('Output:').strip()}"
            case Asked():
                names = [file.file.name for file in turn.files]
                text = f"```python\nfor name in {names!r}:\n    print(name, len(open(name).readlines()))\n```"
            case _:
                text = "Ask me something."
        yield Text(text=text)
        yield ReplyEnded(stop="end", text=text, model=self.model)

    async def close(self) -> None:
        """Nothing was uploaded."""


class Factory:
    """What the entry point names."""

    key_variables: tuple[str, ...] = ()
    default_model: str | None = "lines"
    about = ProviderAbout(title="Counting", limits="counts lines")

    def __call__(self, choice: ModelChoice) -> Counting:
        return Counting()


counting = Factory()
