"""Settings in layers, each wrong one named with its place and the nearest right one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandloop.errors import BadSetting, MissingKey, UnknownModel
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.plugins import choose_model
from sandloop.prices import Price
from sandloop.settings import Profile, Settings, resolve


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "project/deep").mkdir(parents=True)
    return tmp_path


def resolved(home: Path, call: Settings | None = None, user: str = "", project: str = "", **environ: str) -> Settings:
    (home / "user.toml").write_text(user)
    (home / "project/sandloop.toml").write_text(project)
    environ["SANDLOOP_CONFIG"] = str(home / "user.toml")
    return resolve(call or Settings(), environ=environ, cwd=home / "project/deep")


def test_the_nearest_layer_wins_field_by_field(home: Path) -> None:
    everything = resolved(
        home,
        Settings(route="local"),
        user='model = "user"\nroute = "native"\nsandbox = "user"\n[limits]\nturns = 1\ncpus = 1.5\n',
        project='model = "project"\nroute = "native"\n[limits]\nturns = 2\n',
        SANDLOOP_MODEL="environment",
        SANDLOOP_STEP_SECONDS="9",
    )
    assert (everything.route, everything.model, everything.sandbox) == ("local", "environment", SandboxOptions(engine="user"))
    assert everything.limits == Limits(turns=2, cpus=1.5, step_seconds=9)


def test_the_users_own_file_may_name_any_address_and_a_project_this_machine(home: Path) -> None:
    assert resolved(home, user='base_url = "https://mine.example/v1"').base_url == "https://mine.example/v1"
    assert resolved(home, project='base_url = "http://localhost:8000/v1"').base_url == "http://localhost:8000/v1"


def test_without_any_layer_the_defaults_hold(home: Path) -> None:
    plain = resolved(home)
    assert (plain.model, plain.route, plain.sandbox, plain.preview) == ("claude", "auto", SandboxOptions(), True)
    assert plain.limits == Limits()


def test_limits_of_the_call_replace_all_others(home: Path) -> None:
    assert resolved(home, Settings(limits=Limits(turns=3)), SANDLOOP_TURNS="9").limits == Limits(turns=3)


@pytest.mark.parametrize(
    ("project", "says"),
    [
        ('modle = "x"', "Did you mean 'model'"),
        ("[limits]\nstep_second = 1", "Did you mean 'step_seconds'"),
        ('route = "lokal"', "must be auto, native or local"),
        ("[limits]\nturns = 0", "must be above 0"),
        ("[limits]\nturns = 'many'", "must be a number"),
        ("preview = 'maybe'", "true or false"),
        ("model = 3", "must be text"),
        ("models = 3", "must be a table"),
        ("[models.x]\nmodel = 'y'", "no 'provider'"),
        ("[models.x]\nprovider = 'p'\napi_key = 's3cret'", "key_variable"),
        ("[models.x]\nprovider = 'p'\nbase_ulr = 'y'", "Did you mean 'base_url'"),
        ("[prices.m]\ninput = 1", "has no 'output'"),
        ("[prices.m]\ninput = 1\noutput = '2'", "prices.m.output"),
        ("[prices.m]\ninput = nan\noutput = 1", "for a million tokens"),
        ("[prices.m]\ninput = -1\noutput = 1", "for a million tokens"),
        ("[prices.m]\ninput = true\noutput = 1", "for a million tokens"),
        ("[prices.m]\ninput = 1\noutput = 1\ncahced = 1", "Did you mean 'cached'"),
        ("prices = 3", "must be a table"),
        ("prices.m = 3", "must be a table"),
        ("not toml", "can't be read"),
        ("base_url = 'https://evil.example/v1'", "may name only this machine"),
        ("base_url = 'http://127.0.0.1@evil.example/v1'", "may name only this machine"),
        ("[models.x]\nprovider = 'p'\nbase_url = 'https://evil.example'", "models.x.base_url"),
        ("[models.x]\nprovider = 'p'\nkey_variable = 'AWS_SECRET_ACCESS_KEY'", "models.x.key_variable"),
        ("[models.x]\nprovider = 'p'\n[[models.x.parameters.mcp_servers]]\nurl = 'https://evil.example'", "mcp_servers"),
        ("[models.x]\nprovider = 'p'\n[models.x.parameters]\nweights = 'evil.gguf'", "parameters.weights"),
        ("model = 'local:./evil.GGUF'", "is a file of weights"),
        ("[models.x]\nprovider = 'local'\nmodel = 'evil.gguf'", "models.x.model.*is a file of weights"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(home: Path, project: str, says: str) -> None:
    with pytest.raises(BadSetting, match=says) as raised:
        resolved(home, project=project)
    assert "sandloop.toml" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_prices_are_layered_one_by_one(home: Path) -> None:
    user = "[prices.a]\ninput = 1\noutput = 2\n[prices.'openai:b']\ninput = 3\noutput = 4\ncached = 0.5\n"
    project = "[prices.a]\ninput = 5\noutput = 6\n"
    merged = resolved(home, Settings(prices={"c": Price(input=7, output=8)}), user=user, project=project).prices
    assert merged == {
        "a": Price(input=5, output=6),
        "openai:b": Price(input=3, output=4, cached=0.5),
        "c": Price(input=7, output=8),
    }
    assert resolved(home).prices == {}


SANDBOX = SandboxOptions(packages=("geopandas==1.1.1", "shapely"), pool=3, warm="off", unsafe_network=True, runtime="runsc")


def test_options_of_the_sandbox_are_layered_one_by_one(home: Path) -> None:
    user = '[sandbox]\nruntime = "runsc"\nunsafe_network = true\npool = 9\npackages = ["other"]'
    project = '[sandbox]\npackages = ["geopandas==1.1.1", "shapely"]\npool = 3'

    assert resolved(home, user=user, project=project, SANDLOOP_WARM="off").sandbox == SANDBOX
    assert SANDBOX.weakened == ("unsafe_network",)


def test_the_sandbox_in_the_environment_and_in_the_call(home: Path) -> None:
    environment: dict[str, Any] = {
        "SANDLOOP_SANDBOX": "bubblewrap",
        "SANDLOOP_PACKAGES": "geopandas, shapely[vectorized]>=2",
        "SANDLOOP_UNSAFE_MOUNTS": "/data sets:/data,/tmp/x:/x:rw",
    }
    assert resolved(home, **environment).sandbox == SandboxOptions(
        engine="bubblewrap", packages=("geopandas", "shapely[vectorized]>=2"), unsafe_mounts=("/data sets:/data", "/tmp/x:/x:rw")
    )
    assert resolved(home, Settings(sandbox=SandboxOptions(pool=2)), **environment).sandbox == SandboxOptions(pool=2)
    asked = resolve(packages=["xarray"], environ=environment, cwd=home).sandbox
    assert asked is not None
    assert (asked.engine, asked.packages) == ("bubblewrap", ("xarray",))


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("privileged = true", "would open the sandbox.*'unsafe_privileged'"),
        ("network = 'host'", "'unsafe_network'"),
        ("cap_add = ['NET_RAW']", "'unsafe_capabilities'"),
        ("volumes = ['/var/run/docker.sock:/s']", "'unsafe_mounts'"),
        ("runtme = 'runsc'", "Did you mean 'runtime'"),
        ("packages = ['geopandas --index-url=https://evil.example']", "No address, path or option"),
        ("packages = ['git+https://evil.example/x']", "No address, path or option"),
        ("packages = ['./here']", "No address, path or option"),
        ("packages = [3]", "list of texts"),
        ("pool = -1", "from 0 to"),
        ("pool = 1000", "from 0 to"),
        ("warm = 'hot'", "must be auto, process, shared or off"),
        ("unsafe_network = 'perhaps'", "true or false"),
        ("unsafe_mounts = ['data:/data']", "/host/folder"),
        ("unsafe_capabilities = ['all of them']", "a capability"),
        ("runtime = '../runc'", "a plain name"),
    ],
)
def test_an_option_that_can_not_be_is_refused(home: Path, user: str, says: str) -> None:
    with pytest.raises(BadSetting, match=says):
        resolved(home, user="[sandbox]\n" + user)


@pytest.mark.parametrize(
    "project",
    [
        "[sandbox]\nunsafe_privileged = true",
        "[sandbox]\nruntime = 'weak'",
        "[sandbox]\nengine = 'weak'",
        "sandbox = 'weak'",
        "[sandbox]\nunsafe_mounts = ['/:/host:rw']",
    ],
)
def test_a_projects_file_can_not_weaken_the_sandbox(home: Path, project: str) -> None:
    with pytest.raises(BadSetting, match="may not stand in a project's file"):
        resolved(home, project=project)


@pytest.mark.parametrize("options", [SandboxOptions(packages=("-e .",)), SandboxOptions(pool=-1), SandboxOptions(runtime="a b")])
def test_the_options_of_a_call_are_checked_too(home: Path, options: SandboxOptions) -> None:
    with pytest.raises(BadSetting):
        resolved(home, Settings(sandbox=options))


def test_a_wrong_variable_names_the_environment(home: Path) -> None:
    with pytest.raises(BadSetting, match="the environment"):
        resolved(home, SANDLOOP_ROUTE="remote")
    with pytest.raises(BadSetting, match="SANDLOOP_SECONDS' in the environment is '', but"):
        resolved(home, SANDLOOP_SECONDS="")


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("claude", "claude", None),
        ("anthropic:claude-x", "anthropic", "claude-x"),
        ("ollama/qwen3:8b", "ollama", "qwen3:8b"),
        ("ollama:qwen3:8b", "ollama", "qwen3:8b"),
        ("openrouter/meta/llama", "openrouter", "meta/llama"),
        ("claude-opus-9", "claude", "claude-opus-9"),
        ("replay:/tmp/x.jsonl", "replay", "/tmp/x.jsonl"),
        ("local:small", "local", "small"),
        ("fast", "groq", "llama-9"),
    ],
)
def test_a_name_finds_its_provider_and_model(name: str, provider: str, model: str | None) -> None:
    profiles = {"fast": Profile(provider="groq", model="llama-9", route="local")}
    choice, route = choose_model(Settings(model=name, models=profiles), {"SANDLOOP_KEYS": "off"})
    assert (choice.provider, choice.model) == (provider, model)
    assert route == ("local" if name == "fast" else None)


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UnknownModel, match="Did you mean 'ollama'"):
        choose_model(Settings(model="olama:qwen"), {})


def test_a_profile_takes_its_key_from_its_variable_and_shows_it_nowhere() -> None:
    profiles = {"p": Profile(provider="compatible", key_variable="MY_KEY")}
    choice, _ = choose_model(Settings(model="p", models=profiles), {"MY_KEY": "s3cret"})
    assert choice.key == "s3cret"
    assert "s3cret" not in repr(choice)
    with pytest.raises(MissingKey, match="sandloop keys set MY_KEY"):
        choose_model(Settings(model="p", models=profiles), {"SANDLOOP_KEYS": "off"})


@pytest.mark.parametrize("slip", ["SANDLOOP_PREVEIW", "SANDLOOP_ROUT", "SANDLOOP_STEPS_SECONDS"])
def test_a_variable_that_is_nearly_a_setting_is_refused(home: Path, slip: str) -> None:
    with pytest.raises(BadSetting, match="Did you mean 'SANDLOOP_"):
        resolve(environ={slip: "1", "SANDLOOP_CONFIG": "/dev/null"}, cwd=home)


@pytest.mark.parametrize("other", ["SANDLOOP_BASE_IMAGE", "SANDLOOP_COMPATIBLE_KEY", "SANDLOOP_MY_SERVER_KEY", "SANDLOOP_DEBUG"])
def test_a_variable_that_is_none_of_ours_is_left_alone(home: Path, other: str) -> None:
    assert resolve(environ={other: "1", "SANDLOOP_CONFIG": "/dev/null"}, cwd=home).route == "auto"


@pytest.mark.parametrize("limit", ["session_seconds = inf", "step_seconds = 1e300", "seconds = nan"])
def test_a_limit_that_no_clock_can_count_is_refused(home: Path, limit: str) -> None:
    with pytest.raises(BadSetting, match="above 0"):
        resolved(home, project=f"[limits]\n{limit}\n")


def test_a_route_that_does_not_exist_is_refused_in_a_call_too(home: Path) -> None:
    with pytest.raises(BadSetting, match="'Local', but must be auto, native or local"):
        resolved(home, Settings(route="Local"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
