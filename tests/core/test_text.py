"""Text made harmless: nothing that steers a terminal stays, nothing else goes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchy.core.text import clean, clean_tail, reveal

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
texts = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x1b[]P^_X\\;?0123mHKJ\x07\x9b\x9c\x9d\r\n\t(B")))


@given(texts)
def test_no_control_character_is_left(text: str) -> None:
    assert not CONTROL.search(clean(text))
    assert not CONTROL.search(reveal(text))


@given(st.text(alphabet=st.characters(exclude_categories=["Cc"])))
def test_text_without_control_characters_is_itself(text: str) -> None:
    assert clean(text) == text


@given(texts, texts)
def test_cleaning_twice_is_cleaning_once_and_lines_keep_their_number_outside_strings(one: str, two: str) -> None:
    assert clean(clean(one + two)) == clean(one + two)


def test_whole_sequences_go() -> None:
    assert clean("a\x1b[31mred\x1b[0m b") == "ared b"
    assert clean("\x1b]0;title\x07x\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\") == "xlink"
    assert clean("\x1bPq#0\x1b\\x\x1b_apc\x1b\\y\x1b^pm\x9cz") == "xyz"
    assert clean("\x9b31mred\x9d0;t\x9cx") == "redx"
    assert clean("\x1b(Bx\x1bcy\x1b7z") == "xyz"
    assert clean("a\r\nb\tc\x08\x7f\x85") == "a\nb\tc"


def test_what_is_cut_off_stays_as_text() -> None:
    assert clean("see \x1b]52;c;aGk=") == "see 52;c;aGk="
    assert clean("x\x1b[3") == "x"
    assert clean("x\x1b") == "x"


def test_many_openings_cost_linear_time() -> None:
    for opening in ("\x1b]", "\x9d", "\x90", "\x1b[", "\x9b0", "\x1b "):
        assert not CONTROL.search(clean(opening * 200_000))


def test_reveal_shows_what_hides() -> None:
    assert reveal("rm\u202e fdp.exe\u200b") == "rm\\u202e fdp.exe\\u200b"
    assert reveal("echo \x1b[31m\x9b") == "echo \\x1b[31m\\x9b"
    assert reveal("a\U000e0041b\ufeff") == "a\\U000e0041b\\ufeff"
    assert reveal("täxt\n\t漢字") == "täxt\n\t漢字"
    assert reveal("\ud800") == "\\ud800"


@pytest.mark.parametrize(
    "begun", ["\x1b", "\x1b[", "\x1b[3", "\x1b]0;owned", "\x1b]0;owned\x1b", "\x9d0;owned", "\x1bPowned"]
)
def test_a_sequence_that_has_only_begun_is_left_out_of_a_growing_text(begun: str) -> None:
    assert clean_tail(f"text {begun}") == "text "
    assert "owned" in clean(f"text {begun}") or "owned" not in begun
