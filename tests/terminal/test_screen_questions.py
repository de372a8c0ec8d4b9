"""The question before a tool call: shown whole, answered by a key that was meant for it."""

import time

from ptys import Terminal


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
        terminal.paste("y")
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
