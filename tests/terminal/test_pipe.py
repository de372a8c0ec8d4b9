"""A conversation over a pipe: turns, interrupts, approvals, nonsense, the end of the input, signals."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1]))
from model_server import hang, hello, stream, whole
from programs import Home, serving

PATIENCE = 40


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def wait_for(condition, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def command(line: str, call_id: str = "1") -> dict:
    function = {"name": "execute_command", "arguments": json.dumps({"command": line})}
    return {"content": "", "tool_calls": [{"id": call_id, "type": "function", "function": function}]}


class Pipe:
    """The program with a conversation over its stdin and stdout."""

    def __init__(self, home: Home, *arguments: str, **more: Any) -> None:
        self.program = home.start("--input-format", "stream-json", *arguments, **more)
        self.session = self.next()

    def __enter__(self) -> "Pipe":
        return self

    def __exit__(self, *_: object) -> None:
        self.program.kill()
        self.program.wait(PATIENCE)
        for pipe in (self.program.stdin, self.program.stdout, self.program.stderr):
            with suppress(BrokenPipeError):
                pipe.close()

    def send(self, *lines: dict | bytes) -> None:
        raw = [line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines]
        self.program.stdin.write(b"".join(raw))
        self.program.stdin.flush()

    def say(self, *contents: str) -> None:
        self.send(*({"type": "user", "content": content} for content in contents))

    def next(self) -> dict:
        return json.loads(self.program.stdout.readline())

    def until(self, kind: str) -> dict:
        while (row := self.next())["type"] != kind:
            pass
        return row

    def end(self) -> tuple[int, list[dict]]:
        self.program.stdin.close()
        rows = [json.loads(line) for line in self.program.stdout.read().splitlines()]
        complaint = self.program.stderr.read()
        assert b"Traceback" not in complaint and b"never" not in complaint, complaint
        return self.program.wait(PATIENCE), rows


def said(home: Home, session_id: str = "x") -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in home.load(session_id)][1:]


# -- turns


def test_several_turns_in_one_session(home):
    with Pipe(home, *home.script("Hi", "Yes"), "-s", "x") as pipe:
        assert (
            pipe.session.items() >= {"type": "Session", "version": 1, "session_id": "x", "cwd": str(home.work)}.items()
        )
        assert pipe.session["provider"] == "scripted"
        for content, answer in (("Hello", "Hi"), ("More", "Yes")):
            pipe.say(content)
            result = pipe.until("Result")
            assert (result["answer"], result["steps"], result["exit_code"]) == (answer, 1, 0)
            assert said(home)[-1] == ("assistant", answer)  # the result says: stored
        assert pipe.end() == (0, [])
    assert said(home) == [("user", "Hello"), ("assistant", "Hi"), ("user", "More"), ("assistant", "Yes")]


def test_all_that_was_sent_ahead_is_answered_in_order_before_the_end(home):
    lines = "".join(json.dumps({"type": "user", "content": f"{n}"}) + "\n" for n in range(20))
    done = home.run("--input-format", "stream-json", *home.script(*"abcdefghijklmnopqrst"), "-s", "x", stdin=lines)
    results = [row for row in map(json.loads, done.stdout.splitlines()) if row["type"] == "Result"]
    assert done.returncode == 0 and "".join(row["answer"] for row in results) == "abcdefghijklmnopqrst"
    assert [text for role, text in said(home) if role == "user"] == [str(n) for n in range(20)]


def test_it_goes_on_with_a_session_that_is_resumed_or_the_last_here(home):
    home.run(*home.script("Hi"), "-s", "x", "-p", "Hello")
    line = '{"type": "user", "content": "More"}'  # without a line end
    for number, flags in enumerate((["-r", "x"], ["-c"], ["--session=x"]), 1):
        done = home.run("--input-format", "stream-json", *home.script("Yes"), *flags, "-p", stdin=line)
        assert done.returncode == 0 and len(said(home)) == 2 + 2 * number, done.stderr
    done = home.run("--input-format", "stream-json", *home.script("Yes"), stdin=line)
    assert json.loads(done.stdout.splitlines()[0])["session_id"].startswith("chat-") and len(home.ids()) == 2


def test_nothing_that_comes_in_is_a_command(home):
    with Pipe(home, *home.script("a", "b", "c"), "-y", "-s", "x") as pipe:
        pipe.say("/clear", "!touch made", "/exit")
        assert pipe.end()[0] == 0
    assert [text for role, text in said(home) if role == "user"] == ["/clear", "!touch made", "/exit"]
    assert not (home.work / "made").exists()


def test_any_text_arrives_whole(home):
    text = "grün 🤖\u2028zero\0width\u200b\r\n\x1b[31m"
    with Pipe(home, *home.script(text), "-s", "x", env={"PYTHONIOENCODING": "ascii"}) as pipe:
        pipe.say(text)
        assert pipe.until("Result")["answer"] == text
        assert pipe.end()[0] == 0
    assert said(home) == [("user", text), ("assistant", text)]


def test_a_turn_that_fails_has_an_error_and_a_result_and_the_next_one_goes(home):
    plays = whole(401, {"error": {"message": "no such key"}}), stream(*hello("Hi"))
    with serving(*plays) as server, Pipe(home, "-s", "x", env={"OPENAI_BASE_URL": f"{server.url}/v1"}) as pipe:
        pipe.say("Hello")
        error, result = pipe.until("Error"), pipe.next()
        assert error["exit_code"] == result["exit_code"] == 1 and result["error"] == error["error"]
        assert "kept" in error["error"] and result["is_error"] and result["reason"] == "error"
        pipe.say("More")
        assert pipe.until("Result")["answer"] == "Hi"
        assert pipe.end()[0] == 0


def test_the_exit_code_is_that_of_the_last_turn(home):
    with Pipe(home, *home.script(*[{**command("true"), "content": "so far"}] * 3), "--max-turns", "2") as pipe:
        pipe.say("Hello")
        result = pipe.until("Result")
        assert (result["reason"], result["steps"], result["answer"]) == ("steps", 2, "so far")
        assert pipe.end()[0] == 1


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("", 0), ("\n\n", 0), ('{"type": "hello"}\n', 0), ("nonsense\n", 2),
        ('nonsense\n{"type": "hello"}\n', 0), ('{"type": "hello"}\nnonsense\n', 0),
    ],
)  # fmt: skip
def test_a_conversation_without_a_turn(home, lines, code):
    done = home.run("--input-format", "stream-json", *home.script("Hi"), "-s", "x", stdin=lines)
    assert done.returncode == code and home.ids() == []


# -- nonsense


def test_what_is_not_understood_is_an_error_and_the_conversation_goes_on(home):
    lines = [
        b"nonsense\n", b"[]\n", b"3\n", b"{}\n", b'{"type": "shout"}\n', b'{"type": ["user"]}\n', b'{"type": "user"}\n',
        b'{"type": "user", "content": ""}\n', b'{"type": "user", "content": 3}\n',
        b"\xff\xfe\n", b"[" * 100_000 + b"\n", b'{"type": "hello", "version": 2}\n', b'{"type": "interrupt"}\n',
        b'{"type": "hello", "approvals": "yes"}\n', b'{"type": "approval", "call_id": "1", "allowed": true}\n',
        b'{"type": "approval", "call_id": "1", "allowed": "yes"}\n', b"x" * 10_000_001 + b"\n",
    ]  # fmt: skip
    with Pipe(home, *home.script("Hi"), "-s", "x") as pipe:
        for number, line in enumerate(lines, 1):
            pipe.send(line)
            row = pipe.next()
            assert (row["type"], row["session_id"], row["exit_code"]) == ("Error", "x", 2)
            assert row["error"].startswith(f"Line {number} of the input was left out: "), row
        pipe.send(b'\xef\xbb\xbf {"type": "user", "content": "Hello"}\r\n')
        assert pipe.until("Result")["answer"] == "Hi"
        assert pipe.end() == (0, [])
    assert said(home) == [("user", "Hello"), ("assistant", "Hi")]


def test_json_that_python_cannot_hold_is_no_reason_or_a_true_one(home):
    with Pipe(home, *home.script("Hi"), "-s", "x") as pipe:
        pipe.send(b'{"type": "user", "content": "Deep", "y": %s}\n' % (b"[" * 5000 + b"]" * 5000))
        assert pipe.next()["error"] == "Line 1 of the input was left out: it is nested too deeply."
        pipe.send(b'{"type": "user", "content": "Long", "y": %s}\n' % (b"9" * 10_000))
        assert pipe.until("Result")["answer"] == "Hi"
        assert pipe.end() == (0, [])
    assert said(home) == [("user", "Long"), ("assistant", "Hi")]


def test_half_a_surrogate_pair_is_replaced(home):
    with Pipe(home, *home.script("Hi"), "-s", "x") as pipe:
        pipe.send(b'{"type": "user", "content": "a\\ud800b"}\n')
        assert pipe.end()[0] == 0
    assert said(home)[0] == ("user", "a?b")


def test_an_endless_line_costs_no_memory(home):
    with Pipe(home, *home.script("Hi"), "-s", "x") as pipe:
        before = memory(pipe.program.pid)
        for _ in range(120):
            pipe.send(b"x" * 1_000_000)
        pipe.send(b"\n")
        assert "longer than" in pipe.next()["error"]
        assert memory(pipe.program.pid) - before < 60_000_000
        assert pipe.end()[0] == 2


def memory(pid: int) -> int:
    """The most that the process ever held, in bytes."""
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return 1024 * int(line.split()[1])


# -- interrupts


def test_an_interrupt_ends_the_turn_and_what_waits_goes_on(home):
    plays = stream(*hello("Partly")[:2], end="hang"), stream(*hello("Whole"))
    with serving(*plays) as server, Pipe(home, "-s", "x", env={"OPENAI_BASE_URL": f"{server.url}/v1"}) as pipe:
        pipe.say("One", "Two")
        pipe.until("TextDelta")
        pipe.send({"type": "interrupt"})
        error, result = pipe.until("Error"), pipe.next()
        assert error["exit_code"] == 130
        assert (result["reason"], result["exit_code"], result["answer"]) == ("aborted", 130, "Partly")
        assert home.load("x")[2]["stop_reason"] == "aborted"
        assert pipe.until("Result")["answer"] == "Whole"
        assert pipe.end()[0] == 0


def test_an_interrupt_right_behind_its_message_ends_that_turn(home):
    with serving(hang) as server, Pipe(home, "-s", "x", env={"OPENAI_BASE_URL": f"{server.url}/v1"}) as pipe:
        pipe.send({"type": "user", "content": "One"}, {"type": "interrupt"})
        assert pipe.until("Result")["reason"] == "aborted"
        assert pipe.end()[0] == 130


# -- approvals


def test_without_a_hello_what_would_ask_is_refused(home):
    with Pipe(home, *home.script(command("touch made"), "Refused."), "-s", "x") as pipe:
        pipe.say("Go")
        assert "--yolo" in pipe.until("ToolFinished")["output"]
        assert pipe.until("Result")["answer"] == "Refused."
        assert pipe.end()[0] == 0
    assert not (home.work / "made").exists()


@pytest.mark.parametrize("allowed", [True, False])
def test_an_approval_is_answered_over_the_pipe(home, allowed):
    with Pipe(home, *home.script(command("touch made"), "Done."), "-s", "x") as pipe:
        pipe.send({"type": "hello", "version": 1, "approvals": True})
        pipe.say("Go")
        asked = pipe.until("ApprovalRequested")
        assert asked["preview"].endswith("touch made") and asked["scope"]
        answer = {"type": "approval", "call_id": "1", "allowed": allowed}
        pipe.send({**answer, "call_id": "2"})
        assert "call_id" in pipe.until("Error")["error"] and not (home.work / "made").exists()
        pipe.send(answer | ({} if allowed else {"message": "elsewhere, please"}))
        finished = pipe.until("ToolFinished")
        assert finished["ran"] is allowed and ("elsewhere, please" in finished["output"]) is not allowed
        assert pipe.until("Result")["answer"] == "Done."
        assert pipe.end()[0] == 0
    assert (home.work / "made").exists() is allowed


def test_always_covers_exactly_what_was_asked(home):
    answers = command("echo a >> log", "1"), command("echo a >> log", "2"), command("echo b >> log", "3"), "Done."
    with Pipe(home, *home.script(*answers)) as pipe:
        pipe.send({"type": "hello", "approvals": True})
        pipe.say("Go")
        assert pipe.until("ApprovalRequested")["call"]["id"] == "1"
        pipe.send({"type": "approval", "call_id": "1", "allowed": True, "always": True})
        assert pipe.until("ApprovalRequested")["call"]["id"] == "3"
        pipe.send({"type": "approval", "call_id": "3", "allowed": False})
        assert pipe.until("Result")["answer"] == "Done."
    assert (home.work / "log").read_text() == "a\na\n"


def test_an_answer_before_the_question_answers_nothing(home):
    with Pipe(home, *home.script(command("touch made"), "Done.")) as pipe:
        pipe.send({"type": "hello", "approvals": True}, {"type": "approval", "call_id": "1", "allowed": True})
        assert pipe.until("Error")["exit_code"] == 2
        pipe.say("Go")
        pipe.until("ApprovalRequested")
        pipe.send({"type": "interrupt"})
        assert pipe.until("Result")["reason"] == "aborted"
        assert pipe.end()[0] == 130
    assert not (home.work / "made").exists()


def test_the_end_of_the_input_is_a_no(home):
    with Pipe(home, *home.script(command("touch made"), "Done."), "-s", "x") as pipe:
        pipe.send({"type": "hello", "approvals": True})
        pipe.say("Go")
        pipe.until("ApprovalRequested")
        code, rows = pipe.end()
    assert code == 0 and rows[-1]["answer"] == "Done." and not (home.work / "made").exists()


# -- the end


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("in_turn", [True, False])
def test_a_signal_ends_it_with_everything_stored(home, number, code, in_turn):
    plays = [stream(*hello("Hi")), *([stream(*hello("Partly")[:2], end="hang")] if in_turn else [])]
    with serving(*plays) as server, Pipe(home, "-s", "x", env={"OPENAI_BASE_URL": f"{server.url}/v1"}) as pipe:
        pipe.say("One")
        pipe.until("Result")
        if in_turn:
            pipe.say("Two", "never")
            pipe.until("TextDelta")
        pipe.program.send_signal(number)
        rows = [json.loads(line) for line in pipe.program.stdout.read().splitlines()]
        assert pipe.program.wait(PATIENCE) == code and b"Traceback" not in pipe.program.stderr.read()
    assert [(row["type"], row["exit_code"]) for row in rows] == ([("Error", code), ("Result", code)] if in_turn else [])
    assert said(home)[2:] == ([("user", "Two"), ("assistant", "Partly")] if in_turn else [])


def test_a_reader_that_goes_away_is_quiet_and_the_session_whole(home):
    with Pipe(home, *home.script("word " * 20_000), "-s", "x") as pipe:
        pipe.say("Hello")
        pipe.until("TextDelta")
        pipe.program.stdout.close()
        assert pipe.program.wait(PATIENCE) == 0 and pipe.program.stderr.read() == b"Session: x\n"
    stored = home.load("x")[-1]
    assert stored["stop_reason"] == "aborted" and ("word " * 20_000).startswith(stored["content"])


def test_a_line_is_never_cut_by_an_interrupt(home):
    with Pipe(home, *home.script("x" * 300_000, "Yes"), "-s", "x") as pipe:
        pipe.say("Hello")
        wait_for(lambda: pipe.program.poll() is None and len(said_so_far(home)) >= 1)
        time.sleep(0.5)  # it waits for its reader in the middle of a long line
        pipe.send({"type": "interrupt"}, {"type": "user", "content": "More"})
        time.sleep(0.5)
        first, second = pipe.until("Result"), pipe.until("Result")
        assert first["reason"] == "aborted" and second["answer"] == "Yes"
        assert pipe.end()[0] == 0


def said_so_far(home: Home) -> list:
    path = home.sessions / "x_chat.toon"
    return said(home) if path.exists() else []


def test_a_disk_that_is_full_behind_stdout_ends_it(home):
    with open("/dev/full", "wb") as full:
        program = home.start("--input-format", "stream-json", *home.script("Hi"), "-s", "x", stdout=full)
        _, complaint = program.communicate(b'{"type": "user", "content": "x"}\n', timeout=PATIENCE)
    assert program.returncode == 1 and os.strerror(28) in complaint.decode() and b"Traceback" not in complaint


def test_a_session_that_another_window_holds_is_75(home):
    with Pipe(home, *home.script("Hi"), "-s", "x") as pipe:
        done = home.run("--input-format", "stream-json", *home.script("Hi"), "-s", "x")
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 75 and str(pipe.program.pid) in rows[0]["error"]
        assert [(row["type"], row["exit_code"]) for row in rows] == [("Error", 75), ("Result", 75)]


def test_at_rest_it_costs_nothing(home):
    with Pipe(home, *home.script("Hi"), "-s", "x") as pipe:
        pipe.say("Hello")
        pipe.until("Result")
        time.sleep(1)
        before = ticks(pipe.program)
        time.sleep(2)
        assert ticks(pipe.program) - before <= 1


def ticks(program: "subprocess.Popen[bytes]") -> int:
    fields = Path(f"/proc/{program.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_what_comes_over_a_pipe_reaches_no_other_projects_session(home):
    (home.folder / "other").mkdir()
    secret = "the password is swordfish"
    home.run(*home.script("Noted."), "--cwd", str(home.folder / "other"), "-s", "theirs", "-p", secret)
    home.run(*home.script("Noted."), "-s", "ours", "-p", "the colour is blue")
    (home.work / "notes.txt").write_text("a note")
    with Pipe(home, *home.script("a", "b"), "-s", "x") as pipe:
        pipe.say("@session:theirs", "@session:ours and @notes.txt")
        assert pipe.end()[0] == 0
    stored = json.dumps(home.load("x"))
    assert "swordfish" not in stored and "the colour is blue" in stored and "a note" in stored
