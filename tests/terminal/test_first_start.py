"""The first start: one screen of welcome on a terminal, where nothing of Scratchy's is there yet; never again."""

import pytest
from programs import ROOT, Home
from ptys import Terminal

WELCOME = "Welcome to Scratchy"


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def start(home: Home, *flags: str, columns: int = 80, rows: int = 24, **env: str) -> str:
    """What stands on the screen when the model is told; then the program is left."""
    environment = home.env | {"PYTHONWARNINGS": "", "COLUMNS": str(columns), "LINES": str(rows)} | env
    flags = flags or ("--provider", "demo")
    with Terminal(*flags, program=ROOT / "run_agent.py", columns=columns, rows=rows, **environment) as window:
        window.wait_for("Model: ")
        window.wait_for(lambda: "You:" in window.line())
        shown = window.text()
        window.send("\x04")
        assert window.exit_code() == 0
    return shown


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 24), (200, 50)])
def test_it_is_welcomed_once_on_one_screen(home, columns, rows):
    shown = start(home, columns=columns, rows=rows)
    words = " ".join(shown.split())
    assert WELCOME in words and "/help shows what else there is" in words and "config set keys.OPENAI_API_KEY" in words
    assert str(home.sessions) in shown.replace("\n", "").replace(" ", "")
    assert words.index(WELCOME) < words.index("Started new session") < words.index("Model: demo")
    assert columns < 80 or len(shown.rstrip().splitlines()) < 24
    assert WELCOME not in start(home)


def test_in_a_pipe_and_in_one_shot_there_is_none(home):
    for arguments in ([], ["-p", "Hello"]):
        done = home.run("--provider", "demo", *arguments)
        assert done.returncode == 0 and WELCOME not in done.stdout + done.stderr


def test_in_plain_mode_on_a_terminal_there_is_one(home):
    assert WELCOME in start(home, SCRATCHY_PLAIN="1") and WELCOME not in start(home, SCRATCHY_PLAIN="1")


def test_who_has_settings_or_keeps_nothing_is_not_welcomed(home):
    assert WELCOME not in start(home, "--provider", "demo", "--no-session")
    (home.folder / "other").mkdir()
    other = Home(home.folder / "other")
    path = other.folder / "home" / ".config" / "scratchy" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('provider = "demo"\n')
    assert WELCOME not in start(other)


def test_where_nothing_can_be_remembered_nothing_is_repeated_at_each_start(home):
    (home.folder / "file").write_text("")
    assert WELCOME not in start(home, XDG_STATE_HOME=str(home.folder / "file" / "state"))
