"""The layers of the configuration: which wins, what a project may set, what means nothing, where things lie."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scratchy import config
from scratchy.core.errors import ConfigError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """A working folder, in a home of its own."""
    for name in ("SCRATCHY_SESSIONS_DIR", "SCRATCHY_PLAIN", "SCRATCHY_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    for kind in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def user(work: Path, text: str) -> Path:
    path = work.parent / "config" / "scratchy" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def project(work: Path, text: str) -> Path:
    path = config.project_file(work)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def load(work: Path, flags=None, **more) -> config.Config:
    return config.load(flags or {}, folder=work, **more)


def test_with_nothing_set_the_defaults_hold(work):
    loaded = load(work)
    assert (loaded.provider, loaded.model, loaded.base_url, loaded.plain, loaded.yolo) == (
        None,
        None,
        None,
        False,
        False,
    )
    assert loaded.folder == work and loaded.sources == {} and loaded.notices == ()


def test_each_layer_wins_over_the_one_before(work, monkeypatch):
    path = user(work, 'model = "user"\nplain = false\nsessions_dir = "/user"')
    assert load(work).model == "user" and load(work).sources["model"] == str(path)
    project(work, 'model = "project"')
    assert load(work).model == "project"
    assert load(work, {"model": "flag", "provider": None}).model == "flag"
    assert load(work, {"model": "flag"}).by_flag("model") and not load(work, {"provider": None}).by_flag("provider")
    assert load(work).sessions_dir == Path("/user")
    monkeypatch.setenv("SCRATCHY_SESSIONS_DIR", "/env")
    monkeypatch.setenv("SCRATCHY_PLAIN", "1")
    assert load(work).sessions_dir == Path("/env") and load(work).plain
    assert load(work).sources["plain"] == "SCRATCHY_PLAIN"
    assert load(work, {"sessions_dir": "/flag"}).sessions_dir == Path("/flag")
    assert config.usual_sessions_dir() == Path("/env")
    monkeypatch.delenv("SCRATCHY_SESSIONS_DIR")
    assert config.usual_sessions_dir() == Path("/user")


def test_folders_are_made_absolute_once(work, monkeypatch):
    assert load(work, {"sessions_dir": "../s/./x"}).sessions_dir == work.parent / "s" / "x"
    monkeypatch.setenv("SCRATCHY_SESSIONS_DIR", "rel")
    assert load(work).sessions_dir == work / "rel" == config.usual_sessions_dir()
    monkeypatch.setenv("HOME", "/somewhere")
    assert load(work, {"sessions_dir": "~/s"}).sessions_dir == Path("/somewhere/s")


def test_a_projects_file_may_set_model_and_instructions_and_nothing_else_untrusted(work):
    project(
        work, 'model = "m"\ninstructions = "Use tabs."\nbase_url = "http://evil"\nsessions_dir = "/evil"\nsystem = "x"'
    )
    loaded = load(work)
    assert (loaded.model, loaded.instructions, loaded.base_url, loaded.system) == ("m", "Use tabs.", None, None)
    assert loaded.sessions_dir != Path("/evil")
    assert dict(loaded.untrusted) == {"base_url": "http://evil", "sessions_dir": "/evil", "system": "x"}
    trusted = load(work, trusted=lambda path, content: path == config.project_file(work) and b"http://evil" in content)
    assert trusted.base_url == "http://evil" and not trusted.untrusted


def test_trust_is_by_content(work):
    from scratchy.permissions import Trust

    path = project(work, 'base_url = "http://mine"')
    trust = Trust(config.user_dir("state"))
    assert load(work, trusted=trust.trusted).base_url is None
    trust.trust(path, path.read_bytes())
    assert load(work, trusted=trust.trusted).base_url == "http://mine"
    path.write_text('base_url = "http://other"')
    assert load(work, trusted=trust.trusted).base_url is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("model = ", "TOML"), ("model = 3", "'model' must be a text"), ("plain = 'yes'", "'plain' must be true"),
        ("provider = ['a']", "'provider'"), ("\x00", "TOML"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [user, project])
def test_nonsense_in_a_file_names_the_file(work, make, text, named):
    path = make(work, text)
    with pytest.raises(ConfigError, match=named) as refused:
        load(work)
    assert str(path) in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(work):
    path = work.parent / "config" / "scratchy" / "config.toml"
    path.mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"config\.toml cannot be read"):
        load(work)


def test_unknown_keys_are_said_and_pass(work):
    user(work, 'colour = "blue"\nmodel = "m"')
    loaded = load(work)
    assert loaded.model == "m" and "'colour'" in loaded.notices[0]


@pytest.mark.parametrize(("name", "value"), [("SCRATCHY_PLAIN", "maybe"), ("SCRATCHY_LOG_LEVEL", "loud")])
def test_a_nonsense_variable_is_named(work, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name} is '{value}'"):
        load(work)


@pytest.mark.parametrize(("value", "plain"), [("1", True), ("yes", True), ("TRUE", True), ("0", False), ("", False)])
def test_words_for_yes_and_no(work, monkeypatch, value, plain):
    monkeypatch.setenv("SCRATCHY_PLAIN", value)
    assert load(work).plain is plain


# -- where things lie


def test_folders_of_the_platform(work, monkeypatch):
    assert config.user_dir("config") == work.parent / "config" / "scratchy"
    for kind in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", "/home/me")
    assert [str(config.user_dir(kind)) for kind in ("config", "state", "data")] == [
        "/home/me/.config/scratchy", "/home/me/.local/state/scratchy", "/home/me/.local/share/scratchy",
    ]  # fmt: skip


def test_a_checkout_keeps_its_sessions_and_an_installed_one_does_not(work, tmp_path):
    assert config.checkout() == ROOT and config.usual_sessions_dir() == ROOT / "session_history"
    code = "from scratchy import config; print(config.checkout(), config.usual_sessions_dir())"

    def told(place: Path) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT,
            env=dict(os.environ) | {"PYTHONPATH": str(place), "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
        return done.stdout.split()

    place = tmp_path / "site-packages"
    shutil.copytree(ROOT / "scratchy", place / "scratchy", ignore=shutil.ignore_patterns("__pycache__"))
    assert told(place) == ["None", str(tmp_path / "data" / "scratchy" / "session_history")]
    for name in ("run_agent.py", "pyproject.toml"):
        shutil.copy(ROOT / name, place / name)
    assert told(place) == [str(place), str(place / "session_history")]


def test_the_machines_name_is_made_once_and_private(work):
    made = config.machine_id()
    assert len(made) == 16 and config.machine_id() == made
    assert (config.user_dir("state") / "machine").stat().st_mode & 0o777 == 0o600


def test_where_the_state_folder_cannot_be_written_there_is_no_name(work):
    (work.parent / "state").write_text("a file")
    assert config.machine_id() == ""


@pytest.mark.parametrize("model", ["scripted/evil.json", "openai/x", "evil.gguf", "./Evil.GGUF"])
def test_an_untrusted_projects_model_names_no_provider_and_no_file(work, model):
    project(work, f'model = "{model}"\n')
    loaded = load(work)
    assert loaded.model is None and dict(loaded.untrusted) == {"model": model}
    assert load(work, trusted=lambda path, content: True).model == model


def test_a_file_that_is_none_or_too_much_is_refused_without_reading_it(work):
    path = project(work, "x = " + "[" * 100_000 + "]" * 100_000)
    with pytest.raises(ConfigError, match=r"config\.toml is nested too deep"):
        load(work)
    path.write_bytes(b"#" * (config.LARGEST + 1))
    with pytest.raises(ConfigError, match="larger than"):
        load(work)
    for make in (os.mkfifo, lambda place: os.symlink("/dev/zero", place)):
        path.unlink()
        make(path)
        with pytest.raises(ConfigError, match="no regular file"):
            load(work)
