"""Turns on the screen: blocks once and in order, tools, failures, other sessions."""

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
        terminal.wait_for("not saved: no space. It was not sent: your line is back in the prompt.")
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
