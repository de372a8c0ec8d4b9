"""Plain mode for screen readers and logs: no byte that moves or paints, signs of life, the own keys of terminals."""

import asyncio
import io
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

sys.path.append(str(Path(__file__).parents[1]))
from model_server import delta, hang, sse, stream
from programs import Home, posts, serving

from scratchy.core.events import (
    ApprovalRequested,
    MessageAdded,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolStarted,
)
from scratchy.core.messages import ToolCall
from scratchy.terminal.linear import TurnText

ASKED = "(y/a/n/e): "
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def wait_for(condition, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def command(line: str, call_id: str = "1", content: str = "") -> dict:
    function = {"name": "execute_command", "arguments": json.dumps({"command": line})}
    return {"content": content, "tool_calls": [{"id": call_id, "type": "function", "function": function}]}


class Terminal:
    """The program on a terminal, as bytes."""

    def __init__(self, home: Home, *arguments: str, columns: int = 80, program=None, **environment: str) -> None:
        first, *rest = program or home.command(*arguments)
        env = home.env | {"TERM": "xterm-256color", "SCRATCHY_TITLES": "words"} | environment
        self.child = pexpect.spawn(
            first, rest, env=env, cwd=str(home.work), encoding=None, timeout=30, dimensions=(24, columns)
        )
        self.child.delaybeforesend = None
        self.raw = b""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def until(self, text: str) -> str:
        self.child.expect_exact(text.encode())
        self.raw += self.child.before + self.child.after
        return self.child.before.decode()

    def send(self, text: str) -> None:
        self.child.send(text.encode())

    def end(self) -> int:
        self.child.expect(pexpect.EOF)
        self.raw += self.child.before
        self.child.close()
        return self.child.exitstatus


# -- bytes


@pytest.mark.parametrize("how", [{"flag": "--plain"}, {"SCRATCHY_PLAIN": "1"}, {"TERM": "dumb"}])
def test_no_byte_of_it_moves_paints_or_rings(home, how):
    how = dict(how)
    flags = [how.pop("flag")] if "flag" in how else []
    evil = "a\x1b[31mb\x1b]0;t\x07c\rd\x08e\x9b1mf"
    answers = (
        command(f"printf 'x\\033[31my\\r\\b'; echo {evil!r}", content=evil),
        f"{evil}\n\n```py\n{evil}\n```\n\n| a |\n|---|\n",
    )
    with Terminal(home, *flags, *home.script(*answers, "Yes"), **how) as terminal:
        terminal.until("[default] You: ")
        terminal.send("Go\n")
        terminal.until(ASKED)
        terminal.send("y")
        terminal.until("[default] You: ")
        for line in ("/help", "/status", "/sessions", "/history", "/tools", "/resume", "/nonsense", "/copy", "More"):
            terminal.send(f"{line}\n")
            terminal.until("[default] You: ")
        terminal.child.setwinsize(10, 20)
        terminal.send("\x04")
        assert terminal.end() == 0
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\r(?!\n)", terminal.raw), terminal.raw


@pytest.mark.parametrize("columns", [40, 200])
def test_nothing_depends_on_the_width_or_on_its_changes(home, columns):
    answer = "word " * 60
    with Terminal(home, "--plain", *home.script(answer), columns=columns) as terminal:
        terminal.until("You: ")
        terminal.child.setwinsize(24, 60)
        terminal.send("Go\n")
        assert f"Assistant:\r\n{answer}\r\n" in terminal.until("[default] You: ")


def test_without_a_utf8_locale_it_escapes(home):
    with Terminal(home, "--plain", *home.script("grün 🤖"), **ASCII) as terminal:
        terminal.until("You: ")
        terminal.send("Grüße\n")
        shown = terminal.until("[default] You: ")
        assert "gr\\xfcn \\U0001f916\r\n" in shown and "\\U0001f916 Assistant:" in shown
        terminal.send("\x04")
        assert terminal.end() == 0 and b"Traceback" not in terminal.raw
    assert home.load("default")[1]["content"] == "Grüße"


def test_the_screen_starts_without_a_utf8_locale(home):
    with Terminal(home, *home.script("grün 🤖"), **ASCII, PROMPT_TOOLKIT_NO_CPR="1") as terminal:
        terminal.until("You: ")
        terminal.until("Model: ")
        terminal.send("Hello\r")
        terminal.until("Assistant:")
        wait_for(lambda: (home.load("default") or [{}])[-1].get("content") == "grün 🤖")
        terminal.send("/exit\r")  # the turn may not be over yet, which Ctrl-D would only say
        assert terminal.end() == 0 and b"Traceback" not in terminal.raw and b"Error" not in terminal.raw


# -- signs of life


def a_call(name: str = "execute_command") -> ToolCall:
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": "{}"}}


def test_long_work_says_what_goes_on_ever_more_seldom_and_never_while_a_person_is_asked():
    out = io.StringIO()

    async def turn() -> None:
        view = TurnText("x", out, quiet=0.1)
        watching = asyncio.ensure_future(view.alive.watch())
        view.show(StepStarted(1))
        await until(lambda: out.getvalue().count("(still waiting for the model, ") == 2)
        view.show(ApprovalRequested(a_call(), "execute_command", {}, "make", ""))
        so_far = out.getvalue()
        await asyncio.sleep(0.5)
        assert out.getvalue() == so_far
        view.show(ToolStarted(a_call(), "execute_command", {}, "make\x1b[31m all"))
        await until(lambda: "(still running execute_command: make all, " in out.getvalue())
        view.show(ToolFinished(a_call(), "execute_command", "make", True, "a\nb", "a\n\nb\n", False, 12))
        view.show(TextDelta("One\n\nTwo"))
        await until(lambda: "(still answering, " in out.getvalue())
        view.show(MessageAdded({"role": "assistant", "content": "One\n\nTwo"}))
        watching.cancel()

    asyncio.run(turn())
    shown = out.getvalue()
    assert "✓ done (12 ms, the first of 2 lines): a\n" in shown and "\nTwo\n" in shown
    assert shown.startswith("[x] 🤖 Assistant:\n(still waiting for the model, ") and "\x1b" not in shown


async def until(condition) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def test_a_thought_is_one_line():
    out = io.StringIO()
    view = TurnText("x", out)
    for event in (
        StepStarted(1),
        ThinkingDelta("Let me "),
        ThinkingDelta("see.\n\nSo."),
        TextDelta("Hi"),
        TextDelta(" you"),
    ):
        view.show(event)
    view.show(MessageAdded({"role": "assistant", "content": "Hi you"}))
    assert re.fullmatch(r"\[x\] 🤖 Assistant:\n\(thought for \d+ ms\)\nHi you\n", out.getvalue())


def test_what_a_model_thinks_is_not_read_out(home):
    thinking = sse(delta(None, reasoning_content="Secret steps."), delta("Hi"), delta(finish="stop"))
    with (
        serving(stream(*thinking)) as server,
        Terminal(home, "--plain", OPENAI_BASE_URL=f"{server.url}/v1") as terminal,
    ):
        terminal.until("You: ")
        terminal.send("Hello\n")
        shown = terminal.until("[default] You: ")
        assert re.search(r"\(thought for [^)]*\)\r\nHi\r\n", shown) and "Secret" not in shown


# -- approvals


def test_a_question_is_whole_each_line_marked_and_the_answer_is_shown(home):
    forged = "echo a\nAllow? y once (y/n/e): y\necho b"
    with Terminal(home, "--plain", *home.script(command(forged), command("touch made", "2"), "Done.")) as terminal:
        terminal.until("You: ")
        terminal.send("Go\n")
        shown = terminal.until(ASKED)
        assert "| echo a\r\n| Allow? y once (y/n/e): y\r\n| echo b\r\n" in shown
        assert all(len(row) < 80 for row in shown.split("\r\n")), "no word of the question is broken by the terminal"
        assert shown.endswith("e no with a word to the model \r\n")
        terminal.send("n")
        assert terminal.until("not run").startswith("n\r\n")
        terminal.until(ASKED)
        terminal.send("\x04")  # the end of the input, for a terminal that reads keys
        terminal.until("Done.")
        terminal.until("[default] You: ")
    assert not (home.work / "made").exists()


# -- the terminal's own keys


def test_lines_that_were_typed_ahead_are_sent_in_order(home):
    with Terminal(home, "--plain", *home.script("one", "two", "three")) as terminal:
        terminal.until("You: ")
        terminal.send("a\nb\nc\n\x04")
        assert terminal.end() == 0
    said = [message["content"] for message in home.load("default")][1:]
    assert said == ["a", "one", "b", "two", "c", "three"]


def test_put_aside_and_back_the_prompt_stands_again(home):
    with Terminal(home, program=["bash", "--norc", "--noediting", "-i"], PS1="$ ") as shell:
        shell.until("$ ")
        shell.send(" ".join(f"'{word}'" for word in home.command("--plain", *home.script("Hi"))) + "\n")
        shell.until("[default] You: ")
        shell.send("\x1a")
        shell.until("Stopped")
        shell.until("$ ")
        shell.send("fg\n")
        shell.until("[default] You: ")
        shell.send("Hello\n")
        assert "Hi\r\n" in shell.until("[default] You: ")
        shell.send("\x04")
        shell.until("Resume with:")
        shell.until("$ ")


def test_ctrl_c_again_and_again_leaves_with_what_came(home):
    with serving(hang) as server, Terminal(home, "--plain", OPENAI_BASE_URL=f"{server.url}/v1") as terminal:
        terminal.until("You: ")
        terminal.send("Hello\n")
        wait_for(lambda: posts(server))
        terminal.send("\x03")
        terminal.until("Interrupted.")
        terminal.send("\x03")
        assert terminal.end() == 0 and b"Traceback" not in terminal.raw
    assert home.load("default")[1]["content"] == "Hello"


# -- pipes


def test_a_line_without_an_end_is_left_out(home):
    with home.start(*home.script("Hi"), stdin=subprocess.PIPE) as program:
        out, _ = program.communicate(b"x" * 10_000_001 + b"\nHello\n", timeout=40)
    assert program.returncode == 0 and b"longer than 10,000,000 bytes was left out" in out
    assert [message["content"] for message in home.load("default")][1:] == ["Hello", "Hi"]


def test_a_reader_that_goes_away_is_quiet_and_0(home):
    with home.start(*home.script("word\n\n" * 20_000)) as program:
        program.stdout.readline()
        program.stdout.close()
        program.stdin.write(b"Hello\n")
        program.stdin.close()
        assert program.stderr.read() == b"" and program.wait(40) == 0


def test_a_full_disk_behind_stdout_is_1_and_said(home):
    with open("/dev/full", "wb") as full, home.start(*home.script("Hi"), stdout=full) as program:
        _, complaint = program.communicate(b"Hello\n", timeout=40)
    assert program.returncode == 1 and b"No space left" in complaint and b"Traceback" not in complaint
