"""The menu of a command's choices, in the program with a made-up model: chosen, left, in mid-turn, under a question."""

from pathlib import Path

import pytest
from ptys import PATIENCE, Terminal

pytestmark = pytest.mark.timeout(4 * PATIENCE)


def at_the_prompt(terminal: Terminal) -> bool:
    return terminal.line().startswith("[default] You:")


def test_a_choice_is_filtered_shown_chosen_and_its_line_runs() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("/choose\r")
        terminal.wait_for("Which one?")
        terminal.wait_for("▸ the first")
        terminal.send("\t")
        terminal.wait_for("│ in two lines")
        terminal.send("SECOND")
        terminal.wait_for("▸ the second")
        assert "the first" not in terminal.text()
        terminal.send("x")
        terminal.wait_for("Nothing matches")
        terminal.send("\x7f\r")
        terminal.wait_for("Copied.")
        terminal.wait_for(lambda: at_the_prompt(terminal))
        assert "Filter:" not in terminal.text() and "Some text." in terminal.text()
        assert "[default] You: /copy x" in terminal.text()
        for leave in ("\x1b", "\x03"):
            terminal.send("/choose\r")
            terminal.wait_for("Which one?")
            terminal.send(leave)
            terminal.wait_for(lambda: at_the_prompt(terminal) and "Which one?" not in terminal.text())
        assert "busy=" not in terminal.text()


def test_in_mid_turn_the_answer_goes_on_above_and_the_line_runs_as_one_typed_then() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("slow\r")
        terminal.wait_for("word3")
        terminal.send("/choose\r")
        terminal.wait_for("Which one?")
        seen = terminal.text().rpartition("word")[2].split()[0]
        terminal.wait_for(f"word{int(seen) + 15}")
        assert terminal.line().startswith("Filter:")
        terminal.send("\r")
        terminal.wait_for("busy=True")
        terminal.send("\x1b")
        terminal.wait_for("Interrupted")


def test_a_question_before_a_tool_call_takes_the_menus_place(tmp_path: Path) -> None:
    now = tmp_path / "now"
    with Terminal() as terminal:
        terminal.ready()
        terminal.send(f"later {now}\r")
        terminal.wait_for("Esc to interrupt")
        terminal.send("/choose\r")
        terminal.wait_for("Which one?")
        now.touch()
        terminal.wait_for("Run it?")
        terminal.wait_for(lambda: "Filter:" not in terminal.text())
        terminal.send("\x1b")
        terminal.wait_for("allowed=False")
