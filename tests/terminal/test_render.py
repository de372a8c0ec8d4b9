"""Blocks as terminal bytes."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from scratchy.terminal.render import Renderer
from scratchy.terminal.splitter import CUT_AFTER, Splitter
from scratchy.terminal.theme import DARK, LIGHT, NONE, SIXTEEN, Theme, use

SGR = re.compile(r"\x1b\[[0-9;]*m")


def rendered(text: str, width: int = 80, *, theme: Theme = SIXTEEN, links: bool = False) -> str:
    use(theme)
    splitter, renderer = Splitter(), Renderer(links=links)
    blocks = [*splitter.feed(text), *splitter.finish()]
    try:
        return "".join(renderer.block(block, width) for block in blocks)
    finally:
        use(SIXTEEN)


def plain(text: str, width: int = 80) -> str:
    return SGR.sub("", rendered(text, width))


def test_blocks_stand_apart_by_one_blank_line() -> None:
    assert plain("a\n\n\n\nb\n\n- c\n- d\n\n```\ne\n```\nf") == "a\n\nb\n\n • c\n • d\n\n  e\n\nf\n"


def test_no_line_ends_in_blanks() -> None:
    text = "# h\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> quote\n\n```\nx   \n```\n"
    assert all(line == line.rstrip(" ") for line in plain(text).split("\n"))


def test_markup_of_rich_and_html_is_text() -> None:
    assert plain("[bold]x[/bold] :smile:") == "[bold]x[/bold] :smile:\n"


def test_links_show_where_they_lead() -> None:
    assert plain("[text](http://x/y) <http://z/>") == "text (http://x/y) http://z/\n"
    assert plain("![i](http://z) **[b](http://y)**") == "[image: i] (http://z) b (http://y)\n"
    assert "\x1b]8" not in rendered("[text](http://x/y) ![i](http://z)")


def test_an_address_hides_only_behind_a_text_that_claims_no_other() -> None:
    link = "\x1b]8;;http://x/y\x1b\\"
    assert link + "\x1b[4;34mtext\x1b]8;;\x1b\\" in rendered("[text](http://x/y)", links=True)
    assert "(" not in rendered("[text](http://x/y)", links=True)
    for text in ("[good.com](http://evil.com/)", "[a](file:///etc/passwd)", "[a](javascript:x)", "[a](ssh://x)"):
        assert "\x1b]8" not in rendered(text, links=True)
    assert "good.com (http://evil.com/)" in SGR.sub("", rendered("[good.com](http://evil.com/)", links=True))
    assert "\x1b]8" not in rendered("[a](http://x/" + "y" * 3000 + ")", links=True)
    assert "\x1b]8;;http://x/%1b%5B\x1b\\" in rendered("[a](http://x/%1b[)", links=True)


def test_what_is_no_markdown_stands_as_it_was_written() -> None:
    text = r"""A <kbd>x</kbd>.

<div>block</div>

Then \(a_b \times c_d\) and $x_i * y_i * z$, for $5 and $10.

\[
\frac{a_1}{b_1} \\ c
\]

See[^1] and [this][1].

[^1]: note

[1]: http://x
""".replace("\\\\", "\\")
    assert plain(text) == text


def test_a_line_break_of_html_is_one() -> None:
    assert plain("| a<br>b | c |\n|--|--|\n| d<br/>e | f |").split() == ["a", "b", "c", "────", "d", "f", "e"]


def test_no_cell_of_a_table_loses_its_end() -> None:
    cells = ["猫はかわいい動物です", "averyveryverylongword", "שלום"]
    shown = plain(f"| a | 説明 | c |\n|---|---|---|\n| {' | '.join(cells)} |\n", width=30)
    assert "…" not in shown and max(get_cwidth(line) for line in shown.split("\n")) <= 30
    assert sorted("".join(shown.partition("─\n")[2].split())) == sorted("".join(cells))


def test_a_list_goes_on_further_out_after_a_nested_fence() -> None:
    text = "- a\n  - b\n\n    ~~~\n    - code\n    ~~~\n\n  - c\n- d\n"
    assert plain(text) == " • a\n    • b\n\n        - code\n\n    • c\n • d\n"


def test_what_follows_in_a_list_is_indented_like_it() -> None:
    text = "1. one\n\n   more of one\n\n   ```sh\n   ls\n   ```\n\n2. two\n\nafter\n"
    assert plain(text) == " 1 one\n\n   more of one\n\n     ls\n\n 2 two\n\nafter\n"


def test_a_fence_that_is_indented_deep_is_code() -> None:
    assert plain("- a\n  - b\n\n    ```\n    code\n    ```\n") == " • a\n    • b\n\n        code\n"


def test_long_lines_of_code_are_folded_not_cut() -> None:
    code = "x" * 95
    lines = plain(f"```\n{code}\n```", width=40).split("\n")
    assert "".join(line.removeprefix("  ") for line in lines) == code
    assert max(map(len, lines)) <= 40


def test_pieces_of_a_long_fence_join_seamlessly() -> None:
    lines = [f"x{number} = 1" if number % 10 else "" for number in range(1, CUT_AFTER * 3)]
    shown = plain("```python\n" + "\n".join(lines) + "\n```\n")
    assert shown == "".join(f"  {line}\n" if line else "\n" for line in lines)


def test_code_is_coloured_and_without_colour_it_is_not() -> None:
    assert "\x1b[34mdef" in rendered("```python\ndef f(): pass\n```")
    assert "\x1b[" not in rendered("```python\ndef f(): pass\n```", theme=NONE)
    assert "\x1b[1m" in rendered("**b**", theme=NONE)
    assert "\x1b[38;5;111mdef" in rendered("```python\ndef f(): pass\n```", theme=DARK)
    assert "\x1b[38;5;25mdef" in rendered("```python\ndef f(): pass\n```", theme=LIGHT)


markdown = st.lists(
    st.sampled_from(
        ["text **b**", "", "# 漢字", "- item", "  - deep", "1. 👍", "```py", "```", "| a | b |", "|---|---|", "x" * 60]
    ),
    max_size=20,
).map("\n".join)


@given(markdown, st.integers(min_value=20, max_value=100))
@settings(max_examples=100, deadline=None)
def test_no_line_is_wider_than_the_terminal(text: str, width: int) -> None:
    assert all(get_cwidth(line) <= width for line in plain(text, width).split("\n"))


@given(st.text(alphabet="a \n\x1b[31m]0;\x07\x9b`-#&<>%1b[]()!|*_"))
@settings(max_examples=200, deadline=None)
def test_only_our_own_colours_are_written(text: str) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", plain(text))


def test_sequences_hidden_in_addresses_and_entities_do_not_come_out() -> None:
    shown = plain("<http://x/%1b[31m%07> &#27;[31m &#x9b;31m [a](http://x/%1b%5D)")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)


def test_a_giant_block_stands_as_it_was_written() -> None:
    paragraph, table = "**a** [b\n" * 1500, "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 2000
    code = "```python\n" + "x = 'y'\n" * 1500 + "```\n"
    assert plain(paragraph) == paragraph
    assert plain(table) == table
    assert plain(code).split() == ["x", "=", "'y'"] * 1500
