"""What `sandloop config` finds and shows: every problem with its line, every value with its layer, and nothing secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandloop.settings import origins, read_layers
from sandloop.settings.hidden import HIDDEN, is_secret, looks_like_key, quoted, shown_address, without_secrets
from sandloop.settings.lines import line_of
from sandloop.settings.places import Place, dotted
from sandloop.settings.problems import Known, layer_of, problems
from sandloop.settings.shown import KeyRow, Shown, as_json, report, rows_of, short_path

KNOWN = Known(providers=("openai", "claude", "ollama"), engines=("docker", "bubblewrap"))
WRONG = """\
modle = "x"
model = "opnai:gpt"

xyzzy = '''
route = "in a text"
'''
[limits]
turns = 0
"step_second" = 3
  pool = 2

[sandbox]   # the engine
engine = "dokcer"
network = "host"

[models.fast]
provider = "opnai"
base_ulr = "x"
route = "locl"
[models."two words"]
model = "x"
[prices."gpt-4.1"]
input = -1
cahced = 3
[[nothing]]
x = 1
"""
SAID = [
    (1, "modle", "model"),
    (2, "model", "openai"),
    (4, "xyzzy", None),
    (8, "limits.turns", None),
    (9, "limits.step_second", "step_seconds"),
    (10, "limits.pool", "sandbox.pool"),
    (13, "sandbox.engine", "docker"),
    (14, "sandbox.network", None),
    (17, "models.fast.provider", "openai"),
    (18, "models.fast.base_ulr", "base_url"),
    (19, "models.fast.route", "local"),
    (20, 'models."two words"', None),
    (22, 'prices."gpt-4.1"', None),
    (23, 'prices."gpt-4.1".input', None),
    (24, 'prices."gpt-4.1".cahced', "cached"),
    (25, "nothing", None),
]


def test_all_problems_of_a_file_are_told_with_their_lines_and_the_nearest_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(WRONG)
    found = problems([layer_of(path, tmp_path / "user.toml")], KNOWN)

    assert [(one.line, one.setting, one.nearest) for one in found] == SAID
    assert {one.source for one in found} == {str(path)}
    assert str(found[0]) == f"{path}:1: modle does not exist. Did you mean 'model'?"


def test_all_layers_are_read_and_the_nearest_comes_first(tmp_path: Path) -> None:
    (tmp_path / "user.toml").write_text("preview = 3\n[models.fast]\nprovider = 'claude'\nbase_ulr = 'x'\n")
    (tmp_path / "sandloop.toml").write_text("# one\nruns = '/x'\nmodel = 'fast'\n")
    environ = {
        "SANDLOOP_CONFIG": str(tmp_path / "user.toml"),
        "SANDLOOP_ROUT": "x",
        "SANDLOOP_TURNS": "0",
        "SANDLOOP_SANDBOX": "dockr",
    }
    found = problems(read_layers(environ=environ, cwd=tmp_path), KNOWN)

    assert [(Path(one.source).name, one.line, one.setting) for one in found] == [
        ("the environment", None, "SANDLOOP_ROUT"),
        ("the environment", None, "SANDLOOP_TURNS"),
        ("the environment", None, "SANDLOOP_SANDBOX"),
        ("sandloop.toml", 2, "runs"),
        ("user.toml", 1, "preview"),
        ("user.toml", 4, "models.fast.base_ulr"),
    ]


@pytest.mark.parametrize(("text", "line"), [("a = 1\nb = \n", 2), ("a = 1\na = 2\n", 2), ("\n\nx", 3)])
def test_what_is_no_toml_is_told_with_its_line(text: str, line: int, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    (found,) = problems([layer_of(tmp_path / "mine.toml", tmp_path / "user.toml")], KNOWN)
    assert (found.line, found.setting) == (line, "")


def test_a_file_is_held_to_what_its_place_may_say(tmp_path: Path) -> None:
    for name, wrong in (("sandloop.toml", 1), ("other.toml", 0)):
        (tmp_path / name).write_text("runs_kept = 1\n")
        assert len(problems([layer_of(tmp_path / name, tmp_path / "user.toml")], KNOWN)) == wrong
    assert problems([layer_of(tmp_path / "sandloop.toml", tmp_path / "sandloop.toml")], KNOWN) == []


@pytest.mark.parametrize("model", ["claude", "openai:gpt", "ollama/qwen3", "claude-x-9", "openai"])
def test_a_model_of_a_provider_that_is_there_is_right(model: str, tmp_path: Path) -> None:
    assert problems(read_layers(environ={"SANDLOOP_MODEL": model}, cwd=tmp_path), KNOWN) == []


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("a.b = 1", ("a", "b"), 1),
        ("[ a . 'b' ]\n c = 1", ("a", "b", "c"), 2),
        ("x = '''\n[a]\nb = 1\n'''\n[a]\nb = 2", ("a", "b"), 6),
        ('x = [\n 1,\n]\n[a]\n"b c" = 2', ("a", "b c"), 5),
        ("[a]\n[b]", ("a", "missing"), 1),
        ("a = { b = 1 }", ("a", "b"), 1),
        ("[a]\nb = 1", ("c",), None),
        ("", ("a",), None),
        ("a = 1 " + "#" * 3_000, ("a",), None),
    ],
)
def test_the_line_of_a_setting_is_found(text: str, place: Place, line: int | None) -> None:
    assert line_of(text, place) == line


def test_lines_in_a_hostile_file_are_given_up_soon() -> None:
    text = "x = '''\n" + "a = 1\n" * 30_000 + "'''\na = 2"
    assert line_of(text, ("a",)) is None


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://me:s3cret@mine.example:1/v1", f"https://{HIDDEN}@mine.example:1/v1"),
        ("https://s3cret@mine.example", f"https://{HIDDEN}@mine.example"),
        ("https://mine.example/v1?api_key=s3cret&x=1", f"https://mine.example/v1?api_key={HIDDEN}&x=1"),
        ("https://mine.example/v1?code=sk-s3cret", f"https://mine.example/v1?code={HIDDEN}"),
        ("https://mine.example/v1?sk-s3cret", f"https://mine.example/v1?{HIDDEN}"),
        ("https:/me:s3cret@mine.example/v1", f"https:{HIDDEN}@mine.example/v1"),
        ("https://mine.example/v1#sk-s3cret", "https://mine.example/v1"),
        ("https://[s3cret", HIDDEN),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
    ],
)
def test_an_address_is_shown_without_what_is_secret_in_it(address: str, shown: str) -> None:
    assert shown_address(address) == shown


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        *(
            (name, "x", True)
            for name in ("api_key", "apiKey", "X-Api-Key", "password", "access_token", "Authorization", "client_secret")
        ),
        *((name, "x", False) for name in ("temperature", "max_tokens", "tokens", "monkey", "author", "tool_choice", "top_k")),
        *(("x", value, True) for value in ("sk-abc", "Bearer abc", "hf_abc", "AIzaSyA", "eyJhbGci", "gsk_abc", "a1" * 12)),
        *(("x", value, False) for value in ("qwen3-32b", "claude-sonnet-5-5", "low", "a" * 40, "risk-averse", "task-1")),
        ("key", 3, False),
    ],
)
def test_what_looks_secret_is_taken_for_it(name: str, value: object, secret: bool) -> None:
    assert is_secret(name, value) is secret
    assert looks_like_key(value) is (secret and name == "x")


def test_secrets_are_hidden_at_any_depth_and_values_are_short() -> None:
    value = {"a": [{"headers": {"X-Api-Key": "s3cret", "X": "y"}}], "password": ["s3cret"], "at": "https://u:s3cret@x/", "n": 1}
    assert without_secrets(value) == {
        "a": [{"headers": {"X-Api-Key": HIDDEN, "X": "y"}}],
        "password": [HIDDEN],
        "at": f"https://{HIDDEN}@x/",
        "n": 1,
    }
    assert len(quoted(["x"] * 1_000)) < 100
    assert "s3cret" not in quoted(value)


def shown(tmp_path: Path) -> Shown:
    (tmp_path / "user.toml").write_text(
        "base_url = 'https://me:s3cret@mine.example/v1'\nmodel = '\\u001b[31mred'\n"
        "[models.x]\nprovider = 'p'\nkey_variable = 'MY_KEY'\nparameters = {extra_headers = {Authorization = 's3cret'}}\n"
        "[limits]\ntokens = 'none'\nmemory = 3000000000\n".replace("'\\u001b[31mred'", '"\\u001b[31mred"')
    )
    layers = read_layers(environ={"SANDLOOP_CONFIG": str(tmp_path / "user.toml"), "SANDLOOP_ROUTE": "local"}, cwd=tmp_path)
    return Shown(
        rows=list(rows_of(origins(layers))),
        keys=[KeyRow(name="MY_KEY", where="missing", used_by=["x"])],
        project=None,
        user=tmp_path / "user.toml",
        left_out=3,
    )


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_has_values_and_sources_and_nothing_secret(width: int, tmp_path: Path) -> None:
    text = report(shown(tmp_path), here=tmp_path, home=Path("/home/me"), width=width)
    whole = "".join(text.split())
    assert "s3cret" not in whole
    assert "\x1b" not in text
    for part in ("SANDLOOP_ROUTE", "user.toml", "MY_KEY", "missing", "3_000_000_000", "3 more have their defaults"):
        assert "".join(part.split()) in whole or width < 80, "a narrow table folds what it has"
    tables = text.partition("\n\nfiles:")[0]
    assert all(len(line) <= width for line in tables.splitlines())


def test_json_has_every_setting_and_nothing_secret(tmp_path: Path) -> None:
    text = as_json(shown(tmp_path))
    assert "s3cret" not in text
    rows = {row["setting"]: row for row in json.loads(text)["settings"]}
    assert rows["route"] == {"setting": "route", "value": "local", "layer": "environment", "source": "SANDLOOP_ROUTE"}
    assert (rows["limits.tokens"]["value"], rows["limits.tokens"]["layer"]) == (None, "user")
    assert (rows["limits.turns"]["layer"], rows["limits.turns"]["source"]) == ("default", "")
    assert rows["models.x.key_variable"]["value"] == "MY_KEY"


@pytest.mark.parametrize(
    ("path", "short"),
    [
        ("/home/me/work/sandloop.toml", "sandloop.toml"),
        ("/home/me/.config/x.toml", "~/.config/x.toml"),
        ("/etc/x.toml", "/etc/x.toml"),
        ("SANDLOOP_ROUTE", "SANDLOOP_ROUTE"),
        ("", ""),
    ],
)
def test_a_path_is_shown_from_here_or_from_home(path: str, short: str) -> None:
    assert short_path(path, Path("/home/me/work"), Path("/home/me")) == short


def test_a_place_is_written_as_in_a_file() -> None:
    assert dotted(("prices", "gpt-4.1", "input")) == 'prices."gpt-4.1".input'
    assert dotted(("limits", "turns")) == "limits.turns"
