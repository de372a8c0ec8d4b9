"""A paste that holds the mark of its own end is a paste to its real end: nothing of it is ever a key."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from draftbench import Home, serving, soon, standing
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.keys import Keys
from ptys import Terminal

from scratchy.terminal.pasting import PasteParser
from scratchy.terminal.reports import Reports

BEGIN, END = "\x1b[200~", "\x1b[201~"
SLOW = "a\x7f" * 3000
"""Takes a while to be typed."""
EVIL = ("\x15!touch made\r", "\x15hello\r", "\x15\x04touch made\r", "\x1atouch made\r", f"\x15!touch made\r{BEGIN}")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with serving() as model:
        yield Home(tmp_path, model)


@pytest.mark.parametrize("keys", EVIL)
def test_nothing_of_it_runs_sends_or_leaves(home: Home, keys: str) -> None:
    with home.open() as terminal:
        standing(terminal)
        terminal.paste(f"begun {END}{SLOW}{keys}")
        terminal.wait_for("begun [Pasted #1, ")
        terminal.read(0.5)
        assert terminal.alive() and home.said() == [] and not (home.folder / "made").exists()
        terminal.send("\x15")
        standing(terminal)
        typed(terminal, "!touch typed")
        terminal.wait_for("shell !touch typed")
        terminal.send("\r")
        soon((home.folder / "typed").exists, terminal)


def test_after_a_paste_a_command_runs_by_an_enter_of_its_own(home: Home) -> None:
    """As the rest of a paste looks that came late: more follows its Enter, and its real end."""
    with home.open() as terminal:
        standing(terminal)
        terminal.paste("text")
        standing(terminal, text="text")
        terminal.read(0.5)
        terminal.send("\x15")
        standing(terminal)
        typed(terminal, "!touch made\rmore")
        terminal.wait_for("You: !touch made\n")
        terminal.send("\x15\x7f\x15")
        standing(terminal)
        typed(terminal, f"!touch made{END}")
        standing(terminal, text="!touch made")
        terminal.send("\x15")
        standing(terminal)
        typed(terminal, f"!touch made{BEGIN}{END}")
        standing(terminal, text="!touch made")
        terminal.send("\x15")
        standing(terminal)
        terminal.send("!")
        terminal.wait_for("shell !")
        terminal.read(0.5)
        terminal.paste("touch wanted")
        terminal.wait_for("shell !touch wanted")
        terminal.send("\r")
        soon((home.folder / "wanted").exists, terminal)
        assert not (home.folder / "made").exists()


def test_keys_that_arrive_together_are_typing(home: Home) -> None:
    """A slow line brings several keys at once; what is pasted comes marked."""
    with home.open() as terminal:
        standing(terminal)
        terminal.send("!touch made\r")
        soon((home.folder / "made").exists, terminal)


def test_what_is_typed_right_behind_a_paste_comes_through(home: Home) -> None:
    with home.open() as terminal:
        standing(terminal)
        terminal.send(f"{BEGIN}pasted{END} and typed text\r")
        terminal.wait_for("Answer 1")
        standing(terminal)
        terminal.send(f"{BEGIN}one{END}{BEGIN} two{END}\r")
        terminal.wait_for("Answer 2")
    assert home.said() == ["pasted and typed text", "one two"]


@pytest.mark.parametrize("press", ["\x03", "\x03\x03"])
def test_ctrl_c_gets_out_of_a_paste_that_was_cut(home: Home, press: str) -> None:
    with home.open() as terminal:
        standing(terminal)
        terminal.send(f"{BEGIN}never ended")
        terminal.read(0.2)
        terminal.send("\x03abc\r")  # which may be pasted, for more follows
        terminal.read(0.5)
        assert terminal.prompt() == "" and home.said() == []

        def left() -> bool:
            terminal.send(press)
            terminal.read(0.7)
            return not terminal.alive()

        terminal.wait_for(left)
        assert terminal.exit_code() == 0
    assert home.said() == []


def test_what_came_of_a_paste_that_was_cut_stands_there_after_the_turn(home: Home) -> None:
    home.model.free.clear()
    with home.open() as terminal:
        standing(terminal)
        terminal.send("ask\r")
        soon(lambda: len(home.model.asked) == 1, terminal)
        terminal.send(f"{BEGIN}never ended")
        terminal.read(1.5)
        terminal.send("\x03")  # ends the turn, as always
        standing(terminal, text="never ended")
        home.model.free.set()
        terminal.send(", typed\r")
        terminal.wait_for("Answer 2")
    assert home.said()[-1] == "never ended, typed"


def typed(terminal: Terminal, line: str) -> None:
    """A shell line: its mark is a key by itself, as a person presses it."""
    terminal.send(line[0])
    terminal.wait_for(lambda: terminal.line().endswith("shell !"))
    terminal.send(line[1:])


# -- the parser by itself


class Patience(list[float | None]):
    def __call__(self, seconds: float | None) -> None:
        self.append(seconds)


@pytest.fixture
def source() -> Iterator[PipeInput]:
    with create_pipe_input() as made:
        yield made


def keys(source: PipeInput, *pieces: str) -> list[tuple[str, str]]:
    """What comes of these without a pause, then of a pause."""
    out: list[tuple[str, str]] = []
    for piece in pieces:
        source.send_text(piece)
        out += [(press.key, press.data) for press in source.read_keys()]
    return out + [(press.key, press.data) for press in source.flush_keys()]


def test_ctrl_c_is_a_key_in_a_paste_only_by_itself_between_silences(source: PipeInput) -> None:
    source.vt100_parser = PasteParser(source)
    source.send_text(f"{BEGIN}\x03")
    assert source.read_keys() == [] and source.flush_keys() == []  # no silence before
    time.sleep(0.31)
    source.send_text("\x03")
    assert source.read_keys() == []
    assert keys(source, f"more{END}") == [(Keys.BracketedPaste, "\x03\x03more")]  # none behind
    source.send_text(f"{BEGIN}cut")
    source.read_keys()
    time.sleep(0.31)
    assert keys(source, "\x03") == [(Keys.BracketedPaste, "cut"), (Keys.ControlC, "\x03")]
    assert keys(source, "k") == [("k", "k")]


@given(cuts=st.lists(st.integers(min_value=1, max_value=60), max_size=6), reported=st.booleans())
@settings(max_examples=100, deadline=None)
def test_cut_anywhere_it_is_one_paste_after_the_other(*, cuts: list[int], reported: bool) -> None:
    stream = f"k{BEGIN}one{END}\x15!x\r{END}{BEGIN}two{END}\x03{BEGIN}{END}"
    at = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    with create_pipe_input() as source:
        source.vt100_parser = PasteParser(source)
        if reported:
            Reports(lambda: None).listen(source)
        came = keys(source, *(stream[start:end] for start, end in itertools.pairwise(at)))
        behind = keys(source, "\r")
    assert came[0] == ("k", "k") and {key for key, _ in came[1:]} == {Keys.BracketedPaste}
    assert "".join(data for _, data in came[1:]) == "one\x15!x\rtwo\x03"
    assert behind == [(Keys.ControlM, "\r")]


def test_it_waits_longer_for_the_end_of_more_and_not_while_something_is_to_be_read(source: PipeInput) -> None:
    patience = Patience()
    source.vt100_parser = PasteParser(source, patience)
    source.send_text(f"{BEGIN}x{END}")
    source.read_keys()
    source.send_text("ab")
    assert source.read_keys() == [] and source.vt100_parser.busy
    few = patience[-1]
    source.send_text("c" * 20)
    assert source.read_keys() == []
    more = patience[-1]
    assert few is not None and more is not None and more >= 5 * few
    source.send_text("d")
    assert source.flush_keys() == [] and source.vt100_parser.busy
    assert source.read_keys() == []
    assert [press.data for press in source.flush_keys()] == ["a", "b", *"c" * 20, "d"]
    assert patience[-1] is None and not source.vt100_parser.busy
