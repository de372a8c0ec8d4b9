"""The line below the input on a real pty: what it tells, at all widths, and that it is in nobody's way."""

import os
import re
from pathlib import Path

import pytest
from model_server import delta, sse, stream
from programs import serving
from ptys import ROOT, Terminal
from pyte.screens import Char

PROMPT = "[default] You:"
PRICES = '[prices."tiny"]\ninput = 100\noutput = 1000\nwindow = 5000\n'
USAGE = {"prompt_tokens": 400, "completion_tokens": 100, "total_tokens": 500}
ANSWER = stream(*sse(delta("All done."), delta(finish="stop"), {"choices": [], "usage": USAGE}))
SLOW = stream(*sse(*(delta("word " * 10) for _ in range(60)), delta(finish="stop"), {"choices": [], "usage": USAGE}),
              pause=0.05)  # fmt: skip


def window(folder: Path, *flags: str, columns: int = 80, rows: int = 24, branch: str = "main", **environ: str):
    config = folder / ".config" / "scratchy" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(PRICES)
    work = folder / "work"
    (work / ".git").mkdir(parents=True, exist_ok=True)
    (work / ".git" / "HEAD").write_text(f"ref: refs/heads/{branch}\n")
    return Terminal(
        *("--sessions-dir", str(folder / "sessions"), "--cwd", str(work), *flags),
        program=ROOT / "run_agent.py", columns=columns, rows=rows,
        **{"HOME": str(folder), "PATH": os.environ["PATH"], "OLLAMA_HOST": "http://127.0.0.1:1", **environ},
    )  # fmt: skip


def below(terminal: Terminal) -> str:
    """The row below the one that the cursor is in."""
    at = terminal.screen.cursor.y + 1
    row: dict[int, Char] = terminal.screen.buffer[at]
    return (
        "".join(row[column].data for column in range(terminal.columns)).rstrip() if at < terminal.screen.lines else ""
    )


def ready(terminal: Terminal) -> None:
    terminal.wait_for("Model: ")
    terminal.wait_for(lambda: terminal.line() == PROMPT and below(terminal).startswith("tiny"))


@pytest.mark.parametrize(
    ("columns", "before", "after"),
    [
        (40, r"tiny · context ~\d+% · \$0( · branch main)?", r"tiny · context 10% · \$0\.1400"),
        (80, r"tiny · context ~\d+% · \$0 · branch main", r"tiny · context 10% · \$0\.1400 · branch main"),
        (200, r"tiny · context ~\d+% · \$0 · branch main", r"tiny · context 10% · \$0\.1400 · branch main"),
    ],
)
def test_it_tells_the_model_the_context_the_cost_and_the_branch(tmp_path, columns, before, after):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url, columns=columns) as terminal:
        ready(terminal)
        terminal.wait_for(lambda: re.fullmatch(before, below(terminal)) is not None)
        terminal.send("Hello\r")
        terminal.wait_for(lambda: re.fullmatch(after, below(terminal)) is not None and terminal.line() == PROMPT)
        (tmp_path / "work" / ".git" / "HEAD").write_text("ref: refs/heads/other\n")
        terminal.send("/cost\r")
        terminal.wait_for("This run: 1 request, 400 tokens in, 100 out, $0.1400 (tiny)"[:30])
        if columns > 40:
            terminal.wait_for(lambda: below(terminal).endswith("branch other"))
        terminal.send("\x04")
        terminal.ended()
        assert "context" not in "\n".join(terminal.screen.display)  # it goes with the prompt


def test_the_speed_while_an_answer_is_written_and_after_it(tmp_path):
    with serving(SLOW) as server, window(tmp_path, "--base-url", server.url) as terminal:
        ready(terminal)
        terminal.send("Hello\r")
        terminal.wait_for(lambda: re.search(r"· ~\d+(\.\d)? tokens/s ·", below(terminal)) is not None)
        terminal.wait_for(lambda: re.search(r"· \d+(\.\d)? tokens/s ·", below(terminal)) is not None)
        assert "$0.1400" in below(terminal)


def test_the_speed_of_an_interrupted_answer_stays(tmp_path):
    with serving(SLOW) as server, window(tmp_path, "--base-url", server.url) as terminal:
        ready(terminal)
        terminal.send("Hello\r")
        terminal.wait_for(lambda: re.search(r"· ~\d+(\.\d)? tokens/s ·", below(terminal)) is not None)
        terminal.send("\x1b")
        terminal.wait_for(lambda: "Interrupted." in terminal.text() and terminal.line() == PROMPT)
        terminal.wait_for(lambda: "tokens/s" in below(terminal))
        before = below(terminal)
        terminal.read(2.0)
        terminal.send("x")
        terminal.wait_for(lambda: terminal.line() == f"{PROMPT} x")
        assert below(terminal) == before


@pytest.mark.parametrize("branch", ["状態を表示する" * 5, "🎉" * 40, "x" * 300, "a\x1b[31m\x07b\u202ec"])
def test_a_branch_of_any_letters_is_clipped_and_harmless(tmp_path, branch):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url, branch=branch) as terminal:
        ready(terminal)
        terminal.wait_for(lambda: "branch" in below(terminal))
        assert "branch " in below(terminal) and terminal.line() == PROMPT
        assert b"\x1b[31m\x07" not in terminal.raw and "\u202e" not in terminal.raw.decode("utf-8", "replace")


def test_modes_but_ask_stand_in_it(tmp_path):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url) as terminal:
        ready(terminal)
        assert "ask" not in below(terminal)
        terminal.send("\x1b[Z")
        terminal.wait_for(lambda: "· accept-edits ·" in below(terminal))


@pytest.mark.parametrize("rows", [24, 10])
def test_menu_search_and_picker_have_its_place(tmp_path, rows):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url, rows=rows) as terminal:
        ready(terminal)
        terminal.send("Hello\r")
        terminal.wait_for(lambda: "context 10%" in below(terminal) and terminal.line() == PROMPT)
        terminal.send("/re\t")
        terminal.wait_for(
            lambda: "/rewind" in terminal.text() and "context 10%" not in "\n".join(terminal.screen.display)
        )
        terminal.send("\x03")
        terminal.wait_for(lambda: "context 10%" in below(terminal) and terminal.line() == PROMPT)
        terminal.send("\x12Hel")
        terminal.wait_for(lambda: "search" in "\n".join(terminal.screen.display))
        terminal.send("\x07")
        terminal.wait_for(lambda: "context 10%" in "\n".join(terminal.screen.display))
        terminal.send("\x15/resume\r")
        terminal.wait_for("Filter:")
        terminal.wait_for(lambda: "context 10%" not in "\n".join(terminal.screen.display))
        terminal.send("\x1b")
        terminal.wait_for(lambda: "context 10%" in below(terminal) and terminal.line() == PROMPT)


def test_a_window_of_five_rows_has_none(tmp_path):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url, rows=5) as terminal:
        terminal.wait_for("Model: ")
        terminal.send("Hello\r")
        terminal.wait_for(lambda: "All done." in terminal.text() and terminal.line() == PROMPT)
        assert "context" not in terminal.text()


@pytest.mark.parametrize("columns", [40, 61, 79, 81, 200])
def test_in_a_window_of_another_size_it_stands_there_once(tmp_path, columns):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url) as terminal:
        ready(terminal)
        terminal.send("Hello\r")
        terminal.wait_for(lambda: "context 10%" in below(terminal) and terminal.line() == PROMPT)
        for width in (columns, 80, columns):
            terminal.resize(24, width)
            terminal.wait_for(
                lambda: (
                    "context 10%" in below(terminal)
                    and terminal.text().count("context") == 1
                    and terminal.text().count(PROMPT) == 2
                    and terminal.line() == PROMPT
                )
            )


def test_at_rest_it_costs_nothing(tmp_path):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url) as terminal:
        ready(terminal)
        terminal.send("Hello\r")
        terminal.wait_for(lambda: "context 10%" in below(terminal) and terminal.line() == PROMPT)
        terminal.wait_for(lambda: _still(terminal))


def _still(terminal: Terminal) -> bool:
    """Nothing was drawn and nothing computed for a second."""
    before, drawn = terminal.cpu_ticks(), len(terminal.raw)
    terminal.read(1.0)
    return terminal.cpu_ticks() - before <= 1 and len(terminal.raw) == drawn


def test_plain_mode_has_none(tmp_path):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url, "--plain") as terminal:
        terminal.wait_for(lambda: terminal.line() == PROMPT)
        terminal.send("Hello\r")
        terminal.wait_for(lambda: terminal.text().count(PROMPT) == 2 and terminal.line() == PROMPT)
        assert "context" not in terminal.text()


def test_the_budget_stands_beside_the_cost(tmp_path):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url, "--max-budget-usd", "2") as terminal:
        ready(terminal)
        terminal.wait_for(lambda: "$0 of $2.00" in below(terminal))
        terminal.send("Hello\r")
        terminal.wait_for("would cost more than the budget allows")


def test_without_a_price_the_cost_is_a_question(tmp_path):
    with serving(ANSWER) as server, window(tmp_path, "--base-url", server.url, "--model", "other") as terminal:
        terminal.wait_for(lambda: below(terminal).startswith("other"))
        terminal.send("Hello\r")
        terminal.wait_for(lambda: "· $? ·" in below(terminal) and terminal.line() == PROMPT)
        terminal.send("/cost\r")
        terminal.wait_for('Price unknown: set [prices."other"] (input, output)')
