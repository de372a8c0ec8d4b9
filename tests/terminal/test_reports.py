"""What the terminal answers and reports never becomes a key: cut anywhere, late, between keys, beside pastes."""

import itertools
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.keys import Keys
from ptys import Terminal

from scratchy.terminal.reports import Reports, is_light, may_ask

DARK = "\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\"
LIGHT = "\x1b]11;rgb:ff/ff/f0\x07"
NAME = "\x1bP>|tmux 3.3a\x1b\\"
FENCE = "\x1b[?62;22c"
QUESTION = b"\x1b]11;?\x1b\\\x1b[>q\x1b[c"


@pytest.fixture
def source() -> Iterator[PipeInput]:
    with create_pipe_input() as made:
        yield made


def listening(source: PipeInput) -> Reports:
    reports = Reports(lambda: None)
    reports.listen(source)
    reports.question(ground=True)
    return reports


def typed(source: PipeInput, *pieces: str, flush: bool = True) -> list[str]:
    """The keys that come of this, with a pause after each piece."""
    keys: list[str] = []
    for piece in pieces:
        source.send_text(piece)
        keys += [press.data for press in source.read_keys()]
        if flush:
            keys += [press.data for press in source.flush_keys()]
    return keys


def test_answers_are_taken_out_from_between_keys(source: PipeInput) -> None:
    reports = listening(source)
    assert typed(source, f"a{DARK}b{NAME}c{FENCE}d\x1b[I\x1b[O") == ["a", "b", "c", "d"]
    assert (reports.light, reports.name, reports.focused, reports.settled) == (False, "tmux 3.3a", False, True)


@pytest.mark.parametrize("answer", [DARK, LIGHT, NAME, FENCE])
def test_cut_anywhere_they_are_no_keys(source: PipeInput, answer: str) -> None:
    reports = listening(source)
    for at, flush in itertools.product(range(1, len(answer)), (False, True)):
        reports.settled = False
        keys = typed(source, answer[:at], answer[at:] + "x", flush=flush)
        assert keys in (["x"], ["\x1b", "x"]), (at, flush)  # an Esc by itself may have been the key


@given(st.lists(st.integers(min_value=0, max_value=60), max_size=6))
@settings(max_examples=100, deadline=None)
def test_cut_into_many_pieces_what_was_typed_comes_through(cuts: list[int]) -> None:
    stream = f"ab{DARK}cd{NAME}{FENCE}e\x1b[Af"
    at = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    with create_pipe_input() as source:
        listening(source)
        keys = typed(source, *(stream[start:end] for start, end in itertools.pairwise(at)), flush=False)
    assert keys == ["a", "b", "c", "d", "e", "\x1b[A", "f"]


def test_keys_are_what_they_were(source: PipeInput) -> None:
    listening(source)
    paste = "\x1b[200~pasted \x1b[I\x1b]11;x\x07\x1b[201~"
    for keys in ("\x1b", "\x1b[A", "\x1bf", "\x1b\r", paste, "\x1b[3;5~", "é漢"):
        source.send_text(keys)
        pressed = [*source.read_keys(), *source.flush_keys()]
        assert "".join(press.data for press in pressed) in (keys, "pasted \x1b[I\x1b]11;x\x07")
    source.send_text("\x1b[200~\x1b[Ox\x1b[201~")
    assert [press.key for press in source.read_keys()] == [Keys.BracketedPaste]


def test_what_only_began_to_be_an_answer_is_dropped(source: PipeInput) -> None:
    listening(source)
    assert typed(source, "\x1b]11;rgb:1") == []
    time.sleep(1.1)
    assert typed(source, "text") == list("text")


UNASKED = [
    "\x1b]10;rgb:1/2/3\x07", "\x1b]11;" + "x" * 200 + "\x1b\\", "\x1b]52;c;aGVsbG8=\x07", "\x1bP1$r0m\x1b\\",
    "\x1b_Gi=1;OK\x1b\\", "\x1b[97;5u", "\x1b[?997;1n", "\x1b[8;24;80t", "\x1b[?2026;2$y", "\x1b[>0;276;0c",
]  # fmt: skip


@pytest.mark.parametrize("report", UNASKED)
def test_what_nobody_asked_for_is_no_key(source: PipeInput, report: str) -> None:
    listening(source).settled = True
    assert typed(source, f"a{report}b") == ["a", "b"]


@pytest.mark.parametrize("report", ["\x1b]10;rgb:1/2/3\x07", "\x1b]52;c;aGVsbG8=\x1b\\", "\x1b[?997;1n"])
def test_nor_is_it_when_it_comes_in_two_pieces(source: PipeInput, report: str) -> None:
    listening(source).settled = True
    for at in range(5, len(report)):
        assert typed(source, report[:at], report[at:] + "x") == ["x"], at


def test_keys_of_other_terminals_stay(source: PipeInput) -> None:
    listening(source).settled = True
    for keys in ("\x1b[[A", "\x1b[1;5D", "\x1bOP", "\x1b[Z", "\x1b[27;5;13~", "\x1bP0"):
        assert "".join(typed(source, keys)) == keys


def test_what_is_typed_behind_a_torn_answer_comes_through(source: PipeInput) -> None:
    listening(source)
    keys = typed(source, "\x1b]11;rgb:00")
    for key in "each here":
        time.sleep(0.06)
        keys += typed(source, key)
    assert keys == list("each here")


def test_at_a_question_no_report_is_an_answer() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.wait_for(lambda: QUESTION in terminal.raw)
        terminal.send(FENCE)
        terminal.send("ask ls\r")
        terminal.wait_for("Run it?")
        terminal.send("".join(UNASKED) + "x")
        terminal.wait_for(lambda: terminal.prompt() == "x")
        assert "allowed=" not in terminal.text()


def test_a_colour_is_light_or_dark() -> None:
    assert is_light("rgb:ffff/ffff/ffff") and is_light("rgb:f/f/f") and is_light("rgba:fd/f6/e3/ff")
    assert is_light("rgb:0000/0000/0000") is False and is_light("rgb:28/2c/34") is False
    assert is_light("cyan") is None and is_light("") is None


def test_who_may_be_asked() -> None:
    assert may_ask({"TERM": "xterm-256color"}) and may_ask({"TERM": "screen-256color", "TMUX": "/tmp/x,1,0"})
    for environ in ({}, {"TERM": "dumb"}, {"TERM": "linux"}, {"TERM": "screen"}, {"TERM": "xterm", "STY": "1.x"}):
        assert not may_ask(environ)


def test_the_background_chooses_the_theme() -> None:
    for answer, colour in ((DARK, b"\x1b[1;38;5;114m"), (LIGHT, b"\x1b[1;38;5;22m")):
        with Terminal() as terminal:
            terminal.ready()
            terminal.wait_for(lambda terminal=terminal: QUESTION in terminal.raw)
            terminal.send(f"hel{answer}{FENCE}lo\r")
            terminal.wait_for("You said: hello")
            terminal.wait_for(lambda terminal=terminal, colour=colour: colour in terminal.raw)


def test_a_terminal_that_says_nothing_keeps_its_own_colours_and_its_keys() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.wait_for(lambda: QUESTION in terminal.raw)
        terminal.send("hello\r")
        terminal.wait_for("You said: hello")
        assert b"38;5;" not in terminal.raw and b"\x1b[1;32m" in terminal.raw


def test_an_answer_that_comes_at_the_end_is_nobodys_input() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.wait_for(lambda: QUESTION in terminal.raw)
        terminal.send("typed")
        terminal.wait_for(lambda: terminal.prompt() == "typed")
        terminal.send("\x1b]11;rgb:")
        terminal.read(0.2)
        terminal.send(f"00/00/00\x07{NAME}{FENCE}")
        terminal.send(" on")
        terminal.wait_for(lambda: terminal.prompt() == "typed on")


def test_where_it_misbehaves_nothing_is_asked() -> None:
    for environment in ({"TERM": "linux"}, {"STY": "1.pts"}):
        with Terminal(**environment) as terminal:
            terminal.ready()
            terminal.send("hello\r")
            terminal.wait_for("You said: hello")
            assert b"\x1b]11" not in terminal.raw and b"\x1b[c" not in terminal.raw
