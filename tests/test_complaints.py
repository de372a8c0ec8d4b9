"""What people complain about most in programs of this kind, each complaint held by a test through the real program and
real files. Their numbers are those of the list that the project started from; 8 and 10 are tried in tests/terminal and
tests/test_cli.py."""

import json
import os
import random
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from draftbench import Home, kill, serving, soon, standing

from scratchy import SessionManager
from scratchy.core.messages import text_of
from scratchy.terminal.approve import CALM

MEGABYTES = 200 if os.environ.get("CI_LONG") else 20
RECORDS = "\u2028 \u2029 \x85 \x0b \x0c \x1c \x1d \x1e \r \r\n \n"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with serving() as model:
        yield Home(tmp_path, model)


def save(home: Home, session_id: str, *texts: str) -> None:
    """A session in which the person and the model took turns."""
    roles = ("user", "assistant")
    messages = [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]
    SessionManager(home.sessions).save_session(session_id, messages)


def texts(home: Home, session_id: str) -> list[str]:
    return [text_of(message) for message in home.store.load(session_id)[1] if message["role"] != "system"]


# -- 1. Sessions lost: by retention, in a crash, by a resume that saved nothing, in another session's file


def test_complaint_1_sessions_lost_by_age(home: Home) -> None:
    for number in range(12):
        save(home, f"old {number}", "Hello", "Hi")
    for path in home.sessions.glob("*.toon"):
        path.write_bytes(re.sub(rb'updated_at: "20\d\d', b'updated_at: "2001', path.read_bytes()))
        os.utime(path, (1_000_000_000, 1_000_000_000))
    before = {path: path.read_bytes() for path in home.sessions.glob("*.toon")}
    home.run(*home.flags, "-p", "hi")
    home.run(*home.flags, stdin="hi\n/sessions\n/trash\n/doctor\n/exit\n")
    home.run("doctor", "--fix", "--yes")
    home.run("session", "trash", "empty", "--yes")
    assert len(before) == 12 and before == {path: path.read_bytes() for path in before}
    listed = json.loads(home.run("session", "list", "--json").stdout)
    assert {row["id"] for row in listed} >= {f"old {number}" for number in range(12)}


def test_complaint_1_sessions_lost_in_a_crash(home: Home) -> None:
    with home.start(*home.flags, "-s", "work") as program:
        assert program.stdin is not None
        program.stdin.write(b"one\n")
        program.stdin.flush()
        soon(lambda: home.store.exists("work") and len(texts(home, "work")) == 2)
        home.model.free.clear()
        program.stdin.write(b"two\n")
        program.stdin.flush()
        soon(lambda: len(home.model.asked) == 2)
        program.kill()
    assert texts(home, "work") == ["one", "Answer 1", "two"]


def test_complaint_1_sessions_lost_by_a_resume_that_saves_elsewhere(home: Home) -> None:
    save(home, "mine", "Hello", "Hi")
    save(home, "other", "Something", "else")
    untouched = next(home.sessions.glob("other*.toon"))
    before = untouched.read_bytes()
    with home.open("-s", "third") as terminal:
        standing(terminal, "third")
        terminal.send("/resume mine\r")
        standing(terminal, "mine")
        terminal.send("work\r")
        terminal.wait_for("Answer 1")
        terminal.send("/exit\r")
        assert terminal.exit_code() == 0
    home.run(*home.flags, "-r", "mine", "-p", "more")
    assert texts(home, "mine") == ["Hello", "Hi", "work", "Answer 1", "more", "Answer 2"]
    assert untouched.read_bytes() == before and not home.store.exists("third")


# -- 2. Files corrupted: torn lines, separators in the text, an index that hides sessions, one bad file that stops all


def test_complaint_2_files_corrupted_by_a_torn_append(home: Home) -> None:
    save(home, "torn", "Hello", "Hi")
    path = next(home.sessions.glob("torn*.toon"))
    before = path.read_bytes()
    home.run(*home.flags, "-r", "torn", "-p", "x" * 200)
    added = path.read_bytes()[len(before) :]
    assert len(added) > 200
    moment = random.Random(2)
    for number, cut in enumerate(sorted(moment.sample(range(1, len(added)), 4))):
        path.write_bytes(before + added[:cut] + (b"\0" * 50 if number % 2 else b""))
        assert home.run("session", "show", "torn").stdout.count("\n\n") == 2
        answered = home.run(*home.flags, "-r", "torn", "-p", "on")
        assert answered.returncode == 0 and texts(home, "torn")[:3] == ["Hello", "Hi", "on"], answered.stderr


def test_complaint_2_files_corrupted_by_separators_in_the_text(home: Home) -> None:
    home.model.answer = lambda number: {"content": f"a{RECORDS}b"}
    for _ in range(2):
        assert home.run(*home.flags, "-s", "lines", "-p", f"x{RECORDS}y").returncode == 0
    shown = json.loads(home.run("session", "show", "lines", "--json").stdout)
    assert [m["content"] for m in shown if m["role"] == "assistant"] == [f"a{RECORDS}b"] * 2
    assert all(m["content"].startswith("x\u2028 \u2029 \x85") for m in shown if m["role"] == "user")
    assert len([m for m in shown if m["role"] != "system"]) == 4


@pytest.mark.parametrize("garbage", [b"", b"garbage" * 1000, b"SQLite format 3\0" + b"\0" * 8000], ids=["0", "x", "db"])
def test_complaint_2_files_corrupted_index_hides_nothing(home: Home, garbage: bytes) -> None:
    save(home, "one", "The zebra", "Hi")
    home.run("session", "search", "zebra")
    save(home, "two", "Another zebra", "Hi")
    for path in home.sessions.glob(".index*"):
        path.write_bytes(garbage)
    assert {row["id"] for row in json.loads(home.run("session", "list", "--json").stdout)} == {"one", "two"}
    found = home.run("session", "search", "zebra")
    assert "one" in found.stdout and "two" in found.stdout and found.returncode == 0
    assert "Hello" not in home.run(*home.flags, "-r", "two", "-p", "on").stderr and len(texts(home, "two")) == 4


def test_complaint_2_files_corrupted_one_bad_file_stops_nothing_else(home: Home) -> None:
    save(home, "good", "The zebra", "Hi")
    (home.sessions / "default_chat.toon").write_bytes(os.urandom(5000))
    (home.sessions / "folder_chat.toon").mkdir()
    os.mkfifo(home.sessions / "pipe_chat.toon")
    bad = (home.sessions / "default_chat.toon").read_bytes()
    listed = home.run("session", "list").stdout
    assert "default  cannot be read" in listed and "good  2 messages" in listed
    assert "zebra" in home.run("session", "search", "zebra").stdout
    talked = home.run(*home.flags, stdin="hello\n/resume good\non\n/exit\n")
    assert talked.returncode == 0 and "cannot be read" in talked.stdout and "doctor" in talked.stdout
    assert texts(home, "good")[2:] == ["on", "Answer 2"]
    assert (home.sessions / "default_chat.toon").read_bytes() == bad


# -- 3. A tool call without its result, an empty answer: every later request is refused, for ever


def invalid(messages: list[dict[str, Any]]) -> str:
    """Why a strict server refuses these messages; "" when it does not."""
    open_calls: set[str] = set()
    for at, message in enumerate(messages):
        role, calls = message["role"], message.get("tool_calls") or []
        if role == "tool":
            if message["tool_call_id"] not in open_calls:
                return f"{at}: a result without its call"
            open_calls.remove(message["tool_call_id"])
        elif open_calls:
            return f"{at}: calls without results: {open_calls}"
        if role == "assistant" and not calls and not message.get("content"):
            return f"{at}: an empty answer"
        if role == "assistant" and at and messages[at - 1]["role"] == "assistant":
            return f"{at}: two answers in a row"
        if role == "system" and at:
            return f"{at}: a system message in the middle"
        open_calls |= {call["id"] for call in calls}
    return f"calls without results: {open_calls}" if open_calls else ""


def call(call_id: str, name: str = "read_file", arguments: str = '{"file_path": "x"}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


USER = {"role": "user", "content": "Do it"}
CALLS = {"role": "assistant", "content": "", "tool_calls": [call("a"), call("b")]}
RESULT = {"role": "tool", "tool_call_id": "a", "name": "read_file", "content": "x"}
EMPTY = {"role": "assistant", "content": ""}
HISTORIES = {
    "no result": [USER, CALLS],
    "one of two": [USER, CALLS, RESULT],
    "in the middle": [USER, CALLS, USER, {"role": "assistant", "content": "Well"}],
    "empty answer": [USER, EMPTY],
    "null answer": [USER, {"role": "assistant", "content": None}],
    "empty in the middle": [USER, EMPTY, USER, {"role": "assistant", "content": "Well"}],
    "orphan": [USER, RESULT, {"role": "assistant", "content": "Well"}],
    "cut in front": [RESULT, {"role": "assistant", "content": "Well"}],
    "twice": [USER, CALLS, RESULT, RESULT, {**RESULT, "tool_call_id": "b"}],
}


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_complaint_3_dangling_calls_and_empty_answers_can_be_sent(home: Home, history: list[Any]) -> None:
    home.model.refuses = invalid
    SessionManager(home.sessions).save_session("s", history)
    for number in (1, 2):
        done = home.run(*home.flags, "-r", "s", "-p", f"Go on {number}")
        assert (done.returncode, done.stdout) == (0, f"Answer {number}\n"), done.stderr
    assert invalid(home.model.asked[-1]) == ""


def test_complaint_3_dangling_call_of_a_run_that_was_killed(home: Home) -> None:
    home.model.refuses = invalid
    waits = call("a", "execute_command", json.dumps({"command": "echo begun > begun; sleep 10"}))
    home.model.answer = lambda number: {"tool_calls": [waits]} if number == 1 else {"content": "Fine"}
    with home.start(*home.flags, "-y", "-s", "s", "-p", "Do it") as program:
        assert program.stdin is not None
        program.stdin.close()
        soon((home.folder / "begun").exists)
        program.kill()
    done = home.run(*home.flags, "-r", "s", "-p", "Go on")
    assert (done.returncode, done.stdout) == (0, "Fine\n"), done.stderr
    assert "interrupted" in json.dumps(home.model.asked[-1])


# -- 4. Big sessions: gigabytes of memory and minutes to resume


def cost(home: Home, session_id: str, answer: str = "") -> tuple[int, int]:
    """Bytes read, and the peak of memory in KiB, of a run that resumes; with `answer`, that talks once."""
    with home.open("-s", session_id) as terminal:
        standing(terminal, session_id)
        terminal.wait_for("Model: ")
        terminal.wait_for(f"[{session_id}] 🤖 Assistant:")
        if answer:
            terminal.send("on\r")
            terminal.wait_for(answer)
            soon(lambda: home.store.header(session_id)[1] % 2 == 0, terminal)
        of = Path(f"/proc/{terminal.pid}")
        # of its threads: the process would count children too, such as the one that keeps the search index
        read = sum(int(io.read_text().split()[1]) for io in of.glob("task/*/io"))
        status = dict(line.split(":", 1) for line in (of / "status").read_text().splitlines())
        kill(terminal)
    return read, int(status["VmHWM"].split()[0])


@pytest.mark.timeout(600)
def test_complaint_4_big_sessions_cost_what_is_shown_and_sent(home: Home) -> None:
    save(home, "small", "Hello", "Hi")
    save(home, "big", *(f"{number} " + "words " * 330 for number in range(MEGABYTES * 500)))
    file = next(home.sessions.glob("big*.toon"))
    size = file.stat().st_size
    assert size > MEGABYTES * 1_000_000
    (small_read, small_peak), (big_read, big_peak) = cost(home, "small"), cost(home, "big")
    assert big_read - small_read < size / 20
    assert big_peak < 1.3 * small_peak
    _, small_peak = cost(home, "small", "Answer 1")
    _, big_peak = cost(home, "big", "Answer 2")
    assert len(home.model.bodies[1]) < size / 4  # what the model is thought to take
    assert big_peak < 2 * small_peak
    inode = file.stat().st_ino
    cost(home, "big", "Answer 3")
    assert file.stat().st_ino == inode  # a turn appends; the history is not written again


# -- 5. Cannot find the session: one folder or all, no search in contents, a folder that moved, no delete in the picker


def ids(listing: str) -> set[str]:
    return {row["id"] for row in json.loads(listing)}


def test_complaint_5_sessions_are_found_here_everywhere_and_by_their_words(home: Home) -> None:
    here, there = home.folder / "here", home.folder / "there"
    for folder in (here, there):
        folder.mkdir()
        home.run(*home.flags, "-s", folder.name, "-p", f"The zebra of {folder.name}", folder=folder)
    assert ids(home.run("session", "list", "--here", "--json", folder=here).stdout) == {"here"}
    assert ids(home.run("session", "list", "--json", folder=here).stdout) == {"here", "there"}
    found = home.run("session", "search", "zebra", folder=here).stdout
    assert "The zebra of here" in found and "The zebra of there" in found
    assert "Resuming session: 'there'" in home.run(*home.flags, "-c", "-p", "on", folder=there).stderr


def test_complaint_5_sessions_are_found_after_their_folder_moved(home: Home) -> None:
    before, after = home.folder / "before", home.folder / "after"
    before.mkdir()
    home.run(*home.flags, "-s", "work", "-p", "one", folder=before)
    before.rename(after)
    assert "Resuming session: 'work'" in home.run(*home.flags, "-c", "-p", "two", folder=after).stderr
    assert ids(home.run("session", "list", "--here", "--json", folder=after).stdout) == {"work"}
    assert texts(home, "work") == ["one", "Answer 1", "two", "Answer 2"]


def test_complaint_5_sessions_are_deleted_in_the_picker_into_the_trash(home: Home) -> None:
    save(home, "alpha", "The first", "Hi")
    save(home, "beta", "The second", "Hi")
    with home.open() as terminal:
        standing(terminal)
        terminal.send("/resume\r")
        terminal.wait_for(lambda: terminal.line().startswith("Filter:"))
        terminal.send("alpha")
        terminal.wait_for(lambda: "1 of 2" in terminal.text())
        terminal.send("\x18")
        terminal.wait_for("To the trash (y/n): 'alpha'")
        terminal.read(2 * CALM)
        terminal.send("y")
        soon(lambda: not home.store.exists("alpha"), terminal)
        terminal.send("\x1b")
        standing(terminal)
    assert home.store.exists("beta") and [entry.session_id for entry in home.store.trash()] == ["alpha"]


# -- 6. Resume is unfaithful: another model, another mode, other bytes in front, so that all of it is billed again


def test_complaint_6_resume_sends_the_same_bytes_in_front(home: Home) -> None:
    """Five processes, one of them killed, on three faces: each request begins with the bytes of the one before."""
    look = call("a", "list_files", "{}")
    home.model.answer = lambda number: (
        {"tool_calls": [look]} if number == 2 else {"content": f"Answer {number} é\u2028"}
    )
    home.run(*home.flags, "-s", "s", "-p", "one")
    home.run(*home.flags, "-s", "s", "-p", "two")
    home.run(*home.flags, "-s", "s", stdin="three\n")
    for line in ("four", "five"):
        with home.open("-s", "s") as terminal:
            standing(terminal, "s")
            terminal.send(f"{line}\r")
            soon(lambda wanted=line: home.said("s")[-1] == wanted, terminal)
            soon(lambda: home.store.header("s")[1] == 2 * len(home.said("s")) + 3, terminal)  # and its answer
            kill(terminal)
    assert len(home.model.bodies) == 6
    for before, after in zip(home.model.bodies, home.model.bodies[1:], strict=False):
        messages, rest = before.split(b'],"stream"')
        assert after.startswith(messages + b","), (before, after)
        assert after.endswith(b'],"stream"' + rest)  # the tools, the model's settings


def test_complaint_6_resume_keeps_model_and_system_message(home: Home) -> None:
    mine = {"OPENAI_BASE_URL": home.model.url, "OPENAI_API_KEY": "sk-something"}
    home.run("-m", "openai/chosen", "--system", "Be brief.", "-s", "s", "-p", "one", **mine)
    assert home.run("-r", "s", "-p", "two", **mine).returncode == 0
    first, second = (json.loads(body) for body in home.model.bodies)
    assert first["model"] == second["model"] == "chosen"
    assert second["messages"][0] == first["messages"][0] == {"role": "system", "content": "Be brief."}


def test_complaint_6_resume_brings_no_permission_along(home: Home) -> None:
    write = call("a", "execute_command", json.dumps({"command": "touch made"}))
    home.model.answer = lambda number: {"tool_calls": [write]} if number % 2 else {"content": "Well"}
    home.run(*home.flags, "-y", "-s", "s", "-p", "one")
    (home.folder / "made").unlink()
    home.run(*home.flags, "-r", "s", "-p", "two")
    assert not (home.folder / "made").exists() and "--yolo" in json.dumps(home.model.asked[-1])


# -- 7. Two windows on one session: silent forks, interleaved files


def test_complaint_7_two_windows_the_second_is_told_and_nothing_interleaves(home: Home) -> None:
    with home.open("-s", "s") as first:
        standing(first, "s")
        first.send("of the first\r")
        first.wait_for("Answer 1")
        soon(lambda: home.store.exists("s") and home.store.header("s")[1] == 3, first)
        refused = home.run(*home.flags, "-s", "s", "-p", "of the second")
        assert refused.returncode == 75 and str(first.pid) in refused.stderr and "--fork" in refused.stderr
        with home.open("-s", "other") as second:
            standing(second, "other")
            second.send("/resume s\r")
            second.wait_for(f"held by process {first.pid}")
            second.send("of the second\r")
            second.wait_for("Answer 2")
            first.send("again the first\r")
            first.wait_for("Answer 3")
            soon(lambda: home.store.header("s")[1] == 5, first)
            kill(second)
        copied = home.run(*home.flags, "--fork=s", "-p", "in the copy")
        assert copied.returncode == 0, copied.stderr
        kill(first)
    assert home.said("s") == ["of the first", "again the first"] and home.said("other") == ["of the second"]
    copy = next(info.session_id for info in home.store.list() if info.session_id not in ("s", "other"))
    assert home.said(copy) == ["of the first", "again the first", "in the copy"]
    parent: Any = home.store.header(copy)[0].metadata["parent"]
    assert parent["id"] == "s"
    assert home.run(*home.flags, "-r", "s", "-p", "it is free").returncode == 0


# -- 9. Queue and draft lost in a crash


def test_complaint_9_queue_and_draft_survive_kill_9(home: Home) -> None:
    home.model.free.clear()
    with home.open() as terminal:
        standing(terminal)
        terminal.send("first\r")
        soon(lambda: len(home.model.asked) == 1, terminal)
        terminal.send("second\rthird\rhalf a thought")
        soon(lambda: home.draft() == {"draft": "half a thought", "queue": ["second", "third"]}, terminal)
        kill(terminal, signal.SIGKILL)
    home.model.free.set()
    with home.open() as terminal:
        standing(terminal, text="half a thought")
        terminal.wait_for("2 lines wait from last time")
        terminal.send("\r")
        soon(lambda: home.said() == ["first", "half a thought"], terminal)
        terminal.wait_for("Answer 2")
        standing(terminal)
        terminal.send("\r")
        soon(lambda: home.said() == ["first", "half a thought", "second", "third"], terminal)
