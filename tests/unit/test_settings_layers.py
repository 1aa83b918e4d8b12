"""Every setting in every layer: the nearest wins, and says where it comes from."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest

from sandloop.errors import BadSetting
from sandloop.prices import Price
from sandloop.settings import DEFAULTS, Origin, Profile, Settings, origins, read_layers, resolve
from sandloop.settings.layers import LayerName
from sandloop.settings.places import SETTABLE, Place, variable_of
from settings_samples import in_call, in_environment, in_file, sample, value_of

FAR_TO_NEAR: tuple[LayerName, ...] = ("user", "project", "environment", "call")
NOT_FROM_PROJECT = {
    ("runs",),
    ("runs_kept",),
    *(("sandbox", name) for name in ("engine", "runtime")),
    *(("sandbox", f"unsafe_{name}") for name in ("network", "privileged", "capabilities", "mounts")),
}
ids = pytest.mark.parametrize("place", SETTABLE, ids=".".join)


class Layers:
    """A home with a project in it, and what each layer says."""

    def __init__(self, home: Path) -> None:
        self.user, self.project, self.cwd = home / "user.toml", home / "project/sandloop.toml", home / "project/deep"
        self.cwd.mkdir(parents=True)
        self.user.touch()
        self.environ = {"SANDLOOP_CONFIG": str(self.user)}
        self.call = Settings()

    def say(self, layer: LayerName, place: Place, number: int) -> str:
        """Let a layer name the value of that number; returns what its source is called."""
        value = sample(place, number)
        match layer:
            case "user" | "project":
                path = self.user if layer == "user" else self.project
                path.write_text(in_file(place, value))
                return str(path)
            case "environment":
                self.environ[variable_of(place)] = in_environment(value)
                return variable_of(place)
            case "call":
                self.call = in_call(place, value)
                return "the call"
            case "default":
                raise AssertionError

    def resolved(self) -> Settings:
        return resolve(self.call, environ=self.environ, cwd=self.cwd)

    def origin(self, place: Place) -> Origin | None:
        layers = read_layers(self.call, environ=self.environ, cwd=self.cwd)
        return next((one for one in origins(layers) if one.place == place), None)


@pytest.fixture
def layers(tmp_path: Path) -> Layers:
    return Layers(tmp_path)


@ids
def test_the_nearest_layer_wins_for_every_setting_and_says_its_name(place: Place, layers: Layers) -> None:
    default = layers.origin(place)
    assert value_of(layers.resolved(), place) == value_of(DEFAULTS, place)
    assert default is None if place == ("base_url",) else default is not None and (default.layer, default.source) == ("default", "")
    for number, layer in enumerate(FAR_TO_NEAR, 1):
        if layer == "project" and place in NOT_FROM_PROJECT:
            continue
        source = layers.say(layer, place, number)
        assert value_of(layers.resolved(), place) == sample(place, number)
        origin = layers.origin(place)
        assert origin is not None
        assert (origin.layer, origin.source) == (layer, source)


@pytest.mark.parametrize("place", sorted(NOT_FROM_PROJECT), ids=".".join)
def test_what_only_the_user_may_say_is_refused_in_a_projects_file(place: Place, layers: Layers) -> None:
    layers.say("project", place, 1)
    with pytest.raises(BadSetting, match=r"in a project's file, which could .+ put it into .+user\.toml") as raised:
        layers.resolved()
    assert (raised.value.name, raised.value.where) == (".".join(place), str(layers.project))


def test_a_project_may_switch_the_record_off(layers: Layers) -> None:
    layers.project.write_text('runs = "off"\n')
    assert layers.resolved().runs == "off"


@ids
def test_settings_in_different_layers_stand_beside_each_other(place: Place, layers: Layers) -> None:
    other = SETTABLE[(SETTABLE.index(place) + 1) % len(SETTABLE)]
    layers.say("user", place, 1)
    layers.say("environment", other, 2)
    resolved = layers.resolved()
    assert (value_of(resolved, place), value_of(resolved, other)) == (sample(place, 1), sample(other, 2))


def test_profiles_and_prices_are_layered_one_by_one(layers: Layers) -> None:
    layers.user.write_text("[models.a]\nprovider='x'\n[models.b]\nprovider='x'\n[prices.a]\ninput=1\noutput=2\n")
    layers.project.write_text("[models.b]\nprovider='y'\n[prices.b]\ninput=3\noutput=4\n")
    layers.call = Settings(models={"c": Profile(provider="z")})
    resolved = layers.resolved()

    assert resolved.models == {name: Profile(provider=provider) for name, provider in (("a", "x"), ("b", "y"), ("c", "z"))}
    assert resolved.prices == {"a": Price(input=1, output=2), "b": Price(input=3, output=4)}
    found = [layers.origin(("models", name)) for name in "abc"]
    assert [one and one.layer for one in found] == ["user", "project", "call"]


def test_origins_come_in_the_order_of_the_fields(layers: Layers) -> None:
    for number, place in enumerate(SETTABLE):
        layers.environ[variable_of(place)] = in_environment(sample(place, number))
    layers.user.write_text("[models.z]\nprovider='x'\n[models.b]\nprovider='x'\n")
    places = [one.place for one in origins(read_layers(environ=layers.environ, cwd=layers.cwd))]
    assert [place for place in places if place != ("base_url",)] == [
        *(place for place in SETTABLE if place != ("base_url",)),
        ("models", "b"),
        ("models", "z"),
    ]
    assert ("base_url",) in places[:3]


@pytest.mark.parametrize("place", [p for p in SETTABLE if len(p) > 1], ids=".".join)
def test_a_slip_in_a_name_is_named_in_a_file_and_a_variable(place: Place, layers: Layers) -> None:
    slip = place[-1][:-1] + "z" + place[-1][-1]
    layers.user.write_text(in_file((place[0], slip), 1))
    with pytest.raises(BadSetting) as raised:
        layers.resolved()
    assert (raised.value.name, raised.value.nearest) == (f"{place[0]}.{slip}", place[-1])
    layers.user.write_text("")
    variable = variable_of(place)
    layers.environ[variable[:-1] + "Z" + variable[-1]] = "1"
    if len(variable) > len("SANDLOOP_") + 4:  # of the shortest others may have variables much like ours
        with pytest.raises(BadSetting) as raised:
            layers.resolved()
        assert raised.value.nearest == variable


@pytest.mark.parametrize(
    ("user", "nearest"),
    [
        ("Model = 'x'", "model"),
        ("step_seconds = 5", "limits.step_seconds"),
        ("engine = 'docker'", "sandbox.engine"),
        ("[limits]\npool = 3", "sandbox.pool"),
        ("[sandbox]\nmemory = 3", "limits.memory"),
        ("[limits]\nmodel = 3", "model"),
        ("[model.x]\nprovider = 'p'", None),
        ("[modles.x]\nprovider = 'p'", "models"),
        ("route = 'nativ'", "native"),
        ("[models.x]\nprovider = 'p'\nroute = 'locl'", "local"),
        ("[models.x]\nprovidr = 'p'", "provider"),
        ("[models.x]\nprovider = 'p'\nparameter = {}", "parameters"),
        ("[prices.x]\ninput = 1\noutput = 1\ncache_writes = 1", "cache_write"),
        ("[sandbox]\nwarm = 'of'", "off"),
        ("runs = 'of'", "off"),
        ("runs = 'On'", "on"),
    ],
)
def test_a_slip_names_the_nearest_right_one(user: str, nearest: str | None, layers: Layers) -> None:
    layers.user.write_text(user + "\n")
    with pytest.raises(BadSetting) as raised:
        layers.resolved()
    assert raised.value.nearest == nearest


@pytest.mark.parametrize("name", ["key", "api_key", "OPENAI_API_KEY", "hf_access_token"])
def test_a_key_in_a_file_is_refused_and_not_shown(name: str, layers: Layers) -> None:
    layers.user.write_text(f"{name} = 's3cret'\n")
    with pytest.raises(BadSetting, match="keep it with 'sandloop keys set NAME' instead") as raised:
        layers.resolved()
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("said", ["sk-abcdefghijklmnop", "hf_abcdefgh", "AIzaSyabcdefgh", "not a name", "1_KEY", ""])
def test_a_key_in_the_place_of_its_variable_is_refused_and_not_shown(said: str, layers: Layers) -> None:
    layers.user.write_text(f"[models.x]\nprovider = 'p'\nkey_variable = '{said}'\n")
    with pytest.raises(BadSetting) as raised:
        layers.resolved()
    assert not said or said not in str(raised.value)


@pytest.mark.parametrize("where", ["user", "project", "environment"])
def test_a_password_in_an_address_is_in_no_message(where: str, layers: Layers) -> None:
    for address in ("https://me:s3cret@else.example:x/v1", "https:/me:s3cret@else.example", "ftp://else.example?api_key=s3cret"):
        layers.environ.pop("SANDLOOP_BASE_URL", None)
        if where == "environment":
            layers.environ["SANDLOOP_BASE_URL"] = address
        else:
            (layers.user if where == "user" else layers.project).write_text(f"base_url = '{address}'\n")
        with pytest.raises(BadSetting) as raised:
            layers.resolved()
        assert "s3cret" not in str(raised.value)


def test_a_file_that_is_named_and_not_there_is_said(layers: Layers) -> None:
    layers.user.unlink()
    with pytest.raises(BadSetting, match=r"SANDLOOP_CONFIG.*user\.toml', which does not exist"):
        layers.resolved()


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_what_is_named_and_no_file_is_said(what: str, layers: Layers) -> None:
    layers.user.unlink()
    layers.user.mkdir() if what == "folder" else os.mkfifo(layers.user)
    with pytest.raises(BadSetting, match=r"SANDLOOP_CONFIG.*user\.toml', which is no file"):
        layers.resolved()


def test_no_settings_of_the_user_are_what_the_null_device_says(layers: Layers) -> None:
    layers.environ["SANDLOOP_CONFIG"] = os.devnull
    assert [layer.name for layer in read_layers(environ=layers.environ, cwd=layers.cwd) if layer.problems] == []


@pytest.mark.parametrize("what", ["link to nothing", "link to itself", "pipe"])
@pytest.mark.parametrize("whose", ["project", "user"])
def test_a_file_that_is_there_and_can_not_be_read_is_not_passed_over(what: str, whose: str, layers: Layers) -> None:
    path: Path = getattr(layers, whose)
    path.unlink(missing_ok=True)
    os.mkfifo(path) if what == "pipe" else path.symlink_to("nothing" if "nothing" in what else path.name)
    assert any(layer.problems for layer in read_layers(environ=layers.environ, cwd=layers.cwd))
    with pytest.raises(BadSetting, match=path.name):
        layers.resolved()


def test_a_folder_of_a_projects_files_name_is_none(layers: Layers) -> None:
    layers.project.unlink(missing_ok=True)
    layers.project.mkdir()
    assert layers.resolved().model == "claude"


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"a = " + b"[" * 50_000, "can't be read"), (b"#" * 1_000_001, "larger than 1,000,000 bytes"), (b"\xff", "can't be read")],
    ids=["deep", "large", "not text"],
)
def test_a_file_that_is_none_of_settings_is_a_sentence(content: bytes, says: str, layers: Layers) -> None:
    layers.project.write_bytes(content)
    with pytest.raises(BadSetting, match=says):
        layers.resolved()


def test_one_file_as_the_users_and_the_projects_is_the_users(layers: Layers) -> None:
    layers.environ["SANDLOOP_CONFIG"] = str(layers.project)
    layers.project.write_text("base_url = 'https://mine.example/v1'\n")
    assert layers.resolved().base_url == "https://mine.example/v1"
    assert [layer.name for layer in read_layers(environ=layers.environ, cwd=layers.cwd)] == [
        "call",
        "environment",
        "user",
        "default",
    ]


def test_a_value_in_a_message_is_short(layers: Layers) -> None:
    for text in ("route = '" + "x" * 10_000 + "'", "[sandbox]\npackages = " + str(["a b"] * 5_000), "model = " + str([1] * 9_999)):
        layers.user.write_text(text)
        with pytest.raises(BadSetting) as raised:
            layers.resolved()
        assert len(raised.value.why) < 200


def test_all_pairs_of_layers_agree_that_the_nearer_wins(layers: Layers) -> None:
    place = ("limits", "turns")
    for far, near in itertools.combinations(FAR_TO_NEAR, 2):
        layers.say(far, place, 1)
        layers.say(near, place, 2)
        assert value_of(layers.resolved(), place) == sample(place, 2)
        layers.user.write_text("")
        layers.project.unlink(missing_ok=True)
        layers.environ.pop(variable_of(place), None)
        layers.call = Settings()
