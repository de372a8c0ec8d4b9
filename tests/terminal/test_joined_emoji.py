"""Emoji that terminals join to one sign, each in its own way: while they are edited or chosen they stand in their
parts, which all terminals draw alike. Looked at in a model of a terminal that joins nothing, and in tmux."""

from contextlib import closing
from pathlib import Path

import pytest
from programs import Home
from ptys import ROOT, Terminal
from tmuxes import HERE, Tmux

from scratchy import SessionManager
from scratchy.core.stored import Header

FAMILY, THUMB, FLAG, HEART = "👨‍👩‍👧‍👦", "👍🏽", "🇩🇪", "❤️"
TYPED = f"xx漢{FAMILY}{THUMB}{FLAG}{HEART}y"
DRAWN = "xx漢👨👩👧👦👍▒▒ＤＥ❤y"
CTRL_A = "\x01"


def program(kind: str) -> Terminal | Tmux:
    return Tmux(columns=40, rows=12) if kind == "tmux" else Terminal(columns=40, rows=12)


def last_line(seen: Terminal | Tmux) -> str:
    return next(line for line in reversed(seen.text().split("\n")) if line.startswith("["))


def stands(seen: Terminal | Tmux, typed: str) -> None:
    """The whole row, and nothing of what stood there before."""
    seen.wait_for(lambda: last_line(seen) == f"[default] You: {typed}")


@pytest.mark.parametrize("kind", ["a terminal that joins nothing", *(["tmux"] if HERE else [])])
def test_the_row_is_what_is_in_it_wherever_it_is_edited(kind: str) -> None:
    with program(kind) as seen:
        seen.ready()
        seen.send(TYPED)
        stands(seen, DRAWN)
        seen.send(CTRL_A)
        seen.send("Q")
        stands(seen, "Q" + DRAWN)
        for left in ("y", HEART, FLAG, THUMB):
            seen.send("\x05" + "\x7f" * len(left))
        stands(seen, "Qxx漢👨👩👧👦")
        seen.send("\x7f")
        stands(seen, "Qxx漢👨👩👧")
        seen.send("z")
        stands(seen, "Qxx漢👨👩👧z")


def test_what_is_sent_is_joined_and_what_is_drawn_again_and_again_is_not() -> None:
    with Terminal(columns=40) as terminal:
        terminal.ready()
        before = len(terminal.raw)
        terminal.send(TYPED)
        stands(terminal, DRAWN)
        assert "\u200d" not in terminal.raw[before:].decode()
        terminal.send("\r")
        terminal.wait_for("You said:")
        terminal.wait_for(lambda: TYPED in terminal.raw[before:].decode())


def test_rows_of_the_picker_end_at_the_window(tmp_path: Path) -> None:
    home = Home(tmp_path)
    now = "2026-01-01T00:00:00.000Z"
    title = FAMILY * 20
    with closing(
        SessionManager(home.sessions).store.open("joined", create=Header("joined", now, now, title, {}))
    ) as it:
        it.append([{"role": "user", "content": "hello"}, {"role": "assistant", "content": "there"}])
    here = ("--cwd", str(home.work), "--provider", "demo", "-r")
    with Terminal(*here, program=ROOT / "run_agent.py", columns=40, **home.env) as terminal:
        terminal.wait_for("▸ 👨👩👧👦")
        terminal.wait_for("Filter:")
        row = next(line for line in terminal.screen.display if line.startswith("▸"))
        assert "…" in row and row.rstrip()[-1] == "2" and "\u200d" not in terminal.raw.decode()
