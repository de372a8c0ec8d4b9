"""Plain mode and its commands: every one of them, in a pipe and on a terminal, and one that has a bug; what stands
behind it is said all the same. Not here: what commands do (tests/test_commands.py and others)."""

import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

sys.path.append(str(Path(__file__).parents[1]))
from programs import Home

from scratchy.commands.dispatch import COMMANDS

ARGUMENTS = {
    "help": "keys", "new": "work", "resume": "default", "rename": "mine", "title": "A title", "tag": "+x",
    "fork": "copy", "rewind": "1", "redo": "mine", "delete": "work", "restore": "work", "search": "Hello",
    "history": "2", "model": "demo", "editor": "text", "export": "out.md", "import": "out.md", "theme": "dark",
    "doctor": "fix",
}  # fmt: skip
LINES = [
    f"/{name}{argument}"
    for entry in COMMANDS
    if entry.name != "exit"
    for name in (entry.name, *entry.aliases)
    for argument in ("", *([f" {ARGUMENTS[entry.name]}"] if entry.argument else []))
]
BUGGY = """
import sys
from scratchy import failing, starting
from scratchy.terminal import plain
from scratchy.terminal.boot import Commands

async def broken(desk, line, *, busy=False):
    raise AttributeError("a bug of ours")

flags = {"provider": "demo"}
load = lambda folder, ask: starting.load_config(flags, folder, ask=ask)
wanted = starting.Start(
    starting.load_config(flags), load=load, session="x", resume=None, proceed=False, no_session=False
)
sys.exit(plain.run(wanted.boot()._replace(commands=Commands(broken, list))))
"""


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def test_after_every_command_in_a_pipe_the_next_line_is_read(home):
    done = home.run(*home.script("Hi", *["More"] * 9), stdin="\n".join(["Hello", *LINES, "The last", "/exit", "never"]))
    assert done.returncode == 0 and "went wrong" not in done.stderr and "command failed" not in done.stdout, done
    assert done.stdout.count("] You: ") == len(LINES) + 3 and "Interrupted" not in done.stdout
    assert "🤖 Assistant:\n" in done.stdout.split("] You: ")[-2]
    assert b"The last" in home.every_byte() and b"never" not in home.every_byte()


def test_after_every_command_on_a_terminal_the_prompt_stands_again(home):
    first, *rest = home.command("--plain", *home.script("Hi", *["More"] * 9))
    child = pexpect.spawn(
        first, rest, env=home.env | {"TERM": "dumb"}, cwd=str(home.work), encoding="utf-8", timeout=40
    )
    try:
        child.delaybeforesend = None
        child.expect_exact("] You: ")
        for line in ("Hello", *LINES, "The last"):
            child.send(f"{line}\n")
            child.expect_exact("] You: ")
            assert "went wrong" not in child.before and "command failed" not in child.before, child.before
        child.send("/exit\n")
        child.expect(pexpect.EOF)
        child.close()
    finally:
        child.close(force=True)
    assert child.exitstatus == 0 and b"The last" in home.every_byte()


def test_a_bug_in_a_command_ends_the_command_and_not_the_lines_behind_it(home):
    done = subprocess.run(
        [sys.executable, "-c", BUGGY], input="/status\nHello there\n", capture_output=True, encoding="utf-8",
        env=home.env, cwd=home.work, timeout=40, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert "The command failed: AttributeError: a bug of ours\n[x] You: " in done.stdout
    assert [message["content"] for message in home.load("x")][1] == "Hello there"


def test_a_command_that_nobody_reads_ends_the_program_quietly(home):
    with home.start(*home.script("Hi")) as program:
        program.stdout.readline()
        program.stdout.close()
        program.stdin.write(b"/help\n/status\n")
        program.stdin.close()
        assert program.stderr.read() == b"" and program.wait(40) == 0
