"""A result is a view of its events, goes to JSON and back, and saves files without doing harm."""

from __future__ import annotations

import gc
import hashlib
from pathlib import Path

import pytest

from sandloop import Result
from sandloop.errors import UsageError
from sandloop.events import Answered, CodeRan, CodeWritten, Event, FileMade, ReplyEnded, RouteChosen, RunStarted, Usage
from sandloop.store import FileStore

PNG = b"\x89PNG\r\n\x1a\n"


def made(name: str, content: bytes, code_id: str = "c1") -> FileMade:
    return FileMade(name=name, size=len(content), mime="image/png", sha256=hashlib.sha256(content).hexdigest(), code_id=code_id)


def result(*files: tuple[str, bytes], extra: tuple[Event, ...] = ()) -> Result:
    store = FileStore(file_bytes=1000)
    for _, content in files:
        store.add_bytes(content, hashlib.sha256(content).hexdigest())
    return Result(
        events=(
            RunStarted(id="r1", question="?", model="m"),
            RouteChosen(route="local", provider="p", model="m", reason="because"),
            Usage(model="m", input_tokens=10, output_tokens=2, cost=0.5),
            ReplyEnded(stop="end", text="code"),
            CodeWritten(code_id="c1", language="python", source="1", origin="fenced"),
            CodeRan(code_id="c1", exit_code=0, stdout="1\n"),
            *(made(name, content) for name, content in files),
            *extra,
            Answered(text="One."),
        ),
        store=store,
    )


def shown_in_a_notebook(file: object) -> dict[str, object]:
    """As IPython asks an object for what it shows."""
    bundle: dict[str, object] = getattr(file, "_repr_mimebundle_")()  # noqa: B009
    return bundle


def test_the_parts_are_read_from_the_events() -> None:
    whole = result(("a.png", PNG))
    assert (whole.id, whole.text, whole.cost, whole.answered) == ("r1", "One.", 0.5, True)
    assert whole.route is not None
    assert (whole.route.route, whole.route.reason) == ("local", "because")
    (step,) = whole.steps
    assert step.ran is not None
    assert (step.code.source, step.ran.stdout, [f.name for f in step.files]) == ("1", "1\n", ["a.png"])
    assert whole.files["a.png"].bytes() == PNG


def test_a_changed_file_counts_once_in_its_last_version() -> None:
    whole = result(("a.png", b"old"), ("b.png", b"b"), ("a.png", b"new"))
    assert [(f.name, f.bytes()) for f in whole.files] == [("a.png", b"new"), ("b.png", b"b")]


def test_cost_is_unknown_when_any_part_is() -> None:
    assert result(extra=(Usage(model="m", cost=None),)).cost is None
    assert result(extra=(Usage(model="m", cost=0.25),)).cost == 0.75


def test_container_time_is_an_estimate_apart_from_the_cost() -> None:
    whole = result(extra=(Usage(model="m", cost=0.25, container_seconds=30, container_cost=0.0075),))
    assert (whole.cost, whole.estimated_container_cost, whole.usage.container_seconds) == (0.75, 0.0075, 30)
    assert result().estimated_container_cost is None
    assert Result.from_json(whole.to_json()).estimated_container_cost == 0.0075


def test_a_result_written_before_container_time_was_known_is_still_read() -> None:
    old = result().to_json().replace(', "container_seconds": null, "container_cost": null', "")
    assert 'container_cost": null, "kind' not in old
    assert Result.from_json(old) == result()


def test_json_there_and_back_keeps_events_and_files() -> None:
    whole = result(("a.png", PNG), ("sub/b.png", b"b"))
    again = Result.from_json(whole.to_json(files=True))
    assert again == whole
    assert again.files["sub/b.png"].bytes() == b"b"


def test_without_files_the_bytes_say_how_to_keep_them() -> None:
    again = Result.from_json(result(("a.png", PNG)).to_json())
    with pytest.raises(UsageError, match=r"to_json\(files=True\)"):
        again.files[0].bytes()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"events": [{"kind": "no"}]}', '{"events": [], "content": {"00": "eA=="}}', "[" * 100_000]
)
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Result.from_json(text)


def test_saving_numbers_what_exists_and_keeps_folders(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"mine")
    saved = result(("a.png", PNG), ("sub/b.png", b"b")).files.save(tmp_path)
    assert [str(p.relative_to(tmp_path)) for p in saved] == ["a-2.png", "sub/b.png"]
    assert (tmp_path / "a.png").read_bytes() == b"mine"
    assert saved[0].stat().st_mode & 0o777 == 0o600


def test_saving_follows_no_link_and_no_hostile_name(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = tmp_path / "out"
    target.mkdir()
    (target / "sub").symlink_to(outside)
    (target / "a.png").symlink_to(outside / "victim")
    with pytest.raises(UsageError, match="is a link"):
        result(("sub/b.png", b"b")).files.save(target)
    (saved,) = result(("a.png", PNG)).files.save(target)
    (climbed,) = result(("../../up.png", PNG)).files.save(target)
    assert saved.name == "a-2.png"
    assert climbed.resolve().is_relative_to(target)
    assert list(outside.iterdir()) == []


def test_a_picture_shows_in_a_notebook_and_html_does_not() -> None:
    picture = result(("a.png", PNG)).files[0]
    assert "image/png" in shown_in_a_notebook(picture)
    page = FileMade(name="x.html", size=1, mime="text/html", sha256=made("x", b"x").sha256)
    shown = shown_in_a_notebook(result(("a.png", b"x"), extra=(page,)).files["x.html"])
    assert list(shown) == ["text/plain"]


def test_the_bytes_go_with_the_last_that_holds_them() -> None:
    whole = result(("a.png", PNG))
    file = whole.files[0]
    del whole
    gc.collect()
    assert file.bytes() == PNG
    folder = file.path.parent
    del file
    gc.collect()
    assert not folder.exists()
