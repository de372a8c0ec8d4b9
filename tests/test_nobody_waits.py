"""What would ask a person never waits where nobody can answer: stdin from a pipe, from /dev/null or closed, and a
terminal on stdin whose question nobody would see."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from model_server import hello, stream
from programs import Home, serving

CALL = {
    "id": "1",
    "type": "function",
    "function": {"name": "execute_command", "arguments": '{"command": "touch made"}'},
}
ASKING: dict[str, tuple[list[str], set[int], str]] = {
    "trust": (["models", "--provider", "demo"], {0, 1}, "Not trusted, so not used: base_url"),
    "trust of a one shot": (["--provider", "demo", "-p", "Hello"], {0}, "Not trusted, so not used: base_url"),
    "doctor": (["doctor", "--fix"], {1}, "Nothing was repaired: give --yes"),
    "trash": (["session", "trash", "empty"], {1}, "Nothing was removed: say --yes"),
    "picker": (["-r"], {2}, "--resume needs an id here"),
    "key": (["config", "set", "keys.OPENAI_API_KEY"], {2}, "No key came in"),
}


@pytest.fixture
def home(tmp_path) -> Home:
    """With something to ask about: a project's file, a damaged session, a full trash, two sessions."""
    made = Home(tmp_path)
    for name in ("one", "two", "gone"):
        made.save(name, {"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"})
    made.run("session", "delete", "gone")
    path = made.sessions / "two_chat.toon"
    path.write_bytes(path.read_bytes()[:-9])
    (made.work / ".scratchy").mkdir()
    (made.work / ".scratchy" / "config.toml").write_text('base_url = "http://127.0.0.1:1"\n')
    return made


@pytest.mark.parametrize("stdin", ["", "</dev/null", "<&-", ">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("what", ASKING)
def test_without_a_terminal_it_ends_by_itself(home, what, stdin):
    arguments, codes, words = ASKING[what]
    shell = ["sh", "-c", f'exec "$@" {stdin}', "sh", *home.command(*arguments)]
    done = subprocess.run(
        shell, input="y\n" if stdin == "" and what != "key" else "", capture_output=True, text=True, env=home.env,
        cwd=home.work, timeout=50, check=False,
    )  # fmt: skip
    assert done.returncode in codes and "Traceback" not in done.stderr, done
    assert words in done.stdout + done.stderr or ">&-" in stdin
    assert not (home.state / "trusted.json").exists() and "gone" in home.run("session", "trash", "list").stdout


@contextmanager
def on_a_terminal(home: Home, *arguments: str, **more: Any) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The program with a terminal on stdin alone, and the end of it where a person types."""
    ours, theirs = os.openpty()
    program = subprocess.Popen(
        home.command(*arguments), stdin=theirs, stdout=subprocess.PIPE, env=home.env, cwd=home.work,
        start_new_session=True, **({"stderr": subprocess.PIPE} | more),
    )  # fmt: skip
    os.close(theirs)
    try:
        yield program, ours
    finally:
        program.kill()
        program.communicate()
        os.close(ours)


@pytest.mark.parametrize("what", [name for name in ASKING if name != "key"])
def test_a_question_that_nobody_would_see_is_not_asked(home, what):
    arguments, codes, words = ASKING[what]
    with on_a_terminal(home, *arguments) as (program, _):
        out, err = program.communicate(timeout=50)
    assert program.returncode in codes and words.encode() in out + err


def test_a_call_that_nobody_would_see_is_refused(home):
    answers = home.script({"content": "", "tool_calls": [CALL]}, "Done.")
    with on_a_terminal(home, *answers, "-p", "Go") as (program, _):
        out, _ = program.communicate(timeout=50)
    assert out == b"Done.\n" and not (home.work / "made").exists()


def test_a_question_goes_where_it_is_seen_and_not_into_the_pipe(home):
    ours, theirs = os.openpty()
    with (
        serving(stream(*hello("Hi"))) as server,
        on_a_terminal(home, "--base-url", f"{server.url}/v1", "-p", "Hello", stderr=theirs) as (program, keys),
    ):
        os.close(theirs)
        shown = b""
        until = time.monotonic() + 40
        while b"(y/N): " not in shown and time.monotonic() < until:
            shown += os.read(ours, 4096)
        os.write(keys, b"n\n")
        out, _ = program.communicate(timeout=50)
    os.close(ours)
    assert b"wants to set" in shown and out == b"Hi\n" and not (home.state / "trusted.json").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--provider", "demo", "-p", "Hello"], ["models", "--provider", "demo"], ["acp"], ["config"],
        ["--provider", "demo"], ["--provider", "scripted", "-m", "pipe", "-p", "Hello"],
        ["--provider", "demo", "--system", "@pipe", "-p", "Hello"],
        ["--provider", "demo", "--system", "@/dev/zero", "-p", "Hello"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_no_file_is_not_waited_for(home, arguments):
    """A FIFO whose other end nobody opens; a device that never ends."""
    os.mkfifo(home.work / "pipe")
    if not {"pipe", "@pipe", "@/dev/zero"} & set(arguments):
        (home.work / ".scratchy" / "config.toml").unlink()
        os.mkfifo(home.work / ".scratchy" / "config.toml")
    done = home.run(*arguments)
    assert done.returncode in (1, 2) and "it is no regular file" in done.stderr and "Traceback" not in done.stderr


def test_what_a_shell_hands_on_as_a_file_is_read(home):
    script = 'exec "$@" --system @<(echo "Only rhymes.") -s x -p Hello'
    shell = ["bash", "-c", script, "bash", *home.command(*home.script("Hi"))]
    done = subprocess.run(shell, capture_output=True, text=True, env=home.env, cwd=home.work, timeout=50, check=False)
    assert done.returncode == 0 and home.load("x")[0]["content"] == "Only rhymes.\n", done.stderr
