"""Turns on the screen: blocks once and in order, tools, questions, failures, the end of the program."""

import os
import signal
import time
from pathlib import Path

from ptys import Terminal


def test_a_streamed_answer_is_rendered_once_under_its_header() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("markdown\r")
        terminal.wait_for("The end.")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        text = terminal.text()
        answer = text.partition("[default] 🤖 Assistant:")[2]
        assert [line for line in answer.splitlines() if line][:6] == [
            "Title",
            "A paragraph with bold and code.",
            " • one",
            " • two",
            "  def f():",
            "      return 1",
        ]
        assert text.count("The end.") == text.count("Title") == text.count("def f()") == 1
        assert "#" not in answer and "**" not in answer and "```" not in answer


def test_a_long_answer_scrolls_whole_and_in_order_with_typing_in_between() -> None:
    with Terminal(columns=40, rows=12) as terminal:
        terminal.ready()
        terminal.send("slow\r")
        for letter in "typed":
            terminal.send(letter)
            terminal.read(0.3)
        terminal.wait_for("word120")
        terminal.send("\x1b")
        terminal.wait_for("Interrupted.")
        terminal.wait_for(lambda: terminal.prompt() == "typed")
        words = [word for word in terminal.text().split() if word.startswith("word")]
        assert words == [f"word{number}" for number in range(1, len(words) + 1)]


def test_a_tool_call_is_one_line_and_expands() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("tool\r")
        terminal.wait_for("▸ read_file notes.txt")
        terminal.wait_for("line 2")
        terminal.wait_for("Esc to interrupt")
        terminal.wait_for("✓ read_file notes.txt · 12 ms")
        terminal.wait_for("Done.")
        assert "line 2" not in terminal.text()
        terminal.send("\x0f")
        terminal.wait_for("the output of the tool")


def test_the_question_is_answered_by_keys() -> None:
    answers = {
        "y": "allowed=True always=False message=''",
        "a": "allowed=True always=True message=''",
        "n": "allowed=False always=False message=''",
        "\x1b": "allowed=False always=False message=''",
    }
    with Terminal() as terminal:
        terminal.ready()
        for key, said in answers.items():
            terminal.send("ask rm -rf x\r")
            terminal.wait_for("a always (this command)")
            assert "│ rm -rf x" in terminal.text()
            time.sleep(0.4)
            terminal.send(key)
            terminal.wait_for(lambda: "Run it?" not in terminal.text())
            terminal.wait_for(lambda: said in terminal.text().rpartition("│ rm -rf x")[2])  # noqa: B023
            terminal.wait_for(lambda: terminal.line() == "[default] You:")


def test_a_no_takes_a_word_to_the_model() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ask ls\r")
        terminal.wait_for("Run it?")
        time.sleep(0.4)
        terminal.send("e")
        terminal.wait_for("No, because:")
        terminal.send("use git\r")
        terminal.wait_for("allowed=False always=False message='use git'")


def test_typed_ahead_keys_never_answer_and_the_draft_is_kept() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("dr")
        terminal.wait_for("You: dr")
        terminal.send("\x01\x0bask ls\r" + "y" * 3)
        terminal.wait_for("Run it?")
        terminal.send("yyyy")
        terminal.read(0.6)
        assert "Run it?" in terminal.text()
        assert "allowed" not in terminal.text()
        terminal.send("n")
        terminal.wait_for("allowed=False")


def test_the_whole_of_a_long_command_is_shown() -> None:
    command = " ".join(f"argument{number}" for number in range(400))
    with Terminal() as terminal:
        terminal.ready()
        terminal.send(f"ask {command}\r")
        terminal.wait_for("Run it?")
        shown = terminal.text().partition("│ ")[2].replace("\n", "")
        assert command.replace(" ", "") in shown.replace(" ", "")
        terminal.send("\x03")
        terminal.wait_for("Interrupted.")


def test_a_failed_turn_is_said_and_the_queue_waits_in_the_prompt() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("fail\r")
        terminal.wait_for("the server does not answer, again in")
        terminal.send("next\r")
        terminal.wait_for("could not be reached. (your message is kept)")
        terminal.wait_for(lambda: terminal.prompt() == "next")
        terminal.send("\r")
        terminal.wait_for("You said: next")


def test_a_line_that_could_not_be_stored_is_back_in_the_prompt() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("unstorable words\r")
        terminal.wait_for("Not sent: No space left on device")
        terminal.wait_for(lambda: terminal.prompt() == "unstorable words")


def test_a_failed_save_is_said_until_one_succeeds() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("unsaved\r")
        terminal.wait_for(lambda: terminal.text().count("not saved: no space") == 2)
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        assert terminal.screen.display[terminal.screen.cursor.y - 1].strip() == "not saved: no space"


def test_a_bug_in_a_turn_is_one_line_and_the_program_goes_on() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("crash\r")
        terminal.wait_for("The turn failed: RuntimeError: a bug")
        assert "partly" in terminal.text()
        assert "Traceback" not in terminal.text()
        terminal.send("hello\r")
        terminal.wait_for("You said: hello")


def test_a_resumed_session_shows_its_last_exchanges() -> None:
    with Terminal("resumed=1") as terminal:
        terminal.ready()
        terminal.wait_for("old answer")
        text = terminal.text()
        assert "old question" in text and "✗ list_files" in text
        assert "secret system" not in text and "old result" not in text


def test_another_session_changes_the_prompt_and_shows_its_end() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("/resume other\r")
        terminal.wait_for("Resumed session: 'other' (4 messages)")
        terminal.wait_for("old answer")
        terminal.wait_for(lambda: terminal.line() == "[other] You:")
        terminal.send("hello\r")
        terminal.wait_for("[other] 🤖 Assistant:")


def test_a_command_that_takes_long_can_be_interrupted() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("/wait 60\r")
        terminal.wait_for("Esc to interrupt")
        terminal.send("\x1b")
        terminal.wait_for("Interrupted.")


def test_the_first_line_is_sent_by_itself() -> None:
    with Terminal("first=from the shell") as terminal:
        terminal.wait_for("You said: from the shell")


def test_copy_goes_through_the_terminal() -> None:
    with Terminal(SSH_CONNECTION="there") as terminal:
        terminal.ready()
        terminal.send("/copy words\r")
        terminal.wait_for("Copied.")
        terminal.read(0.2)
        assert b"\x1b]52;c;d29yZHM=\x07" in terminal.raw


def test_a_desk_that_cannot_be_made_ends_the_program_with_its_reason() -> None:
    with Terminal("broken=1") as terminal:
        assert terminal.exit_code() == 1
        assert "no desk today" in terminal.text()


def test_signals_end_it_with_the_turn_closed_and_the_terminal_as_it_was(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP):
        log = tmp_path / str(number)
        with Terminal(f"log={log}") as terminal:
            terminal.ready()
            terminal.send("slow\r")
            terminal.wait_for("word3")
            os.kill(terminal.pid, number)
            assert terminal.exit_code() == 128 + number
            assert log.read_text() == "cancelled slow\nclosed\n"
            assert terminal.raw.rindex(b"\x1b[?2004l") > terminal.raw.rindex(b"\x1b[?2004h")
            assert terminal.raw.rindex(b"\x1b[?25h") > terminal.raw.rindex(b"\x1b[?25l")


def test_a_terminal_that_goes_away_ends_the_turn_and_the_program(tmp_path: Path) -> None:
    log = tmp_path / "log"
    terminal = Terminal(f"log={log}")
    terminal.ready()
    terminal.send("slow\r")
    terminal.wait_for("word3")
    terminal.hang_up()
    until = time.monotonic() + 10
    while not log.exists() or "closed" not in log.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    assert log.read_text() == "cancelled slow\nclosed\n"


def test_the_cursor_position_is_never_asked_for() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("markdown\r")
        terminal.wait_for("The end.")
        assert b"\x1b[6n" not in terminal.raw


def test_no_color_means_none() -> None:
    with Terminal(NO_COLOR="1") as terminal:
        terminal.ready()
        terminal.send("markdown\r")
        terminal.wait_for("The end.")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        codes = set(b";".join(part.partition(b"m")[0] for part in terminal.raw.split(b"\x1b[")[1:]).split(b";"))
        assert not codes & {str(code).encode() for code in (*range(30, 38), *range(40, 48), *range(90, 108))}


def test_narrow_and_wide_characters_fit() -> None:
    with Terminal(columns=40, rows=15) as terminal:
        terminal.ready()
        terminal.send("漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 👍👍 end\r")
        terminal.wait_for("👍👍 end")
        terminal.wait_for(lambda: terminal.line() == "[default] You:")
        terminal.send("tool\r")
        terminal.wait_for("Done.")
        terminal.resize(20, 100)
        terminal.send("still here\r")
        terminal.wait_for("You said: still here")


def test_nothing_is_written_at_rest() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("hello\r")
        terminal.wait_for("You said: hello")
        terminal.read(0.5)
        before, cpu = len(terminal.raw), terminal.cpu_ticks()
        terminal.read(0.01)
        time.sleep(2)
        terminal.read(0.1)
        assert len(terminal.raw) == before
        assert terminal.cpu_ticks() - cpu <= 1
