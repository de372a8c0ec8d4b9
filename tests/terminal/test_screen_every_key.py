"""Every key of the prompt, in windows of three widths, and text of all scripts under the cursor."""

from pathlib import Path

import pytest
from ptys import Terminal
from wcwidth import wcswidth

PROMPT = "[default] You: "
WIDTHS = pytest.mark.parametrize("columns", [40, 80, 200])

READLINE = [
    ("one two three", "\x01X", "Xone two three"),
    ("one two three", "\x01\x05X", "one two threeX"),
    ("one", "\x02\x02X", "oXne"),
    ("one", "\x01\x06X", "oXne"),
    ("one two", "\x01\x0b", ""),
    ("one two", "\x15", ""),
    ("one two", "\x17", "one "),
    ("one two", "\x17\x19\x19", "one twotwo"),
    ("one two", "\x1bbX", "one Xtwo"),
    ("one two", "\x01\x1bfX", "oneX two"),
    ("one two", "\x01\x1bd", " two"),
    ("one two", "\x01\x04", "ne two"),
    ("one two", "\x7f\x08", "one t"),
    ("ab", "\x14", "ba"),
    ("one two", "\x17\x1f", "one two"),
    ("one", "\x1b[D\x1b[DX\x1b[CY", "oXnYe"),
    ("one", "\x1b[HX\x1b[FY", "XoneY"),
    ("one", "\x1b[H\x1b[3~", "ne"),
]
"""What is typed, the keys after it, what stands there then."""

NEWLINES = {
    "Ctrl-J": "\n", "Alt-Enter": "\x1b\r", "\\ Enter": "\\\r", "Shift-Enter (CSI u)": "\x1b[13;2u",
    "Alt-Enter (CSI u)": "\x1b[13;3u", "Ctrl-Enter (CSI u)": "\x1b[13;5u", "Shift-Enter (xterm)": "\x1b[27;2;13~",
    "Ctrl-Enter (xterm)": "\x1b[27;5;13~",
}  # fmt: skip


def stands(terminal: Terminal, text: str) -> None:
    terminal.wait_for(lambda: terminal.line().rstrip() == (PROMPT + text).rstrip())


@WIDTHS
def test_readlines_own_keys_do_what_they_always_do(columns: int) -> None:
    with Terminal(columns=columns) as terminal:
        terminal.ready()
        for before, keys, after in READLINE:
            terminal.send(before)
            stands(terminal, before)
            terminal.send(keys)
            stands(terminal, after)
            terminal.send("\x05\x15")
            stands(terminal, "")


@WIDTHS
def test_each_way_to_a_new_line(columns: int) -> None:
    with Terminal(columns=columns) as terminal:
        terminal.ready()
        for key in NEWLINES.values():
            terminal.send("first")
            stands(terminal, "first")
            terminal.send(key + "second")
            terminal.wait_for(lambda: terminal.line() == "second")
            assert PROMPT + "first\n" in terminal.text()
            terminal.send("\x03")
            terminal.wait_for(lambda: terminal.line() == PROMPT.rstrip())
            terminal.wait_for(lambda: "Press Ctrl-C" not in terminal.text())
        terminal.send("a\nb\r")
        terminal.wait_for("You said: a b")


@WIDTHS
def test_the_keys_that_are_ours(columns: int, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf edited >> "$1"\n')
    editor.chmod(0o755)
    with Terminal(columns=columns, EDITOR=str(editor)) as terminal:
        terminal.ready()
        terminal.send("tool\r")
        terminal.wait_for("Done.")
        terminal.wait_for(lambda: terminal.line() == PROMPT.rstrip())
        terminal.send("\x0f")
        terminal.wait_for("the output of the tool")
        terminal.send("\x1b[A")
        stands(terminal, "tool")
        terminal.send("\x1b[B")
        stands(terminal, "")
        terminal.send("\x12to")
        terminal.wait_for("to")
        terminal.send("\r")
        stands(terminal, "tool")
        terminal.send("\x05\x15/st\t")
        stands(terminal, "/status")
        terminal.send("\x15a\x1b[Z")
        terminal.wait_for(lambda: terminal.line() == "[default] accept-edits You: a")
        terminal.send("\x1b[Z\x1b[Z")
        stands(terminal, "a")
        for letter, key in (("x", "\x07"), ("y", "\x18\x05")):
            terminal.send(f"\x15{letter}{key}")
            stands(terminal, f"{letter}edited")
        terminal.send("\x15/editor from \r")
        terminal.wait_for(lambda: terminal.prompt().split("\n")[0] == "from edited")
        terminal.send("\x0c")
        terminal.wait_for(lambda: terminal.screen.display[0].startswith(PROMPT))
        stands(terminal, "from edited")
        terminal.send("\x15\x1b")
        terminal.send("\x1b")
        terminal.wait_for("Unknown command /rewind")
        terminal.send("\x04")
        assert terminal.exit_code() == 0


SCRIPTS = ["日本語テキスト", "한국어 문장", "a🙂b🚀", "e\u0301a\u0308o\u0302", "שלום עולם", "مرحبا", "naïve Ω ﬁ"]


@WIDTHS
def test_the_cursor_stands_behind_what_was_typed(columns: int) -> None:
    with Terminal(columns=columns) as terminal:
        terminal.ready()
        for text in SCRIPTS:
            terminal.send(text)
            terminal.wait_for(lambda text=text: terminal.screen.cursor.x == len(PROMPT) + wcswidth(text))
            terminal.send("\x01\x1b[C")
            terminal.wait_for(lambda text=text: terminal.screen.cursor.x == len(PROMPT) + wcswidth(text[0]))
            terminal.send("\x05\x15")
            terminal.wait_for(lambda: terminal.screen.cursor.x == len(PROMPT))


@WIDTHS
def test_wide_text_breaks_at_the_edge_and_the_cursor_with_it(columns: int) -> None:
    with Terminal(columns=columns) as terminal:
        terminal.ready()
        terminal.send("語" * columns)
        terminal.wait_for(lambda: terminal.text().count("語") == columns)
        x, y = terminal.screen.cursor.x, terminal.screen.cursor.y
        first = next(at for at, row in enumerate(terminal.screen.display) if row.startswith(PROMPT))
        assert y - first in (2, 3) and x % 2 == 0
        terminal.send("\x01")
        terminal.wait_for(lambda: (terminal.screen.cursor.x, terminal.screen.cursor.y) == (len(PROMPT), first))


@WIDTHS
def test_a_text_of_more_lines_than_rows_leaves_the_live_part_in_sight(columns: int) -> None:
    with Terminal(columns=columns, rows=12) as terminal:
        terminal.ready()
        terminal.send("slow\r")
        terminal.wait_for("word9")
        terminal.send("".join(f"line {number}\n" for number in range(1, 31)) + "the end")
        terminal.wait_for(lambda: terminal.line().endswith("the end"))

        def whole() -> bool:
            rows = [str(row).strip() for row in terminal.screen.display]
            return any("Esc to interrupt" in row for row in rows) and "the end" in rows and "line 30" in rows

        terminal.wait_for(whole)
        terminal.send("\x1b[A" * 30)
        terminal.wait_for(lambda: terminal.line() == PROMPT + "line 1")
        assert any("Esc to interrupt" in row for row in terminal.screen.display)
        terminal.send("\x1b")
        terminal.wait_for("Interrupted.")
        terminal.wait_for(lambda: terminal.line() == PROMPT + "line 1")


def test_100_kb_pasted_stand_as_a_mark_and_are_sent_whole(tmp_path: Path) -> None:
    with Terminal() as terminal:
        terminal.ready()
        text = "".join(f"{number:07}\r" for number in range(12_500)) + "\x1b[31mred\x1b]0;owned\x07 \x9bend"
        terminal.paste(text)
        terminal.wait_for("[Pasted #1, 12501 lines]")
        terminal.send(" and this\r")
        found = terminal.until(b"and this")
        assert b"\x1b]0;owned" not in found and b"\x1b[31mred" not in found
        terminal.wait_for("0012499 red")
