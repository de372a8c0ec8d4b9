"""One shot: what stdout and stderr hold, what stdin may be, exit codes, and being interrupted at any point."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pexpect
import pytest

sys.path.append(str(Path(__file__).parents[1]))
from model_server import hang, hello, stream
from programs import Home, posts, serving

from scratchy.core.loop import NO_ANSWER

NOTHING: dict = {"stdin": subprocess.DEVNULL}


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def wait_for(condition, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def catches(pid: int, number: int) -> bool:
    """Whether the program looks after that signal by now."""
    mask = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return bool(mask and int(mask[1], 16) >> (number - 1) & 1)


def calling(name: str, **arguments: str) -> dict:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": "", "tool_calls": [{"id": "1", "type": "function", "function": function}]}


def on_terminal(home: Home, *arguments: str, **environment: str) -> tuple[str, int]:
    program, *rest = home.command(*arguments)
    child = pexpect.spawn(program, rest, env=home.env | environment, cwd=str(home.work), encoding=None, timeout=40)
    child.expect(pexpect.EOF)
    child.close()
    return child.before.decode("utf-8"), child.exitstatus


# -- the answer


def test_on_a_terminal_the_answer_is_neutralised(home):
    shown, code = on_terminal(home, *home.script("a\x1b[31mred\x1b]0;title\x07\x9b1mz"), "-p", "Hello")
    assert code == 0 and "aredz\r\n" in shown and not re.search(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]", shown)


@pytest.mark.parametrize(
    ("said", "printed"), [("Hi", "Hi\n"), ("Hi\n", "Hi\n"), ("a\r\nb", "a\r\nb\n"), ("\t*x*", "\t*x*\n")]
)
def test_redirected_it_is_what_the_model_wrote_with_one_line_end(home, said, printed):
    with home.start(*home.script(said), "-p", "x", **NOTHING) as program:
        out, _ = program.communicate(timeout=40)
    assert out.decode() == printed


@pytest.mark.parametrize("settings", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii:strict"}, {
    "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])  # fmt: skip
@pytest.mark.parametrize("how", ["text", "stream-json"])
def test_no_locale_is_no_error_and_the_json_stays_json(home, settings, how):
    done = home.run(*home.script("grün 🤖"), "-s", "x", "-p", "Grüße", "--output-format", how, env=settings)
    assert done.returncode == 0, done.stderr
    if how == "text":
        assert done.stdout in ("grün 🤖\n", "gr\\xfcn \\U0001f916\n")
    else:
        assert json.loads(done.stdout.splitlines()[-1])["answer"] == "grün 🤖"
    assert home.load("x")[1]["content"] == "Grüße"


def test_numbers_that_json_lacks_do_not_spoil_it(home):
    call = calling("list_files")
    call["tool_calls"][0]["function"]["arguments"] = '{"path": NaN}'
    done = home.run(*home.script(call, "Hi"), "-p", "x", "--output-format", "stream-json")
    for line in done.stdout.splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(name))


# -- stdin


def test_an_open_pipe_is_not_waited_for_when_there_is_a_text(home):
    with home.start(*home.script("Hi"), "-p", "Hello") as program:  # its stdin stays open
        assert program.stdout.read() == b"Hi\n" and b"stdin" in program.stderr.read() and program.wait(40) == 0


def test_what_begins_late_or_comes_in_pieces_is_read_to_its_end(home):
    for arguments, said in ((("-p", "Look:"), "Look:\n\none\ntwo"), (("-p",), "one\ntwo")):
        with home.start(*home.script("Hi"), *arguments, "-s", said[0]) as program:
            for piece in (b"one\n", b"two\n"):
                time.sleep(1)
                program.stdin.write(piece)
                program.stdin.flush()
            program.stdin.close()
            assert program.stdout.read() == b"Hi\n"
        assert home.load(said[0])[1]["content"] == said


def test_a_pipe_that_somebody_made_non_blocking_is_read_all_the_same(home):
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    with home.start(*home.script("Hi"), "-s", "x", "-p", stdin=reads) as program:
        time.sleep(1)
        os.write(writes, b"late")
        os.close(writes)
        assert program.stdout.read() == b"Hi\n"
    os.close(reads)
    assert home.load("x")[1]["content"] == "late"


@pytest.mark.parametrize("piped", [b"\x89PNG\0\0", b"x" * 10_000_001])
@pytest.mark.parametrize("how", ["text", "json"])
def test_what_is_no_text_or_too_much_is_wrong_usage(home, piped, how):
    with home.start(*home.script("Hi"), "-s", "x", "-p", "What is this?", "--output-format", how) as program:
        out, complaint = program.communicate(piped, timeout=40)
    assert program.returncode == 2 and b"Nothing was sent" in complaint and home.ids() == []
    assert json.loads(out)["exit_code"] == 2 if how == "json" else out == b""


def test_input_without_an_end_is_refused(home):
    with open("/dev/zero", "rb") as zeros, home.start(*home.script("Hi"), "-p", "x", stdin=zeros) as program:
        assert b"Nothing was sent" in program.stderr.read() and program.wait(40) == 2


def test_other_bytes_than_utf8_are_replaced(home):
    with home.start(*home.script("Hi"), "-s", "x", "-p") as program:
        program.communicate(b"caf\xe9", timeout=40)
    assert program.returncode == 0 and home.load("x")[1]["content"] == "caf\ufffd"


# -- limits and exit codes


def test_the_limit_of_steps_is_1_and_told(home):
    answers = [calling("list_files")] * 9
    for steps in (1, 3):
        done = home.run(*home.script(*answers), "-p", "x", "--max-turns", str(steps), "--output-format", "json")
        told = json.loads(done.stdout)
        assert done.returncode == 1 and (told["reason"], told["steps"], told["exit_code"]) == ("steps", steps, 1)
        assert told["is_error"] and told["error"] is None
    assert home.run(*home.script(*answers), "-p", "x", "--max-turns", "2").returncode == 1
    done = home.run(*home.script(answers[0], "Hi"), "-p", "x", "--max-turns", "2")
    assert (done.returncode, done.stdout) == (0, "Hi\n")


def test_an_answer_without_a_word_is_1_and_told_once(home):
    done = home.run(*home.script(""), "-s", "x", "-p", "Hello")
    assert (done.returncode, done.stdout) == (1, "") and done.stderr.count(NO_ANSWER) == 1
    assert home.load("x")[1]["content"] == "Hello"
    for how in ("json", "stream-json"):
        done = home.run(*home.script(" "), "-p", "Hello", "--output-format", how)
        told = json.loads(done.stdout.splitlines()[-1])
        assert done.returncode == told["exit_code"] == 1 and told["error"] == NO_ANSWER and told["is_error"]
        assert done.stderr.count(NO_ANSWER) == 1
    done = home.run(*home.script(calling("list_files"), ""), "-p", "Hello")  # it did something
    assert (done.returncode, done.stdout) == (0, "") and done.stderr.count(NO_ANSWER) == 1


def test_what_it_cost_is_told_and_bounded(home):
    with serving(stream(*hello("Hi"))) as server:
        asking = ["--base-url", f"{server.url}/v1", "-m", "tiny", "-p", "x", "--output-format", "json"]
        assert json.loads(home.run(*asking).stdout)["cost_usd"] is None
        unknown = home.run(*asking, "--max-budget-usd", "1")
        assert unknown.returncode == 2 == json.loads(unknown.stdout)["exit_code"] and "price" in unknown.stderr
        settings = home.folder / "home" / ".config" / "scratchy" / "config.toml"
        settings.parent.mkdir(parents=True)
        settings.write_text('[prices."tiny"]\ninput = 10.0\noutput = 1000.0\n')
        known = json.loads(home.run(*asking, "--max-budget-usd", "100").stdout)
        assert known["cost_usd"] == pytest.approx((5 * 10 + 2 * 1000) / 1_000_000) and known["exit_code"] == 0
        before = len(posts(server))
        stopped = home.run(*asking, "--max-budget-usd", "0.000001")
        told = json.loads(stopped.stdout)
        assert (told["reason"], told["exit_code"], told["steps"], stopped.returncode) == ("budget", 1, 0, 1)
        assert len(posts(server)) == before


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "", "1e3"])
def test_a_limit_that_means_nothing_is_wrong_usage(home, value):
    done = home.run(*home.script("Hi"), "-p", "x", f"--max-turns={value}")
    assert done.returncode == 2 and "--max-turns" in done.stderr and home.ids() == []
    plain = "is too small: 1 is the least." if value in ("0", "-1") else f"'{value}' is no whole number."
    assert plain in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["-r", "nobody"], 1),
        (["--provider", "nobody"], 2),
        (["--nonsense"], 2),
        (["-s", ""], 2),
        (["--max-turns=0"], 2),
    ],
)
def test_a_start_that_fails_is_told_as_json_too(home, arguments, code):
    done = home.run(*arguments, "-p", "x", "--output-format", "json")
    told = json.loads(done.stdout)
    assert done.returncode == told["exit_code"] == code and told["session_id"] is None and told["error"] in done.stderr
    done = home.run(*arguments, "-p", "x", "--output-format=stream-json")
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == ["Error", "Result"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input-format", "xml"], ["--input-format", "stream-json", "-p", "x"], ["--output-format", "json"],
        ["--input-format", "stream-json", "--output-format", "text"],
    ],
)  # fmt: skip
def test_formats_that_do_not_fit_together_are_wrong_usage(home, arguments):
    done = home.run(*home.script("Hi"), *arguments)
    assert done.returncode == 2 and "-format" in done.stderr and home.ids() == []


# -- readers that go away, disks that are full


@pytest.mark.parametrize("how", ["text", "json", "stream-json"])
def test_a_reader_that_goes_away_is_quiet_and_0(home, how):
    answer = "word " * 20_000
    with home.start(*home.script(answer), "-s", "x", "-p", "x", "--output-format", how, **NOTHING) as program:
        program.stdout.read(10)
        program.stdout.close()
        complaint = program.stderr.read().decode()
    assert program.returncode == 0 and re.fullmatch(r"Session: x\n", complaint)
    _, said, *answered = home.load("x")
    assert said["content"] == "x" and answer.startswith("".join(message["content"] for message in answered))
    assert how == "stream-json" or len(answered) == 1


def test_nobody_reads_stderr_and_the_answer_still_comes(home):
    with home.start(*home.script(calling("list_files"), "Hi"), "-p", "x", **NOTHING) as program:
        program.stderr.close()
        assert program.stdout.read() == b"Hi\n"
    assert program.returncode == 0


@pytest.mark.parametrize("how", ["text", "json", "stream-json"])
def test_a_full_disk_behind_stdout_is_1_and_said(home, how):
    with open("/dev/full", "wb") as full:
        options = {**NOTHING, "stdout": full}
        with home.start(*home.script("Hi"), "-s", "x", "-p", "x", "--output-format", how, **options) as program:
            complaint = program.stderr.read().decode()
    assert program.returncode == 1 and os.strerror(errno.ENOSPC) in complaint and "Traceback" not in complaint
    assert home.load("x") is None or home.load("x")[0]["role"] == "system"


# -- signals


@pytest.mark.parametrize("how", ["text", "stream-json"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_a_result_and_everything_stored(home, how, number, code):
    begun = stream(*hello("Hi ther")[:2], end="hang")
    with serving(begun) as server:
        url = {"OPENAI_BASE_URL": f"{server.url}/v1"}
        with home.start("-s", "x", "-p", "Hello", "--output-format", how, env=url, **NOTHING) as program:
            wait_for(lambda: posts(server))
            time.sleep(0.5)
            for _ in range(3):  # again and again is no other thing
                program.send_signal(number)
            out, complaint = program.communicate(timeout=40)
    assert program.returncode == code and b"Traceback" not in complaint and b"Interrupted" in complaint
    stored = home.load("x")[-1]
    assert stored["content"] == "Hi ther" and stored["stop_reason"] == "aborted"
    if how == "text":
        assert out == b""
    elif out:  # a second signal does not wait for the result
        told = json.loads(out.splitlines()[-1])
        assert told["type"] != "Result" or (told["reason"], told["exit_code"], told["answer"]) == (
            "aborted",
            code,
            "Hi ther",
        )


def test_one_signal_is_answered_with_a_result(home):
    with serving(stream(*hello("Hi ther")[:2], end="hang")) as server:
        url = {"OPENAI_BASE_URL": f"{server.url}/v1"}
        with home.start("-s", "x", "-p", "Hello", "--output-format", "stream-json", env=url, **NOTHING) as program:
            wait_for(lambda: posts(server))
            while b"TextDelta" not in program.stdout.readline():
                pass
            program.send_signal(signal.SIGINT)
            *_, error, result = map(json.loads, program.stdout.read().splitlines())
    assert program.returncode == 130 and (error["type"], error["exit_code"]) == ("Error", 130)
    assert (result["answer"], result["reason"], result["exit_code"]) == ("Hi ther", "aborted", 130)


def test_a_signal_is_obeyed_while_the_reader_sleeps(home):
    with home.start(
        *home.script("word " * 20_000), "-s", "x", "-p", "x", "--output-format", "stream-json", **NOTHING
    ) as (program):
        program.stdout.read(10)
        time.sleep(1)  # it fills the pipe and waits
        assert program.poll() is None
        program.send_signal(signal.SIGTERM)
        assert program.wait(40) == 143
        lines = (b"0123456789" + program.stdout.read()).splitlines()[1:-1]
    assert all(json.loads(line) for line in lines)
    assert home.load("x")[-1]["stop_reason"] == "aborted"


def test_ctrl_c_while_it_waits_for_stdin(home):
    with home.start(*home.script("Hi"), "-p") as program:
        wait_for(lambda: catches(program.pid, signal.SIGTERM))
        program.send_signal(signal.SIGINT)
        assert program.wait(40) == 130 and b"Traceback" not in program.stderr.read()
    assert home.ids() == []


def test_on_a_terminal_it_says_that_it_is_alive_and_ctrl_c_ends_it(home):
    with serving(hang) as server:
        program, *rest = home.command("-s", "x", "-p", "Hello")
        env = home.env | {"OPENAI_BASE_URL": f"{server.url}/v1"}
        child = pexpect.spawn(program, rest, env=env, cwd=str(home.work), encoding="utf-8", timeout=40)
        child.expect_exact("(still waiting for the model, 10 s so far; Ctrl-C stops it)\r\n")
        child.send("\x03")
        child.expect_exact("Interrupted; what had come is stored.")
        child.expect(pexpect.EOF)
        child.close()
    assert child.exitstatus == 130 and [message["content"] for message in home.load("x")][1:] == ["Hello"]


def test_neither_face_for_programs_loads_a_screen(home):
    code = (
        "import sys\nfrom scratchy.cli import run\nrun(sys.argv[1:])\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules} & {'prompt_toolkit', 'rich'}), file=sys.stderr)"
    )
    for more, said in ((["-p", "x"], b""), (["--input-format", "stream-json"], b'{"type": "user", "content": "x"}\n')):
        arguments = [sys.executable, "-c", code, *home.script("Hi"), *more]
        done = subprocess.run(arguments, input=said, capture_output=True, env=home.env, cwd=home.work, check=True)
        assert done.stderr.endswith(b"[]\n")
