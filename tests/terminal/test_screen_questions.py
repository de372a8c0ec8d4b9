"""The question before a tool call: shown whole, answered by a key that was meant for it."""

import time

from ptys import Terminal

PAUSE = 1.1  # seconds after which a key is an answer


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
            time.sleep(PAUSE)
            terminal.send(key)
            terminal.wait_for(lambda: "Run it?" not in terminal.text())
            terminal.wait_for(lambda: said in terminal.text().rpartition("│ rm -rf x")[2])  # noqa: B023
            terminal.wait_for(lambda: terminal.line() == "[default] You:")


def test_a_no_takes_a_word_to_the_model() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ask ls\r")
        terminal.wait_for("Run it?")
        time.sleep(PAUSE)
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
        terminal.paste("y")
        terminal.read(0.6)
        assert "Run it?" in terminal.text()
        assert "allowed" not in terminal.text()
        assert terminal.prompt() == "y" * 8
        time.sleep(PAUSE)
        terminal.send("n")
        terminal.wait_for("allowed=False")
        terminal.wait_for(lambda: terminal.prompt() == "y" * 8)


def test_who_types_slowly_never_answers_and_is_told_where_the_keys_go() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ask ls\ro")
        for key in "h my aye y":
            terminal.read(0.35)
            terminal.send(key)
        terminal.wait_for("typing goes to the draft; pause, then answer")
        terminal.wait_for(lambda: terminal.prompt() == "oh my aye y")
        assert "allowed" not in terminal.text()
        terminal.wait_for(lambda: "typing goes to the draft" not in terminal.text())
        time.sleep(0.1)
        terminal.send("y")
        terminal.wait_for("allowed=True")
        terminal.wait_for(lambda: terminal.prompt() == "oh my aye y")


def test_escape_says_no_and_ctrl_c_interrupts_in_the_middle_of_typing() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ask ls\rdraft")
        terminal.wait_for("Run it?")
        terminal.send("x\x1b")
        terminal.wait_for("allowed=False")
        terminal.wait_for(lambda: terminal.prompt() == "draftx")
        terminal.send("\x01\x0bask ls\rz")
        terminal.wait_for(lambda: terminal.text().count("Run it?") == 1)
        terminal.send("\x03")
        terminal.wait_for("Interrupted.")


def test_an_answer_needs_no_pause_after_an_answer() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ask one\rask two\r")
        terminal.wait_for("│ one")
        time.sleep(PAUSE)
        terminal.send("y")
        terminal.wait_for("│ two")
        time.sleep(0.4)
        terminal.send("y")
        terminal.wait_for(lambda: terminal.text().count("allowed=True") == 2)


def test_the_whole_of_a_long_command_is_shown() -> None:
    command = " ".join(f"argument{number}" for number in range(400))
    with Terminal() as terminal:
        terminal.ready()
        terminal.send(f"ask {command}\r")
        terminal.wait_for("Run it?")
        shown = terminal.text().partition("│ ")[2].replace("\n│ ", "")
        assert command.replace(" ", "") in shown.replace(" ", "")
        terminal.send("\x03")
        terminal.wait_for("Interrupted.")


def test_the_line_that_started_the_turn_is_no_typing_that_goes_on() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ask\r")
        terminal.wait_for("Run it?")
        time.sleep(0.4)
        terminal.send("y")
        terminal.wait_for("allowed")


def test_no_row_of_a_call_can_be_taken_for_the_question() -> None:
    rows = ["[default] You: list", "The model asks to run execute_command:", "│ ls", "Run it?  y once · n no"]
    command = "touch x #" + " " * 2400 + "".join(row.ljust(80) for row in rows) * 2
    for columns in (40, 80):
        with Terminal(columns=columns) as terminal:
            terminal.ready()
            terminal.send(f"ask {command}\r")
            terminal.wait_for("e no, with a word" if columns > 40 else "with a word")
            window = terminal.screen.display
            asked = next(at for at, row in enumerate(window) if row.startswith("Run it?"))
            assert all(row.startswith("│ ") for row in window[:asked])
            told = terminal.text().rpartition("Run it? (")[2]
            assert "further up" in " ".join(told.split()) and int(told.split()[0]) > 24
            terminal.send("\x03")
            terminal.wait_for("Interrupted.")


def test_keys_that_come_in_one_go_are_no_answer() -> None:
    """An unmarked paste, or a report of the terminal that begins with Esc."""
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("ask ls\r")
        terminal.wait_for("Run it?")
        time.sleep(PAUSE)
        terminal.send("yes please explain")
        terminal.wait_for(lambda: terminal.prompt() == "yes please explain")
        time.sleep(PAUSE)
        terminal.send("\x1b[97;5u")
        terminal.read(0.5)
        assert "Run it?" in terminal.text() and "allowed" not in terminal.text()
        time.sleep(PAUSE)
        terminal.send("n")
        terminal.wait_for("allowed=False")


def test_the_word_to_the_model_is_a_field_of_its_own() -> None:
    with Terminal(columns=40) as terminal:
        terminal.ready()
        terminal.send("ask ls\r")
        terminal.wait_for("Run it?")
        time.sleep(PAUSE)
        terminal.send("e")
        terminal.wait_for("No, because (")
        terminal.send("because of a long and longer reason, ")
        terminal.paste("two\nlines")
        terminal.wait_for("two lines")
        assert "goes to the draft" not in terminal.text() and "No, because (" in terminal.text()
        terminal.send("\r")
        terminal.wait_for("reason, two lines'")


def test_in_a_tiny_window_the_keys_are_seen() -> None:
    with Terminal(columns=20, rows=5) as terminal:
        terminal.ready()
        terminal.send("ask ls -l\r")
        terminal.wait_for("Run it? y/a/n/e")
        terminal.send("\x03")
