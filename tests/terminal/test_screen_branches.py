"""The real program on a pty: /fork, /rewind with its list of turns, /redo, /undo and /tree, by keyboard, as a person
sees them; and in plain mode."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from draftbench import Home, serving, soon, standing
from ptys import PATIENCE, Terminal

pytestmark = pytest.mark.timeout(6 * PATIENCE)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with serving() as model:
        yield Home(tmp_path, model)


def roles(home: Home, session_id: str) -> list[str]:
    if not home.store.exists(session_id):
        return []
    return [message["role"] for message in home.store.load(session_id)[1] if message["role"] != "system"]


def say(home: Home, terminal: Terminal, *lines: str, session_id: str = "default") -> None:
    """Each line is answered, stored, and the prompt stands again."""
    for line in lines:
        wanted = [*roles(home, session_id), "user", "assistant"]
        terminal.send(f"{line}\r")
        soon(lambda wanted=wanted: roles(home, session_id) == wanted, terminal)
        standing(terminal, session_id)


def ask(terminal: Terminal, line: str, shown: str) -> None:
    """Type a line until `shown` comes: an answer that is stored and a prompt that stands do not yet say that the turn
    is over."""
    before = terminal.text().count(shown)
    while terminal.text().count(shown) == before:
        refused = terminal.text().count("was not run")
        terminal.send(f"{line}\r")
        terminal.wait_for(
            lambda refused=refused: (
                terminal.text().count(shown) > before or terminal.text().count("was not run") > refused
            )
        )


def run(terminal: Terminal, line: str, shown: str, session_id: str = "default") -> None:
    ask(terminal, line, shown)
    standing(terminal, session_id)


def test_the_list_of_turns_is_chosen_from_and_what_was_cut_comes_back(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        say(home, terminal, "first line", "second line", "third line")
        ask(terminal, "/rewind", "Go back to before which message?")
        terminal.wait_for("3 first line")
        assert "1 third line" in terminal.text() and len(home.said()) == 3
        terminal.send("\x1b[B\r")
        terminal.wait_for("Went back to before 'second line'")
        standing(terminal)
        assert home.said() == ["first line"]
        run(terminal, "/redo", "Brought back what was rewound")
        assert home.said() == ["first line", "second line", "third line"]
        say(home, terminal, "fourth line")
        assert home.said()[-1] == "fourth line"


def test_leaving_the_list_changes_nothing(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        say(home, terminal, "first line")
        ask(terminal, "/rewind", "1 first line")
        terminal.send("\x1b")
        standing(terminal)
        assert home.said() == ["first line"] and home.store.trash() == []


def test_escape_twice_on_an_empty_line_lists_the_turns(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        say(home, terminal, "first line")
        terminal.send("typed")
        standing(terminal, text="typed")
        terminal.send("\x1b\x1b")
        terminal.send("\x7f" * 5)
        standing(terminal)
        assert "Go back" not in terminal.text()
        run(terminal, "/redo", "nothing to redo")  # now the turn is over
        for _ in range(4):  # a machine that stands still for a second parts the two
            terminal.send("\x1b")
            terminal.read(0.2)
            terminal.send("\x1b")
            terminal.read(3)
            if "1 first line" in terminal.text():
                break
        terminal.send("\r")
        terminal.wait_for("Went back to before 'first line'")
        assert home.said() == []


def test_undo_takes_back_a_rewind_a_clear_and_a_rename(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        say(home, terminal, "one", "two")
        run(terminal, "/rename other", "is now 'other'", "other")
        run(terminal, "/rewind 1", "Went back to before 'two'", "other")
        run(terminal, "/clear", "Cleared session", "other")
        run(terminal, "/undo", "Took back the clear", "other")
        assert home.said("other") == ["one"]
        run(terminal, "/undo", "Took back the rewind", "other")
        assert home.said("other") == ["one", "two"]
        run(terminal, "/undo", "Took back the rename")
        assert home.said() == ["one", "two"] and not home.store.exists("other")
        run(terminal, "/undo", "nothing to undo")


def test_a_fork_goes_on_by_itself_and_the_tree_shows_it_at_40_columns(home: Home) -> None:
    with home.open(columns=40) as terminal:
        standing(terminal)
        say(home, terminal, "one")
        run(terminal, "/fork idea", "Forked session: 'idea'", "idea")
        say(home, terminal, "two", session_id="idea")
        assert (home.said("idea"), home.said()) == (["one", "two"], ["one"])
        run(terminal, "/rewind 1", "Went back to before 'two'", "idea")
        run(terminal, "/tree", "- default  3 messages", "idea")
        drawn = terminal.text().rpartition("/tree\n")[2].split("\n")
        assert drawn[:3] == ["- default  3 messages", "  * idea  at 3, 3 messages", "    - rewound at 3, 5 messages"]


def test_after_a_new_turn_redo_names_the_lines_that_help(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        say(home, terminal, "one", "two")
        run(terminal, "/rewind 1", "Went back to before 'two'")
        say(home, terminal, "three")
        run(terminal, "/redo", "went on after the rewind")
        run(terminal, "/redo default-2", "as session 'default-2'", "default-2")
        assert (home.said("default-2"), home.said()) == (["one", "two"], ["one", "three"])


def test_in_mid_turn_they_are_refused(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        say(home, terminal, "one")
        home.model.free.clear()
        terminal.send("two\r")
        soon(lambda: len(home.model.asked) == 2, terminal)
        for line in ("/rewind 1", "/undo", "/redo", "/fork x"):
            terminal.send(f"{line}\r")
            terminal.wait_for(f"{line.split()[0]} was not run")
        home.model.free.set()
        soon(lambda: roles(home, "default") == ["user", "assistant"] * 2, terminal)
        assert home.store.trash() == []


def test_in_plain_mode_the_turns_are_printed_with_the_line_that_goes_back(home: Home) -> None:
    with home.open("--plain") as terminal:
        standing(terminal)
        say(home, terminal, "first line", "second line")
        run(terminal, "/rewind", "/rewind 2")
        assert "Go back to before which message?" in terminal.text() and len(home.said()) == 2
        run(terminal, "/rewind 2", "Went back to before 'first line'")
        assert home.said() == []
        run(terminal, "/undo", "Took back the rewind")
        assert home.said() == ["first line", "second line"]
        run(terminal, "/fork other", "Forked session: 'other'", "other")
        run(terminal, "/tree", "  * other  at 5", "other")
