"""What is folded and what is shown of it: thinking, calls side by side, diffs, Ctrl-O, themes by command."""

from pathlib import Path

import pytest
from prompt_toolkit.utils import get_cwidth
from ptys import Terminal

from scratchy.terminal.diffs import approval_lines, beginning, painted
from scratchy.terminal.folds import Folds
from scratchy.terminal.layout import Live, Running, rows
from scratchy.terminal.lines import overwritten
from scratchy.terminal.theme import NONE, SIXTEEN, use


def ready(terminal: Terminal) -> None:
    terminal.wait_for(lambda: terminal.line() == "[default] You:")


def test_thinking_is_one_calm_line_and_unfolds() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("think\r")
        terminal.wait_for("thinking · ")
        terminal.wait_for("thought12")
        terminal.wait_for("So it is.")
        ready(terminal)
        lines = terminal.text().split("\n")
        said = next(at for at, line in enumerate(lines) if line.startswith("Thought for "))
        assert lines[said - 1] == "[default] 🤖 Assistant:" and "So it is." in lines[said + 1 : said + 3]
        assert "thought" not in terminal.text()
        terminal.send("\x0f")
        terminal.wait_for("thought30")
        assert "thought12 thought13" in terminal.text()


def test_interrupted_thinking_is_told_too() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("think 900\r")
        terminal.wait_for("thought5")
        terminal.send("\x1b")
        terminal.wait_for("Interrupted.")
        terminal.wait_for("Thought for ")


def test_an_edit_that_ran_unasked_shows_the_beginning_of_its_diff() -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send("edit\r")
        terminal.wait_for("Edited.")
        ready(terminal)
        shown = terminal.text()
        assert "  @@ -1,3 +1,30 @@\n   one\n  -two\\x1b[31m\n  +   two 漢字\\u202e" in shown
        assert "line 8" in shown and "line 9" not in shown and "… 20 more lines · Ctrl-O shows all" in shown
        terminal.send("\x0f")
        terminal.wait_for("line 27")
        terminal.wait_for("No newline at end of file")


def test_an_edit_that_was_asked_for_shows_it_once() -> None:
    with Terminal(rows=60) as terminal:
        terminal.ready()
        terminal.send("edit asked\r")
        terminal.wait_for("Run it?")
        terminal.read(0.5)
        terminal.send("y")
        terminal.wait_for("Edited.")
        ready(terminal)
        assert terminal.text().count("@@ -1,3") == 1 and "more lines" not in terminal.text()


def test_calls_side_by_side_stay_calm_and_unfold_one_after_the_other(tmp_path: Path) -> None:
    with Terminal() as terminal:
        terminal.ready()
        terminal.send(f"many 3 {tmp_path / 'go'}\r")
        terminal.wait_for("▸ execute_command job 2")
        terminal.wait_for(lambda: any(line.strip().endswith(" %") for line in terminal.text().split("\n")))
        live = [line for line in terminal.text().split("\n") if line.startswith("▸")]
        assert len(live) == 3 and all(line.endswith("…") for line in live)
        (tmp_path / "go").touch()
        terminal.wait_for("✓ execute_command job 2")
        ready(terminal)
        done = [line for line in terminal.text().split("\n") if line.startswith("✓")]
        assert [line[:23] for line in done] == [f"✓ execute_command job {number}" for number in range(3)]
        assert all(line.endswith("… · 5 ms") for line in done)
        for key, expected in enumerate(("done 2", "done 1"), 1):
            terminal.send("\x0f")
            terminal.wait_for(expected)
            terminal.wait_for(f"· {key} of 3")
        assert "1 %" not in terminal.text() and "100 %" in terminal.text()
        terminal.send("\x0f" + "typed meanwhile")
        terminal.wait_for(lambda: terminal.prompt() == "typed meanwhile")
        terminal.wait_for("done 0")
        terminal.send("\x0f")
        terminal.wait_for("That was the oldest")


def test_a_theme_applies_to_what_comes() -> None:
    with Terminal("theme=dark") as terminal:
        terminal.ready()
        terminal.send("markdown\r")
        terminal.wait_for("The end.")
        ready(terminal)
        assert b"\x1b[38;5;111mdef" in terminal.raw and b"\x1b]11" not in terminal.raw
        terminal.send("/theme light\r")
        terminal.wait_for("Theme: light")
        terminal.send("markdown\r")
        terminal.wait_for(lambda: terminal.text().count("The end.") == 2)
        assert b"\x1b[38;5;25mdef" in terminal.raw
        terminal.send("/theme none\r")
        terminal.wait_for("Theme: none")
        ready(terminal)
        at = len(terminal.raw)
        terminal.send("markdown\r")
        terminal.wait_for(lambda: terminal.text().count("The end.") == 3)
        assert b"38;5;" not in terminal.raw[at + 200 :] and b"\x1b[36m" not in terminal.raw[at + 200 :]


def test_folds_are_bounded_and_begin_anew_with_the_newest() -> None:
    folds = Folds()
    assert "No tool has run yet." in folds.unfolded(80)
    for number in range(30):
        folds.add(f"tool {number}", f"output {number}")
    assert "output 29" in folds.unfolded(80) and "output 28" in folds.unfolded(80)
    folds.add("new", "newest")
    assert "newest" in folds.unfolded(80)
    for _ in range(19):
        folds.unfolded(80)
    assert "oldest" in folds.unfolded(80) and "newest" in folds.unfolded(80)
    folds.add("huge", "x" * 9_000_000)
    assert len(folds.unfolded(80)) < 4_100_000 and "oldest" in folds.unfolded(80)


def test_thoughts_break_between_words_and_output_is_left_as_it_was() -> None:
    folds = Folds()
    folds.add("Thought for 1 s", "thoughts " * 20, prose=True)
    body = folds.unfolded(40).split("\n", 1)[1]
    assert body.split() == ["thoughts"] * 20 and max(map(len, body.split("\n"))) <= 40
    folds.add("tool", "output " * 20)
    assert "output " * 20 in folds.unfolded(40)


@pytest.mark.parametrize(
    ("text", "left"),
    [("a\r\nb", "a\nb"), ("10 %\r20 %\r\n", "20 %\n"), ("1\r2\r3", "3"), ("bar\r", "bar"), ("\r\r\n", "\n"), ("", "")],
)
def test_what_was_written_over_is_gone(text: str, left: str) -> None:
    assert overwritten(text) == left


def test_many_running_calls_take_no_more_rows_than_there_are() -> None:
    for count in (1, 4, 8, 30):
        running = {str(number): Running("tool", "summary", "one\ntwo\nthree\nfour") for number in range(count)}
        shown = rows(Live(running=running, since=0.0, status="working"), 1.0, 40, 16)
        text = ["".join(part for _, part in row) for row in shown]
        assert len(text) <= 16 and text[-1].endswith("Esc to interrupt")
        assert sum(line.startswith("▸") for line in text) == min(count, 8)
        assert (f"… and {count - 8} more run" in text) == (count > 8)


def test_diffs_tell_what_they_do_without_colour() -> None:
    diff = "--- a\n+++ b\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n\\ No newline at end of file\n"
    use(NONE)
    try:
        assert painted(diff)[2:] == [
            "@@ -1,2 +1,2 @@",
            " same",
            "-old",
            "+new",
            "\x1b[2m\\ No newline at end of file\x1b[0m",
        ]
        assert beginning(diff, 80).split("\n")[0] == "  @@ -1,2 +1,2 @@"
    finally:
        use(SIXTEEN)


def test_line_ends_are_said_once_or_shown() -> None:
    windows = "--- a\n+++ b\n@@ -1,2 +1,2 @@\n same\r\n-old\r\n+new\r\n"
    assert painted(windows)[-1].count("Lines end in CRLF") == 1 and "\\x0d" not in "".join(painted(windows))
    mixed = windows.replace("+new\r\n", "+new\n")
    assert "-old\\x0d" in "".join(painted(mixed)) and "CRLF" not in "".join(painted(mixed))
    assert "│ \x1b[31m-old\\x0d" in approval_lines("edit_file", f"a\n{mixed}", 80).replace("\x1b[2m│\x1b[0m", "│")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_a_row_of_a_diff_fits(width: int) -> None:
    diff = "--- a\n+++ b\n@@ -1 +1 @@\n-" + "漢" * 500 + "\n+\t" + "x" * 100_000 + "\n"
    use(NONE)
    try:
        assert all(get_cwidth(line) <= width for line in beginning(diff, width).split("\n"))
    finally:
        use(SIXTEEN)
