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
        shown = terminal.text().partition("│ ")[2].replace("\n", "")
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
