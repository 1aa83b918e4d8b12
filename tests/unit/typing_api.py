"""Only type-checked, never run: every public call as a user would write it."""

from __future__ import annotations

from pathlib import Path

from sandloop import AsyncSession, Event, LimitReached, Limits, Result, Session, Settings, aanalyze, analyze, astream, stream
from sandloop.events import CodeRan
from sandloop_sandbox import AsyncSandbox, Sandbox

result: Result = analyze("Which month was wettest?", files=["weather.csv", Path("more.csv"), ("x.csv", b"a\n1\n")], model="claude")
text: str = result.text
cost: float | None = result.cost
saved: list[Path] = result.files.save("out")
picture: bytes = result.files["chart.png"].bytes()
first: str = result.files[0].name
for step in result.steps:
    code: str = step.code.source
    if step.ran is not None and not step.ran.ok:
        print(step.ran.stderr)

for event in stream("?", limits=Limits(turns=3), route="local", settings=Settings(preview=False)):
    one: Event = event

with Session("local") as session:
    answer: Result = session.ask("?", ["a.csv"])
    again: Result = session.ask("And now?")

with Sandbox(packages=["geopandas"], limits=Limits(step_seconds=60)) as sandbox:
    names: tuple[str, ...] = sandbox.put("a.csv", ("b.csv", b"b\n1\n"))
    ran: CodeRan = sandbox.run("1 + 1", on_output=lambda stream, text: print(stream, text))
    made: list[str] = [found.name for found in sandbox.files()]
    content: bytes = sandbox.get(made[0])
    paths: tuple[Path, ...] = sandbox.save("out")

try:
    analyze("?")
except LimitReached as error:
    partial: Result | None = error.result


async def twin() -> None:
    found: Result = await aanalyze("?", files=[open("a.csv", "rb")])  # noqa: SIM115, PTH123
    async for event in astream("?"):
        print(event.kind)
    async with AsyncSession(model="claude", route="native") as asynchronous:
        found = await asynchronous.ask("?")
    async with AsyncSandbox() as box:
        last: CodeRan = await box.run("echo 1", "bash")
        print(last.ok)
    print(found.id)
