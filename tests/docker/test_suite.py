"""`python` expectations: the code of a compare file meets an answer, its evidence and its files in a sandbox, and nothing else."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from docker_runs import SMALL, local_file
from recorded_runs import recording
from sandloop.events import Answered, CodeRan, CodeWritten, Event, FileMade, RunStarted
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.result import Result
from sandloop.store import FileStore
from sandloop.suite import arun_suite
from sandloop.suite.sandboxed import Told, evaluate
from sandloop_sandbox.engine import Engine

pytestmark = pytest.mark.usefixtures("engine")


def result(answer: str, **made: bytes) -> Result:
    store, files = FileStore(file_bytes=1_000_000), list[FileMade]()
    for name, content in made.items():
        digest = hashlib.sha256(content).hexdigest()
        store.add_bytes(content, digest)
        files.append(
            FileMade(name=name.replace("__", "/") + ".csv", size=len(content), mime="text/csv", sha256=digest, code_id="c1")
        )
    cell = CodeWritten(code_id="c1", language="python", source="print(4)", origin="fenced")
    ran = CodeRan(code_id="c1", exit_code=0, stdout="4\n")
    events: list[Event] = [RunStarted(id="1", question="?", model="m"), cell, ran, *files, Answered(text=answer)]
    return Result(events=tuple(events), store=store)


async def told(sources: Sequence[str], given: Result, *, inputs: Sequence[Path] = (), limits: Limits = SMALL) -> list[Told]:
    facts = {"numbers": [4.0], "variables": {"year": 2014}, "seconds": 1.5, "tokens": 3, "cost": None}
    return await evaluate(sources, given, facts, [local_file(p) for p in inputs], options=SandboxOptions(), limits=limits)


async def test_the_answer_its_evidence_and_the_files_are_there_by_name(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n2\n")
    sources = [
        "answer.startswith('It is 4') and 4.0 in numbers",
        "[s['stdout'] for s in steps] == ['4\\n'] and steps[0]['ok'] and steps[0]['source'] == 'print(4)'",
        "variables['year'] == 2014 and seconds == 1.5 and tokens == 3 and cost is None and question == '?'",
        "set(files) == {'t.csv', 'out/t.csv'} and open(files['out/t.csv']).read() == 'b\\n3\\n'",
        "import pandas as pd\npd.read_csv(inputs['in.csv'])['a'].sum() == 3 and pd.read_csv(files['t.csv'])['b'][0] == 2",
        "all(name in globals() for name in ('answer', 'files'))",
        "1 / 0",
        "[n for n in numbers if n > 4]",
        "'x' * 1_000_000",
        "answer.nothing",
    ]
    found = await told(sources, result("It is 4.", t=b"b\n2\n", out__t=b"b\n3\n"), inputs=[tmp_path / "in.csv"])

    assert [one.true for one in found] == [True] * 6 + [False, False, True, False]
    assert [one.problem for one in found[6:]] == [
        "ZeroDivisionError: division by zero",
        "",
        "",
        "AttributeError: 'str' object has no attribute 'nothing'",
    ]
    assert found[7].found == "[]"
    assert len(found[8].found) == 500


async def test_nothing_of_this_machine_can_be_read_and_nobody_be_reached(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("of the host")
    high = max(int(process.name) for process in Path("/proc").glob("[0-9]*"))  # no process of the sandbox has such a number
    found = await told(
        [
            f"open({str(secret)!r}).read()",
            f"open({str(Path.home() / '.ssh')!r}).read()",
            "open('/etc/shadow').read()",
            "import socket\nsocket.create_connection(('1.1.1.1', 53), timeout=2)",
            "import socket\nsocket.getaddrinfo('example.org', 80)",
            f"import os\nos.kill({high}, 0)",
            "import os\n[n for n in os.environ if 'KEY' in n or 'TOKEN' in n]",
            "open('/var/run/docker.sock')",
        ],
        result("It is 4."),
    )
    assert [one.true for one in found] == [False] * 8
    refused = {"FileNotFoundError", "PermissionError", "OSError", "gaierror", "ProcessLookupError"}
    assert all(one.problem.partition(":")[0] in refused for one in found[:6] + found[7:]), found
    assert found[6].found == "[]"


async def test_code_that_ends_or_holds_the_interpreter_is_no_truth_and_the_next_is_still_judged() -> None:
    began = time.monotonic()
    limits = replace(SMALL, step_seconds=1.0)
    found = await told(
        [
            "import os\nos._exit(0)",
            "4 in numbers",
            "while True: pass\nTrue",
            'print(\'{"true": true, "found": "", "problem": null}\')\nos._exit(0)\nTrue',
            "exit()",
            "answer = 'changed'\nanswer == 'changed'",
            "answer == 'It is 4.'",
        ],
        result("It is 4."),
        limits=limits,
    )
    assert [one.true for one in found] == [False, True, False, False, False, True, True]
    assert found[0].problem == "its code ended without a value"
    assert "time" in found[2].problem or "KeyboardInterrupt" in found[2].problem
    assert time.monotonic() - began < 60


async def test_a_suite_judges_a_recorded_run_with_code_and_does_not_open_a_sandbox_for_what_it_judged_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", os.devnull)
    model = recording(tmp_path / "recorded", "open('made.csv', 'w').write('b\\n2\\n')")
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "suite.yaml").write_text(
        """\
questions:
  - id: copy
    question: Copy it.
    files: [a.csv]
    expected:
      - python: |
          import csv
          rows = [list(csv.reader(open(f))) for f in (inputs["a.csv"], files["made.csv"])]
          len(rows[0]) == len(rows[1])
        name: as many rows
      - python: "answer == 'Done!'"
"""
    )
    first = await arun_suite(tmp_path / "suite.yaml", models=[model])
    (verdict,) = first.verdicts
    assert [(o.passed, o.found) for o in verdict.outcomes] == [(True, "True"), (False, "False")], verdict
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")  # refused unasked: it is another machine
    (again,) = (await arun_suite(tmp_path / "suite.yaml", models=[model])).verdicts
    assert (again.outcomes, again.asked, again.status) == (verdict.outcomes, False, "failed")


async def test_without_an_engine_the_answer_is_kept_and_judged_when_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", os.devnull)
    model = recording(tmp_path / "recorded", "print(1)")
    question = "questions:\n  - question: Go.\n    expected: [{contains: done}"
    (tmp_path / "suite.yaml").write_text(question + "]\n")
    (before,) = (await arun_suite(tmp_path / "suite.yaml", models=[model])).verdicts
    (tmp_path / "suite.yaml").write_text(question + ", {python: 'True'}]\n")
    with monkeypatch.context() as without:
        without.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")  # refused unasked: it is another machine
        (unjudged,) = (await arun_suite(tmp_path / "suite.yaml", models=[model])).verdicts
    (judged,) = (await arun_suite(tmp_path / "suite.yaml", models=[model])).verdicts

    assert (before.status, unjudged.status, unjudged.error) == ("passed", "error", "EngineUnavailable")
    assert unjudged.message.startswith("The answer could not be judged. ")
    assert (judged.status, judged.asked, judged.run) == ("passed", False, before.run)
