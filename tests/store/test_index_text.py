"""What a query means, how text of any script is split, and the passage that is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchy.store.index_text import SAID_MOST, TOOL_MOST, Query, indexable, words_of


@pytest.mark.parametrize(
    ("typed", "match"),
    [
        ("parse error", '"parse" "error" *'),
        ("a b", '"a" "b"'),
        ('"parse error"', '"parse error"'),
        ('"parse err"*', '"parse err" *'),
        ("wor*", '"wor" *'),
        ("pa* end", '"pa" * "end" *'),
        ("AND OR NOT", '"and" "or" "not" *'),
        ("col:x ^y (z", '"col:x" "^y" "(z"'),
        ('say "hi', '"say" "hi"'),
        ("Café", '"cafe" *'),
        ("東京都", '"東京 京都"'),
        ("京", '"京" *'),
        ("!!! - *", ""),
        ("", ""),
    ],
)
def test_a_query_in_the_index_s_language(typed: str, match: str) -> None:
    assert Query(typed).match == match


def test_runs_without_spaces_become_pairs() -> None:
    assert indexable("plain ASCII stays_as It is") == "plain ASCII stays_as It is"
    assert indexable("in東京都 now").split() == ["in", "東京", "京都", "都", "now"]
    assert indexable("Straße ﬁn").split() == ["strasse", "fin"]


def test_what_of_a_message_can_be_found() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "edit", "arguments": '{"text": "one\\ntwo \\u00e9"}'}}
    assert words_of({"role": "assistant", "content": "Look", "tool_calls": [call]}) == "Look\nedit text\none\ntwo é"
    broken = {"id": "1", "type": "function", "function": {"name": "edit", "arguments": '{"text": "a\\nb'}}
    assert "a\nb" in words_of({"role": "assistant", "content": None, "tool_calls": [broken]})
    assert words_of({"role": "system", "content": "secret rules"}) == ""
    assert words_of({"role": "user", "content": [{"type": "text", "text": "part"}, {"type": "image_url"}]}) == "part"


def test_long_messages_keep_their_beginning_and_their_end() -> None:
    for role, most in (("tool", TOOL_MOST), ("user", SAID_MOST)):
        words = words_of({"role": role, "content": f"begin {'x ' * most} end"})
        assert words.startswith("begin") and words.endswith("end") and len(words) <= most + 1


def test_a_passage_lies_where_most_of_the_words_are() -> None:
    text = f"{'error ' * 3}{'nothing here ' * 100}\nthe parse\nerror came {'later ' * 100}"
    line, matches = Query("parse error").passage(text, 60)
    assert "the parse error came" in line and line.startswith("…") and line.endswith("…") and "\n" not in line
    assert [line[a:b] for a, b in matches] == ["parse", "error"]


def test_matches_lie_right_in_text_that_folding_makes_longer() -> None:
    line, matches = Query("needle").passage("ﬁﬁﬁ Straße needle", 80)
    assert [line[a:b] for a, b in matches] == ["needle"]


@given(st.text(max_size=60), st.text(max_size=200))
def test_no_text_and_no_query_is_an_error(typed: str, text: str) -> None:
    query = Query(typed)
    query.occurs_in(text)
    line, matches = query.passage(text, 80)
    assert all(0 <= a < b <= len(line) for a, b in matches)
    assert isinstance(query.match, str) and isinstance(indexable(text), str)
