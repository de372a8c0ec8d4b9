"""Completion in shells: what is offered, and that a real shell puts it into the line as one word and runs nothing."""

import os
import shlex
import shutil
import subprocess
import sys
from typing import Any

import pexpect
import pytest
import typer.main
from model_server import hello, stream
from programs import ROOT, Home, serving

from scratchy import cli
from scratchy.compose.seen import known_models, note_models
from scratchy.shell.bash_words import parse, replies
from scratchy.shell.completion import FILES, FOLDERS, VALUES, offer
from scratchy.shell.completion_scripts import SHELLS

PROGRAM = typer.main.get_command(cli.app)
BREAKS = " \t\n\"'@><=;|&(:"
HERE = [shell for shell in SHELLS if shutil.which(shell)]  # bash always
ODD = ["my trip", "it's", 'q"uote', "$HOME", "$(touch pwned)", "a`touch pwned`", "x;touch pwned", "agent:main:cli",
       "日本語", "ex!cl", "k=v", "@at", "*", "~me", "a\\b", "c&d", "{e,f}", "#g"]  # fmt: skip
SAID = {"role": "user", "content": "Hello"}


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    made = Home(tmp_path)
    for name, value in made.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(made.work)
    return made


def offered(*words: str) -> list[str]:
    found = offer(PROGRAM, words[:-1], words[-1])
    return [found.head + value for value, _ in found.values]


# -- what is offered


def test_subcommands_and_flags_are_those_of_the_program(home):
    assert {"session", "models", "doctor", "completion"} <= set(offered(""))
    assert offered("session", "tr") == ["tree", "trash"] and offered("session", "trash", "e") == ["empty"]
    assert {"--session", "--resume", "--help"} <= set(offered("-")) and "--around" not in offered("--")
    assert "--around" in offered("session", "show", "--") and offered("session", "show", "--ar") == ["--around"]
    assert offered("--", "--s") == [] and offered("nonsense", "") == [] and offered("nonsense", "-") == ["--help"]


def test_values_of_flags(home):
    assert offered("--output-format", "") == list(cli.FORMATS) and offered("--output-format=j") == [
        "--output-format=json"
    ]
    assert offered("--approval-mode", "a") == ["ask", "accept-edits"]
    assert offered("--provider", "o") == ["openai", "ollama"] and offered("--provider=lo") == ["--provider=local"]
    assert offered("completion", "") == list(SHELLS) and "html" in offered("session", "export", "--format", "")
    for words in (["--cwd", ""], ["--add-dir=x"], ["session", "list", "--sessions-dir", "x"]):
        assert offer(PROGRAM, words[:-1], words[-1]).kind == FOLDERS
    for words in (["session", "import", ""], ["session", "export", "one", "x"], ["--system", "@x"], ["-m", "./x"]):
        assert offer(PROGRAM, words[:-1], words[-1]).kind == FILES
    for words in (["-p", ""], ["--system", "x"], ["--name", ""], ["session", "search", "x"], ["--plain=x"], ["--no=x"]):
        assert (offer(PROGRAM, words[:-1], words[-1]).kind, offered(*words)) == (VALUES, [])


def test_settings_and_their_values(home):
    assert offered("config", "") == ["get", "set", "unset", "path", "explain"]
    assert offered("config", "get", "th") == ["theme"] and offered("config", "path", "") == []
    assert offered("config", "set", "keys.G") == ["keys.GEMINI_API_KEY", "keys.GROQ_API_KEY"]
    assert offered("config", "set", "plain", "") == ["true", "false"] and "dark" in offered(
        "config", "set", "theme", ""
    )
    assert offered("config", "set", "model", "") == [] and offered("config", "set", "provider", "ol") == ["ollama"]


def test_sessions_are_offered_wherever_one_is_named_the_newest_first(home):
    for at, name in enumerate(("one", "two", "-dash", "tea")):
        home.save(name, SAID)
        path = next(home.sessions.glob(f"{name}_chat.toon"))
        os.utime(path, (at, at))
    for words in (
        ["-s"], ["--session"], ["-r"], ["--resume"], ["--fork"], ["-yr"], ["--plain", "-s"], ["session", "show"],
        ["session", "delete"], ["session", "delete", "one"], ["session", "rename"], ["session", "verify", "x", "y"],
        ["session", "export"], ["session", "tag"], ["session", "title"], ["session", "fork"], ["session", "watch"],
    ):  # fmt: skip
        assert offered(*words, "") == ["tea", "two", "one"], words
    assert offered("--resume=") == ["--resume=tea", "--resume=-dash", "--resume=two", "--resume=one"]
    assert offered("session", "show", "--", "-") == ["-dash"] and offered("-s", "t") == ["tea", "two"]
    assert offered("-r", "--output-format", "te") == ["text"] and offered("session", "import", "--session", "") == []
    assert offered("session", "rename", "one", "") == [] and offered("session", "show", "one", "") == []
    assert offered("--sessions-dir", "/nowhere", "-s", "") == []
    home.run("session", "delete", "two")
    assert offered("-s", "t") == ["tea"] and offered("session", "restore", "") == ["two"]
    assert (
        offered("session", "trash", "restore", "")[0] == "two" and len(offered("session", "trash", "restore", "")) == 2
    )


def test_titles_stand_beside_and_bring_no_control_sequence(home):
    home.run(*home.script("Hi"), "-s", "trip", "-n", "To\tthe \x1b[31msea", "-p", "Hello")
    [(value, note)] = offer(PROGRAM, ["-s"], "tr").values
    assert value == "trip" and "sea" in note and note.isprintable()


def test_files_of_others_and_a_broken_folder_offer_nothing_odd(home):
    home.sessions.mkdir()
    for name in ("a%0Ab", "%1B[31m", "%E2%80%AEx", "bad%ZZ", ".hidden", "x\n", "y\x1b[31m", "z~" + "0" * 32):
        (home.sessions / f"{name}_chat.toon").write_bytes(b"\0")
    (home.sessions / "folder_chat.toon").mkdir()
    (home.sessions / "link_chat.toon").symlink_to("/etc/passwd")
    os.mkfifo(home.sessions / "pipe_chat.toon")
    (home.sessions / "Damaged_chat.toon").write_bytes(b"\0")
    assert offered("-s", "") == ["Damaged"]


def test_models_come_from_what_was_seen(home):
    assert offered("-m", "ol") == ["ollama/"] and known_models() == []
    note_models("ollama", ["qwen3:8b", "bad\x1b[31m", "", "line\nbreak", "x" * 300])
    note_models("openai", ["gpt-5", "qwen"])
    note_models("scripted", ["answers.json"])
    assert known_models() == ["openai/gpt-5", "openai/qwen", "ollama/qwen3:8b"]
    assert offered("-m", "o")[:3] == known_models() and offered("--model=oll") == [
        "--model=ollama/qwen3:8b",
        "--model=ollama/",
    ]
    assert offered("--provider", "ollama", "-m", "") == ["qwen3:8b"]
    assert (home.state / "models").stat().st_mode & 0o777 == 0o600
    for damage in (b"\xff\xfe\0\0", b"\x1b]0;title\x07/x\nok/fine\n" + b"y" * 100_000):
        (home.state / "models").write_bytes(damage)
        assert [name for name in offered("-m", "") if not name.endswith("/")] in ([], ["ok/fine"])


def test_a_turn_and_a_listing_leave_their_models(home):
    with serving(stream(*hello())) as server:
        url = f"{server.url}/v1"
        assert home.run("--base-url", url, "-m", "named", "-p", "Hello").returncode == 0
        assert known_models() == ["openai/named"]
        assert home.run("models", "--base-url", url).returncode == 0
    assert known_models() == ["openai/tiny", "openai/named"]


# -- the protocol


def ask(home: Home, *words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return home.run("completion", *words, env=env)


def test_what_goes_wrong_offers_nothing_and_says_nothing(home):
    (home.folder / "home" / ".config" / "scratchy").mkdir(parents=True)
    (home.folder / "home" / ".config" / "scratchy" / "config.toml").write_text("broken = ")
    for words in (["zsh", "-s", ""], ["bash", "scratchy -s ", BREAKS], ["fish", "-s", ""]):
        done = ask(home, *words, SCRATCHY_SESSIONS_DIR="")
        assert (done.returncode, done.stderr) == (0, "") and "Traceback" not in done.stdout
    home.sessions.write_text("a file")
    assert ask(home, "zsh", "-s", "").stdout in ("", "values\t\n")


def test_tab_asks_no_server_writes_nothing_and_imports_nothing_heavy(home):
    home.save("one", SAID)
    before = sorted(home.folder.rglob("*"))
    code = (
        "import sys; sys.argv = ['scratchy', 'completion', 'zsh', '-s', '']\nfrom scratchy.cli import main\n"
        "try: main()\nexcept SystemExit: print(*sys.modules)"
    )
    for word in ("-s", "-m", "session"):
        program = code.replace("-s", word)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        heavy = {"httpx", "rich", "prompt_toolkit", "asyncio", "ssl", "socket", "sqlite3"}
        assert heavy & set(done.stdout.split()) == set()
    assert sorted(home.folder.rglob("*")) == before


def test_the_script_is_printed_for_the_shells_that_there_are(home):
    for shell in SHELLS:
        done = home.run("completion", shell)
        assert done.returncode == 0 and str(ROOT / "run_agent.py") in done.stdout and "@PROGRAM@" not in done.stdout
        assert "eval" not in "".join(line for line in done.stdout.splitlines() if not line.startswith("#"))
    for wrong in (["completion"], ["completion", "tcsh"]):
        assert home.run(*wrong).returncode == 2
    assert "bash" in home.run("completion", "tcsh").stderr


# -- bash's words


@pytest.mark.parametrize(
    ("line", "words", "word", "head"),
    [
        ("scratchy ", [], "", ""), ("scratchy -s my\\ t", ["-s"], "my t", ""),
        ("scratchy -s 'my t", ["-s"], "my t", ""),
        ('scratchy -s "a\\"b\\c', ["-s"], 'a"b\\c', ""), ("scratchy -s agent:ma", ["-s"], "agent:ma", "agent:"),
        ("scratchy -s agent\\:ma", ["-s"], "agent:ma", ""), ("scratchy --session=a", [], "--session=a", "--session="),
        ('scratchy --session="a b', [], "--session=a b", "--session="), ("scratchy '' x", [""], "x", ""),
        ("scratchy -s 'a:b'", ["-s"], "a:b", ""), ("scratchy -s \\", ["-s"], "", ""), ("", [], "", ""),
    ],
)  # fmt: skip
def test_a_line_of_bash(line, words, word, head):
    found = parse(line, BREAKS)
    assert (found.words, found.word) == (words, word) and (found.head == head or found.quote or "'a:b'" in line)


@pytest.mark.parametrize("begun", ["", "'", '"'])
@pytest.mark.parametrize("value", [value for value in ODD if "!" not in value])
def test_what_bash_inserts_is_that_word_again(begun, value):
    [kind, reply] = replies(parse(f"scratchy -s {begun}", BREAKS), VALUES, [value])
    done = subprocess.run(
        ["bash", "-c", f"printf '<%s>' {begun}{reply}{begun}"], capture_output=True, text=True, check=True
    )
    assert (kind, done.stdout) == (VALUES, f"<{value}>")


# -- real shells

_SPAWN = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"], "fish": ["--no-config", "-i"]}
_PRINTS = 'scratchy() {{ printf "<%s>" "$@"; echo; }}'
_LOAD = {
    "bash": f'bind "set enable-bracketed-paste off"; eval "$({{}} completion bash)"; {_PRINTS}',
    "zsh": f'autoload -U compinit; compinit -D -u; eval "$({{}} completion zsh)"; {_PRINTS}',
    "fish": '{} completion fish | source; function scratchy; printf "<%s>" $argv; echo; end',
}


class Shell:
    """An interactive shell in which `scratchy` only prints its arguments, each in <>; its completion is real."""

    def __init__(self, home: Home, name: str) -> None:
        env = home.env | {"TERM": "xterm", "PS1": "> ", "INPUTRC": "/dev/null", "HISTFILE": "", "LC_ALL": "C.UTF-8"}
        self._child: Any = pexpect.spawn(
            shutil.which(name) or name, _SPAWN[name], env=env, cwd=home.work, dimensions=(40, 200), encoding="utf-8"
        )
        self._child.delaybeforesend = None
        self.send(_LOAD[name].format(shlex.join(home.command())) + '; echo LO""ADED\r')
        self._child.expect("LOADED\r\n", timeout=30)

    def send(self, text: str) -> None:
        self._child.send(text)

    def completes(self, line: str) -> str:
        """The arguments that the shell calls with after Tab and Enter."""
        self.send(f"{line}\t")
        self.send("\r")
        self._child.expect(r"(<[^\r\n]*>)[^<>\r\n]*[\r\n]", timeout=30)
        return str(self._child.match[1])

    def close(self) -> None:
        self._child.close(force=True)


@pytest.mark.parametrize("name", HERE)
def test_a_real_shell_completes(home, name):
    for one in ("trip", "my trip", "agent:main:cli", "it's", "$(touch pwned)", "x;touch pwned", "日本語", "-dash"):
        home.save(one, SAID)
    shell = Shell(home, name)
    try:
        for line, called in (
            ("scratchy sess", "<session>"), ("scratchy -s my", "<-s><my trip>"), ("scratchy -s 'my", "<-s><my trip>"),
            ('scratchy -s "my', "<-s><my trip>"), ("scratchy --session=my", "<--session=my trip>"),
            ("scratchy -s agent:ma", "<-s><agent:main:cli>"), ("scratchy -s it", "<-s><it's>"),
            ("scratchy -s x", "<-s><x;touch pwned>"), ("scratchy -s \\$", "<-s><$(touch pwned)>"),
            ("scratchy session show 日", "<session><show><日本語>"), ("scratchy --session=-", "<--session=-dash>"),
            ("scratchy --output-format j", "<--output-format><json>"), ("scratchy --cwd /us", "<--cwd></usr/>"),
            ("scratchy -m ol", "<-m><ollama/>"), ("X=1 scratchy -r tr", "<-r><trip>"),
        ):  # fmt: skip
            assert shell.completes(line).replace("/>", ">") == called.replace("/>", ">")  # zsh takes a last / back
    finally:
        shell.close()
    assert list(home.work.iterdir()) == []
