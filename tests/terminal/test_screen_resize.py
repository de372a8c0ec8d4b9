"""A window of another size: our rows are erased where they are, nothing that is finished is; streaming and at rest."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from ptys import Terminal
from tmuxes import HERE, Tmux

from scratchy.terminal.resizing import breaks, breaks_lines

KINDS = ["a terminal that cuts lines", *(["tmux"] if HERE else [])]
WIDTHS = (60, 40, 39, 61, 80, 50, 41, 80)


@contextmanager
def opened(kind: str) -> Iterator[Terminal | Tmux]:
    with Tmux() if kind == "tmux" else Terminal(columns=80) as terminal:
        terminal.ready()
        for number in range(3):  # until the prompt stands at the bottom
            terminal.send("markdown\r")
            terminal.wait_for(lambda number=number: terminal.text().count("The end.") == number + 1)
        terminal.wait_for(lambda: terminal.text().rstrip().endswith("You:"))
        yield terminal


@pytest.mark.parametrize("kind", KINDS)
def test_at_rest_the_prompt_stands_once(kind: str) -> None:
    with opened(kind) as terminal:
        terminal.send("typed " * 9 + "漢字漢字")
        terminal.wait_for(lambda: terminal.text().replace("\n", "").endswith("漢字漢字"))
        for columns in WIDTHS:
            terminal.resize(24, columns)
            terminal.wait_for(lambda columns=columns: once(terminal.text(), columns))


def once(text: str, columns: int) -> bool:
    """The draft stands there once, as this width breaks it, under the three answers."""
    line = "[default] You: " + "typed " * 9 + "漢字漢字"
    flat = text.replace("\n", "").replace(" ", "")
    last = text.rstrip("\n").split("\n")[-1]
    return (
        flat.count("typed") == 9
        and flat.endswith(line.replace(" ", ""))
        and text.count("The end.") == 3
        and (columns > len(line) + 4) == (last.startswith("[default]"))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_while_an_answer_streams_nothing_is_lost_or_twice(kind: str) -> None:
    with opened(kind) as terminal:
        terminal.send("slow\r")
        for number, columns in enumerate(WIDTHS):
            terminal.wait_for(lambda number=number: f"word{number * 10 + 5} " in terminal.text().replace("\n", " "))
            terminal.resize(24, columns)
        terminal.wait_for("word95")
        terminal.send("\x1b")
        terminal.wait_for("Interrupted.")
        text = terminal.text().rpartition("slow")[2]
        words = "".join(text.partition("Interrupted.")[0].split()).split("word")[1:]
        if kind == "tmux":
            assert words == [str(number) for number in range(1, len(words) + 1)]
        else:  # it has cut off the ends of lines itself
            numbers = [int(number) for number in words if number.isdecimal()]
            assert numbers == sorted(set(numbers)) and len(numbers) > 30
        terminal.wait_for(lambda: terminal.text().count("You:") == 5)
        assert "writing" not in terminal.text() and "Esc to" not in terminal.text()


def test_a_row_is_broken_between_characters() -> None:
    assert breaks([1] * 80, 80) == 0
    assert breaks([1] * 81, 80) == 1
    assert breaks([2, 0] * 20, 39) == 1  # 19 wide ones fit, and half a column
    assert breaks([1] * 161, 40) == 4
    assert breaks([], 40) == 0


def test_who_breaks_lines_is_known_by_name_or_variable() -> None:
    assert breaks_lines("tmux 3.3a", {}) and breaks_lines("kitty(0.35)", {})
    assert not breaks_lines("XTerm(390)", {"TMUX": "inherited"})
    assert breaks_lines("", {"VTE_VERSION": "7600"}) and breaks_lines("", {"TERM": "foot"})
    assert not breaks_lines("", {"TERM": "xterm-256color"})
    assert not breaks_lines("", {"TERM": "xterm-kitty", "STY": "1.screen"})
