"""`scratchy session watch`: a live session is followed without a lock; and what a second window is told."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
from programs import ROOT, Home
from sessionbench import answer, user
from test_shell_doctor import Person

from scratchy import MemoryStore, SessionManager
from scratchy.core.errors import SessionLockedError, SessionNotFoundError
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
from scratchy.store.watch import New, Said, Watch

PATIENCE = 40.0
FUNCTION = {"name": "read_file", "arguments": '{"file_path": "notes.txt"}'}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": FUNCTION}]}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


class Watcher:
    """The program, watching; `out` and `err` grow as it prints."""

    def __init__(self, home: Home, *arguments: str) -> None:
        self.process = home.start("session", "watch", *arguments)
        self.out, self.err = "", ""
        self._threads = [
            threading.Thread(target=self._read, args=(name, stream))
            for name, stream in (("out", self.process.stdout), ("err", self.process.stderr))
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, name: str, stream: Any) -> None:
        for line in stream:
            setattr(self, name, getattr(self, name) + line.decode())

    def shows(self, words: str) -> None:
        wait(lambda: words in self.out + self.err, lambda: f"{words!r} not in:\n{self.out}\n{self.err}")

    def end(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


def wait(done: Callable[[], bool], why: Callable[[], str] = str) -> None:
    until = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < until, why()
        time.sleep(0.02)


@pytest.fixture
def watching(home: Home) -> Iterator[Callable[..., Watcher]]:
    made: list[Watcher] = []

    def start(*arguments: str) -> Watcher:
        made.append(Watcher(home, *arguments))
        return made[-1]

    yield start
    for watcher in made:
        watcher.end(signal.SIGKILL)


def test_a_live_session_is_shown_as_it_is_stored(home: Home, watching: Callable[..., Watcher]) -> None:
    home.save("x", *(user(f"old {number}") for number in range(9)))
    writer = FileStore(home.sessions).open("x")
    watcher = watching("x")
    watcher.shows("old 8")
    watcher.shows(f"process {os.getpid()} has open")
    assert "old 3" not in watcher.out
    writer.append([user("a line\x1b]0;owned\x07"), CALL, answer("an answer")])
    watcher.shows("an answer")
    assert "#10 You: a line\n" in watcher.out and "→ read_file notes.txt" in watcher.out
    assert "\x1b" not in watcher.out + watcher.err
    writer.cut(9)
    watcher.shows("was cut back: 9 messages now")
    writer.append([user("another way")])
    watcher.shows("#10 You: another way")
    writer.replace([], "cleared")
    watcher.shows("was cleared")
    writer.close()
    assert watcher.end() == 0 and "Traceback" not in watcher.err


def test_as_json_each_message_is_a_line(home: Home, watching: Callable[..., Watcher]) -> None:
    home.save("x", user("one"))
    watcher = watching("x", "--json")
    watcher.shows("one")
    SessionManager(home.sessions).append_message("x", answer("two\nlines \u2028 \x9b"))
    watcher.shows("two")
    assert watcher.end() == 0
    assert [json.loads(line)["content"] for line in watcher.out.split("\n") if line] == [
        "one",
        "two\nlines \u2028 \x9b",
    ]
    assert "\x9b" not in watcher.out


def test_a_rename_is_followed_and_a_delete_ends_it(home: Home, watching: Callable[..., Watcher]) -> None:
    home.save("x", user("one"))
    watcher = watching("x")
    watcher.shows("one")
    manager = SessionManager(home.sessions)
    manager.rename("x", "y z")
    watcher.shows("it is 'y z' now")
    manager.append_message("y z", user("after"))
    watcher.shows("after")
    assert watcher.out.count("one") == 1
    manager.delete_session("y z")
    watcher.shows("was deleted")
    assert watcher.process.wait(PATIENCE) == 0


def test_damage_is_said_once_and_waited_out(home: Home, watching: Callable[..., Watcher]) -> None:
    home.save("x", user("one"))
    path = home.sessions / "x_chat.toon"
    good = path.read_bytes()
    watcher = watching("x")
    watcher.shows("one")
    path.write_bytes(b"garbage")
    watcher.shows("Waiting for it to be readable")
    path.write_bytes(good)
    SessionManager(home.sessions).append_message("x", user("healed"))
    watcher.shows("healed")
    assert watcher.err.count("Waiting") == 1


def test_unknown_is_1_and_one_that_is_only_open_is_waited_for(home: Home, watching: Callable[..., Watcher]) -> None:
    done = home.run("session", "watch", "nobody")
    assert done.returncode == 1 and "'nobody' not found" in done.stderr
    writer = FileStore(home.sessions).open("new", create=Header("new", "", ""))
    watcher = watching("new")
    watcher.shows("has open")
    writer.append([user("the first")])
    watcher.shows("the first")
    writer.close()


def test_a_real_window_is_watched_and_the_watch_costs_next_to_nothing(
    home: Home, watching: Callable[..., Watcher]
) -> None:
    env = {**home.env, "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    command = [str(ROOT / "run_agent.py"), *home.script("From the model"), "-s", "live"]
    child: Any = pexpect.spawn(sys.executable, command, env=env, cwd=str(home.work), timeout=PATIENCE, encoding="utf-8")
    child.delaybeforesend = None
    try:
        child.expect("You:")
        watcher = watching("live")
        watcher.shows(f"process {child.pid}")
        child.send("Typed in the window\r")
        wait(lambda: len(home.load("live") or []) == 3)
        watcher.shows("From the model")
        assert "You: Typed in the window" in watcher.out
        before = ticks(watcher.process.pid)
        time.sleep(3)
        assert ticks(watcher.process.pid) - before < 10  # hundredths of a second
        child.send("/exit\r")
        child.expect(pexpect.EOF)
        assert watcher.end() == 0
    finally:
        child.close(force=True)


def ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


# -- what a look finds, without a program


def test_a_look_at_what_did_not_change_reads_nothing() -> None:
    store = MemoryStore()
    with pytest.raises(SessionNotFoundError):
        Watch(store, "x")
    writer = store.open("x", create=Header("x", "", ""))
    writer.append([user("1"), answer("2")])
    watch = Watch(store, "x", last=1)
    assert list(watch.look()) == [New(2, answer("2"))]
    assert list(watch.look()) == []
    writer.append([user("3"), answer("4"), user("5")])
    assert [news.number for news in watch.look() if isinstance(news, New)] == [3, 4, 5]
    writer.replace([user("other"), answer("words"), user("3"), answer("4"), user("new"), answer("6")], "replaced")
    said, *shown = watch.look()
    assert isinstance(said, Said) and "written anew" in said.text and shown == [New(6, answer("6"))]
    writer.close()
    store.delete("x")
    assert list(watch.look()) == []
    assert [news.over for news in watch.look() if isinstance(news, Said)] == [True]


# -- two windows

HOLDER = """
import sys
from scratchy import SessionManager
writer = SessionManager(sys.argv[1]).store.open(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(home: Home) -> Iterator["subprocess.Popen[str]"]:
    home.save("x y", user("hello"))
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(home.sessions), "x y"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def told_everywhere(home: Home) -> list[str]:
    """What a second window, a one-shot and the shell say of the held session."""
    once = home.run(*home.script("Hi"), "-s", "x y", "-p", "Hello")
    started = home.run(*home.script("Hi"), "-r", "x y")
    typed = home.run(*home.script("Hi"), "-s", "other", stdin="/resume x y\n")
    shell = home.run("session", "delete", "x y")
    assert (once.returncode, started.returncode, typed.returncode, shell.returncode) == (75, 75, 0, 75)
    return [once.stderr, started.stderr, typed.stdout, shell.stdout + shell.stderr]


def test_the_second_window_is_told_who_and_three_ways(home: Home, holder: "subprocess.Popen[str]") -> None:
    for told in told_everywhere(home):
        assert f"held by process {holder.pid} on {os.uname().nodename} since 20" in told
        assert "`scratchy session watch 'x y'`" in told and "`scratchy --fork='x y'`" in told
        assert "free when that process ends" in told and "stopped" not in told


def test_a_stopped_holder_is_named_and_never_overridden(home: Home, holder: "subprocess.Popen[str]") -> None:
    holder.send_signal(signal.SIGSTOP)
    os.waitpid(holder.pid, os.WUNTRACED)
    for told in told_everywhere(home):
        assert "which is stopped" in told and f"kill -CONT {holder.pid}" in told
    holder.send_signal(signal.SIGCONT)
    assert home.load("x y") == [user("hello")]


def test_a_dead_holder_leaves_the_session_free(home: Home, holder: "subprocess.Popen[str]") -> None:
    with pytest.raises(SessionLockedError):
        SessionManager(home.sessions).append_message("x y", user("no"))
    holder.kill()
    holder.wait()
    done = home.run(*home.script("Hi"), "-r", "x y", "-p", "Hello")
    assert done.returncode == 0 and [message["content"] for message in home.load("x y") or []][-1] == "Hi"


def test_two_windows_on_terminals(home: Home) -> None:
    with Person(home, *home.script("Hi"), "-s", "x") as first, Person(home, *home.script("Hi"), "-s", "y") as second:
        first.sees("[x] You:")
        first.child.send("Hello\r")
        wait(lambda: len(home.load("x") or []) == 3)
        second.sees("[y] You:")
        second.child.send("/resume x\r")
        second.sees("is free when that process ends")
        assert second.has(f"held by process {first.child.pid}") and second.has("`scratchy session watch x`")
        first.child.kill(signal.SIGKILL)
        first.child.wait()
        second.child.send("/resume x\r")
        second.sees("Resumed session: 'x' (3 messages)")
        second.child.send("And on\r")
        wait(lambda: len(home.load("x") or []) == 5)
    assert [message["role"] for message in home.load("x") or []][1:] == ["user", "assistant"] * 2
