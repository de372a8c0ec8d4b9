"""Blocks of a stream: any cut gives the same ones, joined they are the answer."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from scratchy.terminal.splitter import CUT_AFTER, LIMIT, Splitter

LINES = [
    "text",
    "",
    "  ",
    "# head",
    "- item",
    "  more",
    "1. one",
    "```",
    "````",
    "```python",
    "   ```",
    "    ```",
    "~~~",
    "~~~ x",
    "- ```js",
    "`````",
    "``` a`b",
    "| a | b |",
    "> quote",
    "'''",
    '"""',
    "x = `a`",
    "\r",
    "é漢👍",
]
markdown = st.lists(st.sampled_from(LINES), max_size=40).map("\n".join)


def split(text: str, cuts: list[int], limit: int = LIMIT) -> tuple[list[str], list[str]]:
    splitter = Splitter(limit)
    blocks = []
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    for start, end in pairwise(edges):
        before = "".join(blocks)
        blocks += splitter.feed(text[start:end])
        assert "".join(blocks).startswith(before)
        assert "".join(blocks) + splitter.tail == text[:end]
        assert len(splitter.tail) <= limit
    blocks += splitter.finish()
    assert splitter.tail == ""
    return [str(block) for block in blocks], [block.fence for block in blocks]


@given(markdown, st.lists(st.integers(min_value=0), max_size=30))
@settings(max_examples=300)
def test_any_cut_gives_the_same_blocks_and_joined_they_are_the_answer(text: str, cuts: list[int]) -> None:
    whole = split(text, [])
    assert "".join(whole[0]) == text
    assert split(text, cuts) == whole
    assert split(text, list(range(len(text)))) == whole


@given(st.text(), st.lists(st.integers(min_value=0), max_size=10))
def test_any_text_at_all(text: str, cuts: list[int]) -> None:
    assert split(text, cuts) == split(text, [])


@given(markdown, st.lists(st.integers(min_value=0), max_size=30), st.integers(min_value=1, max_value=30))
@settings(max_examples=300)
def test_blocks_are_bounded_whatever_the_cuts(text: str, cuts: list[int], limit: int) -> None:
    whole = split(text, [], limit)
    assert "".join(whole[0]) == text
    assert all(len(block) <= limit + 1 for block in whole[0])
    assert split(text, cuts, limit) == whole
    assert split(text, list(range(len(text))), limit) == whole


def test_a_giant_block_ends_at_a_line_else_at_a_blank_else_hard() -> None:
    assert split("one two\nthree\nfour", [], 16)[0] == ["one two\nthree\n", "four"]
    assert split("one two three four", [], 16)[0] == ["one two three ", "four"]
    assert split("x" * 20, [], 16)[0] == ["x" * 16, "xxxx"]
    assert split("```py\n" + "x" * 20 + "```\ny\n```\nz", [], 16) == (
        ["```py\n", "x" * 16, "xxxx```\ny\n```\n", "z"],
        ["", "```py\n", "```py\n", ""],
    )


def blocks_of(text: str) -> list[str]:
    return split(text, [])[0]


def test_a_blank_line_ends_a_block() -> None:
    assert blocks_of("a\nb\n\nc\n") == ["a\nb\n\n", "c\n"]


def test_blank_lines_before_a_block_belong_to_it() -> None:
    assert blocks_of("\n\na\n\n\nb") == ["\n\na\n\n", "\nb"]


def test_a_fence_is_one_block_up_to_its_closing_line() -> None:
    assert blocks_of("```\na\n\nb\n```\nc") == ["```\na\n\nb\n```\n", "c"]


def test_a_longer_fence_holds_a_shorter_one() -> None:
    assert blocks_of("````md\n```\n\nx\n```\n````\nc") == ["````md\n```\n\nx\n```\n````\n", "c"]


def test_a_fence_is_closed_by_its_own_character_without_words() -> None:
    assert blocks_of("~~~\n```\n\n~~~ x\n~~~\n") == ["~~~\n```\n\n~~~ x\n~~~\n"]


def test_a_list_holds_a_fence() -> None:
    text = "- ```js\n  a\n\n  b\n  ```\n- c\n"
    assert blocks_of(text) == ["- ```js\n  a\n\n  b\n  ```\n", "- c\n"]


def test_words_in_backticks_open_no_fence() -> None:
    assert blocks_of("``` a`b\n\nc") == ["``` a`b\n\n", "c"]


def test_a_very_long_fence_is_cut_where_that_is_safe() -> None:
    lines = [f"x{number} = 1" if number % 10 else "" for number in range(1, 400)]
    code = "```python\n" + "\n".join(lines) + "\n```\n"
    blocks, fences = split(code, [])
    assert "".join(blocks) == code
    assert len(blocks) > 3
    assert fences[0] == "" and set(fences[1:]) == {"```python\n"}
    assert all(block.endswith("\n\n") for block in blocks[:-1])


def test_a_string_over_many_lines_is_not_cut() -> None:
    code = "```python\nx = '''\n" + "text\n\n" * CUT_AFTER * 3 + "'''\n```\n"
    assert blocks_of(code) == [code]


def test_plain_output_is_cut_anywhere() -> None:
    log = "```\n" + "line\n" * CUT_AFTER * 3 + "```\n"
    assert len(blocks_of(log)) == 4


def test_the_end_of_the_tail_is_cheap_and_right() -> None:
    splitter = Splitter()
    for number in range(100):
        splitter.feed(f"line {number}\n")
    for piece in ("last ", "words"):
        splitter.feed(piece)
    assert splitter.end(2) == "line 98\nline 99\nlast words"
    assert splitter.end(2, limit=5) == "words"
