"""The schema and the code say the same: what one takes the other takes, and what one refuses the other refuses."""

from __future__ import annotations

import json
import os
import resource
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import pytest

from sandloop.errors import BadSetting, UsageError
from sandloop.settings import resolve
from sandloop.settings.fields import PRICE, PROFILE
from sandloop.settings.files import write_new
from sandloop.settings.places import SETTABLE, Place
from sandloop.settings.schema import schema
from sandloop.settings.starter import starter
from sandloop.settings.tables import Problem, read_table
from settings_samples import PROBES, sample

jsonschema: Any = import_module("jsonschema")
"""It says nothing of its types."""
FULL_PROFILE: dict[str, Any] = {"provider": "p"}
FULL_PRICE: dict[str, Any] = {"input": 1, "output": 2}


@cache
def validator() -> Any:
    made = schema()
    jsonschema.Draft202012Validator.check_schema(made)
    return jsonschema.Draft202012Validator(made)


def by_schema(table: dict[str, Any]) -> bool:
    valid: bool = validator().is_valid(table)
    return valid


def by_code(table: dict[str, Any]) -> bool:
    return not any(isinstance(one, Problem) for one in read_table(table, "here"))


def with_value(place: Place, value: Any) -> dict[str, Any]:
    table: Any = value
    for name in reversed(place):
        table = {name: table}
    return table  # type: ignore[no-any-return]


@pytest.mark.parametrize("place", SETTABLE, ids=".".join)
def test_both_take_and_refuse_the_same_values_of_a_setting(place: Place) -> None:
    tables = [with_value(place, value) for value in (*PROBES, *(sample(place, number) for number in range(4)))]
    said = [by_code(table) for table in tables]
    assert [by_schema(table) for table in tables] == said
    assert True in said
    assert False in said


@pytest.mark.parametrize("name", PROFILE)
def test_both_take_and_refuse_the_same_values_in_a_profile(name: str) -> None:
    tables = [{"models": {"x": FULL_PROFILE | {name: value}}} for value in PROBES]
    assert [by_schema(table) for table in tables] == [by_code(table) for table in tables]


@pytest.mark.parametrize("name", PRICE)
def test_both_take_and_refuse_the_same_values_in_a_price(name: str) -> None:
    tables = [{"prices": {"x": FULL_PRICE | {name: value}}} for value in PROBES]
    assert [by_schema(table) for table in tables] == [by_code(table) for table in tables]


@pytest.mark.parametrize("name", ["model", "limits", "sandbox", "models", "prices", "nothing", "api_key"])
def test_both_take_and_refuse_the_same_tables(name: str) -> None:
    rows = [{"x": probe} for probe in PROBES]
    tables: list[dict[str, Any]] = [{name: value} for value in (*PROBES, *rows, {"x": FULL_PROFILE}, {"x": FULL_PRICE})]
    assert [by_schema(table) for table in tables] == [by_code(table) for table in tables]


@pytest.mark.parametrize(
    "table", [{"models": {"x": {}}}, {"prices": {"x": {"input": 1}}}, {"sandbox": {"network": "host"}}, {"m": 1}]
)
def test_both_refuse_what_is_missing_or_unknown(table: dict[str, Any]) -> None:
    assert (by_schema(table), by_code(table)) == (False, False)


def test_the_one_thing_the_schema_can_not_see_is_a_key_in_the_place_of_its_variable() -> None:
    table = {"models": {"x": FULL_PROFILE | {"key_variable": "hf_abcdefgh"}}}
    assert (by_schema(table), by_code(table)) == (True, False)


def test_every_property_says_what_it_is() -> None:
    def undescribed(part: object, path: str = "") -> list[str]:
        items = cast("list[object]", part) if isinstance(part, list) else []
        rows = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
        wrong = [f"{path}.{name}" for name, row in rows.get("properties", {}).items() if not row.get("description")]
        nested = [*((path, row) for row in items), *((f"{path}.{name}", row) for name, row in rows.items())]
        return wrong + [found for where, row in nested for found in undescribed(row, where)]

    assert undescribed(schema()) == []
    assert json.loads(json.dumps(schema())) == schema()


def uncommented(text: str) -> str:
    return "\n".join(line.removeprefix("# ") for line in text.splitlines() if not line.startswith("##"))


@pytest.mark.parametrize("user", [True, False])
def test_the_first_file_is_right_as_it_is_and_with_every_line_taken_in(user: bool, tmp_path: Path) -> None:
    text = starter(user=user)
    assert resolve(environ=written(tmp_path, "", text, user), cwd=tmp_path) == resolve(environ={"SANDLOOP_CONFIG": "/dev/null"})
    full = uncommented(text)
    assert by_schema(tomllib.loads(full))
    settings = resolve(environ=written(tmp_path, "", full, user), cwd=tmp_path)
    assert settings.models is not None
    assert settings.models["fast"].provider == "compatible"
    assert all(len(line) <= 100 for line in text.splitlines())


@pytest.mark.parametrize("user", [True, False])
def test_each_line_of_the_first_file_can_be_taken_in_alone(user: bool, tmp_path: Path) -> None:
    lines = starter(user=user).splitlines()
    settings = [number for number, line in enumerate(lines) if line.startswith("# ") and number < lines.index("# [models.fast]")]
    assert len(settings) >= 20
    for number in settings:
        text = "\n".join([*lines[:number], lines[number].removeprefix("# "), *lines[number + 1 :]])
        resolve(environ=written(tmp_path, "", text, user), cwd=tmp_path)


def test_every_setting_is_in_the_first_file_of_the_user_and_none_that_it_may_not_say_in_a_projects() -> None:
    mine, projects = uncommented(starter(user=True)), uncommented(starter(user=False))
    for place in SETTABLE:
        assert f"\n{place[-1]} = " in mine
    for name in ("engine", "runtime", "unsafe_network", "runs_kept", "key_variable"):
        assert f"\n{name} = " not in projects


def written(folder: Path, other: str, text: str, user: bool) -> dict[str, str]:
    (folder / "user.toml").write_text(text if user else other)
    (folder / "sandloop.toml").write_text(other if user else text)
    return {"SANDLOOP_CONFIG": str(folder / "user.toml")}


def test_the_code_never_raises_anything_else_for_odd_tables() -> None:
    for place in SETTABLE:
        for probe in PROBES:
            for one in read_table(with_value(place, probe), "here"):
                assert not isinstance(one, Problem) or isinstance(one.error, BadSetting)


def test_only_a_file_or_a_link_is_written_over(tmp_path: Path) -> None:
    pipe = tmp_path / "device"
    os.mkfifo(pipe)
    for force in (False, True):
        with pytest.raises(UsageError, match="is there already" if not force else "is no file"):
            write_new(pipe, "x", private=True, force=force)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_file_that_cannot_be_written_whole_leaves_nothing(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(UsageError, match="can't be written: File too large"):
            write_new(tmp_path / "sandloop.toml", "# " + "x" * 1_000, private=False, force=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
