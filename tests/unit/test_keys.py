"""Kept keys: in the keyring where one works, else in a file for its owner alone; read only when the environment has none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null

from fake_keyring import FakeKeyring, Forgetful, Plain
from sandloop.errors import BadKey, BadSetting, KeyStoreFailed, MissingKey, UnknownModel, UsageError
from sandloop.keys import find_key, forget, keep, kept_names, ring, where_kept
from sandloop.keys.file import Entry, KeysFile
from sandloop.keys.names import is_variable, used_by, variable_for
from sandloop.plugins import choose_model
from sandloop.settings import Profile, Settings

NAME, KEY = "OPENAI_API_KEY", "s3cret-of-the-user"


@pytest.fixture
def file(tmp_path: Path) -> KeysFile:
    return KeysFile(tmp_path / "own/keys.json")


@pytest.fixture
def environ(file: KeysFile) -> dict[str, str]:
    """A file, and never a keyring."""
    return {"SANDLOOP_KEYS": str(file.path)}


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[FakeKeyring]:
    one = FakeKeyring(tmp_path / "ring.json")
    with chosen(one):
        yield one


class chosen:  # noqa: N801 - reads as a verb
    """The keyring of this process, for a while."""

    def __init__(self, backend: KeyringBackend) -> None:
        self._backend = backend

    def __enter__(self) -> None:
        self._before = keyring.get_keyring()
        keyring.set_keyring(self._backend)

    def __exit__(self, *_: object) -> None:
        keyring.set_keyring(self._before)


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The usual place, in a home of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return {}


def test_a_kept_key_is_found_where_the_environment_has_none(environ: dict[str, str]) -> None:
    assert find_key([NAME], environ) is None
    kept = keep(NAME, KEY, environ)

    assert (kept.where, kept.what) == ("file", environ["SANDLOOP_KEYS"])
    assert find_key(["OTHER", NAME], environ) == KEY
    assert find_key([NAME], environ | {NAME: "nearer"}) == "nearer"
    assert find_key([NAME, "OTHER"], environ | {"OTHER": "nearer"}) == "nearer"
    assert find_key([NAME], environ | {NAME: ""}) == KEY
    assert where_kept([NAME], environ) == (NAME, "file")
    assert where_kept([NAME], environ | {NAME: "x"}) == (NAME, "environment")
    assert forget(NAME, environ) == "file"
    assert (find_key([NAME], environ), where_kept([NAME], environ), forget(NAME, environ)) == (None, None, None)


def test_the_file_and_its_folder_are_for_their_owner_alone(file: KeysFile) -> None:
    before = os.umask(0)
    try:
        file.write(NAME, KEY)
    finally:
        os.umask(before)

    assert (file.path.stat().st_mode & 0o777, file.path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [path.name for path in file.path.parent.iterdir()] == ["keys.json"]
    assert KEY not in repr(file.read())


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o640, 0o620, 0o660])
def test_a_file_that_is_open_to_others_is_refused_with_the_command_that_closes_it(file: KeysFile, mode: int) -> None:
    file.write(NAME, KEY)
    file.path.chmod(mode)
    for use in (file.read, lambda: file.write("OTHER", "x"), lambda: file.remove(NAME)):
        with pytest.raises(KeyStoreFailed, match=f"is open to other users. Close it with: chmod 600 {file.path}"):
            use()
    assert json.loads(file.path.read_text())["keys"] == {NAME: {"value": KEY}}


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o770, 0o777])
def test_a_folder_that_is_open_to_others_is_refused_with_the_command_that_closes_it(file: KeysFile, mode: int) -> None:
    file.write(NAME, KEY)
    file.path.parent.chmod(mode)
    for use in (file.read, lambda: file.write("OTHER", "x")):
        with pytest.raises(KeyStoreFailed, match=f"Close it with: chmod 700 {file.path.parent}"):
            use()


def test_nobody_is_told_to_close_a_folder_that_holds_other_things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tmp_path.chmod(0o755)
    with pytest.raises(KeyStoreFailed, match=f"chmod 700 {tmp_path}"):
        keep(NAME, KEY, {"SANDLOOP_KEYS": "./keys.json"})
    (tmp_path / "of others").touch()
    with pytest.raises(KeyStoreFailed, match="Name a file in a folder of its own in SANDLOOP_KEYS") as raised:
        keep(NAME, KEY, {"SANDLOOP_KEYS": "./keys.json"})
    assert "chmod" not in str(raised.value)


def test_an_open_folder_without_a_file_of_keys_holds_none_and_takes_none(file: KeysFile) -> None:
    file.path.parent.mkdir()
    file.path.parent.chmod(0o755)
    assert file.read() == {}
    assert find_key([NAME], {"SANDLOOP_KEYS": str(file.path)}) is None
    with pytest.raises(KeyStoreFailed, match=f"Close it with: chmod 700 {file.path.parent}"):
        file.write(NAME, KEY)
    assert not file.path.exists()


def test_links_are_refused_and_never_written_through(file: KeysFile, tmp_path: Path) -> None:
    other = tmp_path / "other"
    KeysFile(other / "keys.json").write(NAME, KEY)
    before = (other / "keys.json").read_text()
    file.path.parent.mkdir(mode=0o700)
    file.path.symlink_to(other / "keys.json")
    (tmp_path / "linked").symlink_to(other)
    for linked in (file, KeysFile(tmp_path / "linked/keys.json")):
        for use in (linked.read, lambda linked=linked: linked.write("OTHER", "x")):
            with pytest.raises(KeyStoreFailed, match=r"is a link|is in a folder that is a link"):
                use()
    assert (other / "keys.json").read_text() == before


@pytest.mark.parametrize(
    "content",
    [
        *(
            b"",
            b"{}",
            b"[]",
            b"null",
            b'{"keys": 1}',
            b'{"keys": {"A": 1}}',
            b'{"keys": {"A": {"value": 3}}}',
            b"\xff",
            b"[" * 99_999,
        ),
        b'{"keys": {"A": {"value": "' + b"x" * 1_000_001 + b'"}}}',
    ],
    ids=lambda content: repr(content[:30]),
)
def test_a_file_that_sandloop_did_not_write_is_refused_and_not_shown(file: KeysFile, content: bytes) -> None:
    file.path.parent.mkdir(mode=0o700)
    file.path.touch(0o600)
    file.path.write_bytes(content)
    with pytest.raises(KeyStoreFailed, match=r"is not what sandloop wrote\. Move it away") as raised:
        file.read()
    assert len(str(raised.value)) < 400


def test_something_else_than_a_file_is_refused_and_not_waited_for(file: KeysFile) -> None:
    file.path.parent.mkdir(mode=0o700)
    os.mkfifo(file.path, 0o600)
    with pytest.raises(KeyStoreFailed, match="is not a file"):
        file.read()


def test_a_place_that_can_not_be_written_is_a_sentence() -> None:
    with pytest.raises(KeyStoreFailed, match=r"can't be written: Not a directory\. Make room or a right to write there"):
        KeysFile(Path("/dev/null/own/keys.json")).write(NAME, KEY)
    assert KeysFile(Path("/nowhere/own/keys.json")).read() == {}


def test_changes_at_once_are_all_kept(file: KeysFile) -> None:
    names = [f"KEY_{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(file.write, names, (name.lower() for name in names)))
    assert file.read() == {name: Entry(name.lower()) for name in names}
    assert [path.name for path in file.path.parent.iterdir()] == ["keys.json"]


def test_where_a_keyring_works_it_has_the_key_and_the_file_only_its_name(
    backend: FakeKeyring, at_home: dict[str, str], tmp_path: Path
) -> None:
    kept = keep(NAME, KEY, at_home)

    assert (kept.where, kept.what, kept.note) == ("keyring", "Fake Keyring", "")
    assert KEY not in (tmp_path / "config/sandloop/keys/keys.json").read_text()
    assert (find_key([NAME], at_home), kept_names(at_home)) == (KEY, {NAME: "keyring"})
    assert find_key([NAME], {"SANDLOOP_KEYS": "file"}) is None
    assert forget(NAME, at_home) == "keyring"
    assert (json.loads(backend.path.read_text()), kept_names(at_home)) == ({}, {})


def test_a_key_that_was_removed_from_the_keyring_by_hand_is_missing(backend: FakeKeyring, at_home: dict[str, str]) -> None:
    keep(NAME, KEY, at_home)
    backend.delete_password("sandloop", NAME)
    assert find_key([NAME], at_home) is None
    assert forget(NAME, at_home) == "keyring"


class Chained(chainer.ChainerBackend):
    """What stands for several keyrings, here for these alone."""

    backends: list[KeyringBackend] = []  # noqa: RUF012  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, backends: list[KeyringBackend]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.backends = backends  # pyright: ignore[reportIncompatibleVariableOverride]


def test_of_several_keyrings_the_first_has_the_key(at_home: dict[str, str], tmp_path: Path) -> None:
    with chosen(Chained([FakeKeyring(tmp_path / "first"), FakeKeyring(tmp_path / "second")])):
        assert keep(NAME, KEY, at_home).what == "Fake Keyring"
        assert find_key([NAME], at_home) == KEY
    assert not (tmp_path / "second").exists()


def none_of_them(path: Path) -> list[KeyringBackend]:
    return [fail.Keyring(), null.Keyring(), Chained([]), Plain(path), Forgetful(path)]  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("number", range(5), ids=["fail", "null", "chainer", "plain", "forgetful"])
def test_a_keyring_that_keeps_nothing_or_not_safely_counts_as_none(number: int, at_home: dict[str, str], tmp_path: Path) -> None:
    with chosen(none_of_them(tmp_path / "x")[number]):
        kept = keep(NAME, KEY, at_home)
        assert kept.where == "file"
        assert "keyring" in kept.note
        assert find_key([NAME], at_home) == KEY
        with pytest.raises(KeyStoreFailed, match="Unset SANDLOOP_KEYS to keep keys in a file"):
            keep(NAME, KEY, {"SANDLOOP_KEYS": "keyring"})


def test_a_locked_keyring_leaves_the_key_to_the_file_and_says_why(backend: FakeKeyring, at_home: dict[str, str]) -> None:
    backend.locked = True
    kept = keep(NAME, KEY, at_home)
    assert (kept.where, kept.note) == ("file", "the system's keyring can't be used: KeyringLocked: it is locked")
    with pytest.raises(KeyStoreFailed, match=r"it is locked\. Unlock it, and try again"):
        keep(NAME, KEY, {"SANDLOOP_KEYS": "keyring"})


def test_a_key_in_a_locked_keyring_is_a_sentence_that_names_the_way_around(backend: FakeKeyring, at_home: dict[str, str]) -> None:
    keep(NAME, KEY, at_home)
    backend.locked = True
    with pytest.raises(KeyStoreFailed, match=f"it is locked. Unlock it, or set {NAME} in the environment") as raised:
        find_key([NAME], at_home)
    assert raised.value.exit_code == 3


def test_a_keyring_that_hangs_is_left_behind(backend: FakeKeyring) -> None:
    backend.go_on.clear()
    waited: list[str] = []
    try:
        with pytest.raises(KeyStoreFailed, match="did not answer within"):
            ring.get(NAME, seconds=0.05)
        with pytest.raises(KeyStoreFailed, match="did not answer within"):
            ring.put(NAME, KEY, on_wait=lambda: waited.append("told"), seconds=0.05)
    finally:
        backend.go_on.set()
    assert waited == ["told"]


@pytest.mark.parametrize(
    ("said", "error"),
    [("of", "Did you mean 'off'"), ("keyrings", "Did you mean 'keyring'"), ("on", "must be keyring, file, off, or the path")],
)
def test_a_slip_in_the_choice_of_the_store_is_named(said: str, error: str) -> None:
    with pytest.raises(BadSetting, match=error):
        find_key([NAME], {"SANDLOOP_KEYS": said})


def test_with_the_store_off_nothing_is_kept_or_found(at_home: dict[str, str]) -> None:
    off = {"SANDLOOP_KEYS": "off"}
    assert (find_key([NAME], off), where_kept([NAME], off), kept_names(off), forget(NAME, off)) == (None, None, {}, None)
    with pytest.raises(KeyStoreFailed, match="means that none is kept"):
        keep(NAME, KEY, off)


def broken(tmp_path: Path) -> dict[str, str]:
    """A store that can't be read: whoever looks at it fails."""
    (tmp_path / "keys.json").touch(0o644)
    return {"SANDLOOP_KEYS": str(tmp_path / "keys.json")}


def test_the_store_is_not_looked_at_when_the_environment_has_the_key_or_none_is_needed(tmp_path: Path) -> None:
    environ = broken(tmp_path)
    for model, more in (("openai", {NAME: "x"}), ("claude", {"ANTHROPIC_AUTH_TOKEN": "x"}), ("replay:x", {}), ("local", {})):
        choice, _ = choose_model(Settings(model=model), environ | more)
        assert choice.key is None
    for model in ("ollama:qwen3", "bedrock:m"):
        assert choose_model(Settings(model=model), environ | {"AWS_PROFILE": "x"})[0].key is None
    with pytest.raises(KeyStoreFailed):
        choose_model(Settings(model="openai"), environ)


@pytest.mark.parametrize("value", ["sk-s3cret\r", "sk-s3cret\nX", "sk-s3cret ", "sk s3cret", "sk-s3crét", "sk-s3cret\x1b"])
def test_what_no_header_can_hold_is_no_key_and_is_not_shown(value: str) -> None:
    profiles = {"mine": Profile(provider="compatible", base_url="https://mine.example/v1", key_variable="MINE")}
    for model, variable in (
        *(("openai", "OPENAI_API_KEY"), ("claude", "ANTHROPIC_AUTH_TOKEN"), ("huggingface:m", "HF_TOKEN"), ("mine", "MINE")),
        *(("bedrock:m", "AWS_BEARER_TOKEN_BEDROCK"), ("compatible:m", "SANDLOOP_COMPATIBLE_KEY"), ("ollama:m", "OLLAMA_API_KEY")),
    ):
        with pytest.raises(BadKey, match=f"^The value of {variable} has a blank, the end of a line or a letter") as caught:
            choose_model(Settings(model=model, models=profiles), {variable: value, "SANDLOOP_KEYS": "off"})
        assert "s3cr" not in str(caught.value)
    choose_model(Settings(model="bedrock:m"), {"AWS_PROFILE": "my profile", "SANDLOOP_KEYS": "off"})


def test_a_model_gets_the_kept_key_of_its_provider_or_its_profile(environ: dict[str, str]) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "SANDLOOP_COMPATIBLE_KEY", "MINE", "OLLAMA_API_KEY"):
        keep(name, f"{name.lower()}_kept", environ)
    profiles = {
        "mine": Profile(provider="compatible", base_url="https://mine.example/v1", key_variable="MINE"),
        "plain": Profile(provider="openai"),
        "none": Profile(provider="openai", key_variable="NOT_KEPT"),
    }

    def key(model: str) -> str | None:
        choice, _ = choose_model(Settings(model=model, models=profiles, base_url="https://x.example/v1"), environ)
        assert "_kept" not in repr(choice)
        return choice.key

    assert [key(model) for model in ("openai", "claude-x", "gemini", "compatible:m", "mine", "plain")] == [
        "openai_api_key_kept",
        "anthropic_api_key_kept",
        "gemini_api_key_kept",
        "sandloop_compatible_key_kept",
        "mine_kept",
        "openai_api_key_kept",
    ]
    assert key("ollama:m") is None, "the key of its cloud must not go to this machine"
    assert key("mistral") is None
    with pytest.raises(MissingKey, match="sandloop keys set NOT_KEPT"):
        key("none")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai", "OPENAI_API_KEY"),
        ("claude", "ANTHROPIC_API_KEY"),
        ("bedrock", "AWS_BEARER_TOKEN_BEDROCK"),
        ("compatible", "SANDLOOP_COMPATIBLE_KEY"),
        ("mine", "MINE"),
        ("plain", "GROQ_API_KEY"),
    ],
)
def test_a_key_is_kept_under_the_name_that_its_user_looks_for(name: str, variable: str) -> None:
    profiles = {"mine": Profile(provider="compatible", key_variable="MINE"), "plain": Profile(provider="groq")}
    assert variable_for(name, profiles) == variable
    assert name in used_by(profiles)[variable] or name == "plain"


@pytest.mark.parametrize(
    "given", ["sk-proj-abcdef0123456789", "AKIAIOSFODNN7EXAMPLE", "hf_abcdefGHIJ", "s3cretword!", "eyJhbGciOi.x.y"]
)
def test_what_could_be_a_key_is_not_repeated(given: str) -> None:
    assert not is_variable(given)
    with pytest.raises(UsageError) as raised:
        variable_for(given, {})
    assert given not in str(raised.value)


def test_a_slip_in_a_providers_name_is_named() -> None:
    with pytest.raises(UnknownModel, match="Did you mean 'openai'"):
        variable_for("opnai", {})
    with pytest.raises(UsageError, match="'ollama' takes no key"):
        variable_for("ollama", {})


def test_no_keyring_is_imported_for_a_key_that_is_not_kept(environ: dict[str, str]) -> None:
    keep("OTHER_KEY", "x", environ)
    script = "import sys; from sandloop.keys import find_key as f; f(['A_KEY']); f(['OTHER_KEY']); print('keyring' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], env=os.environ | environ, capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
