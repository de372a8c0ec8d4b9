"""`/search` in the real program, on a pty: found, chosen, shown in its conversation; the index caught up beside."""

from pathlib import Path

import pytest
from programs import Home
from ptys import PATIENCE, ROOT, Terminal

from scratchy import SessionManager
from scratchy.core.stored import Header

pytestmark = pytest.mark.timeout(8 * PATIENCE)
START = "2026-11-20T09:00:29.483Z"


def start(home: Home) -> Terminal:
    flags = ("--cwd", str(home.work), "--provider", "demo")
    return Terminal(*flags, program=ROOT / "run_agent.py", **home.env)


def save(home: Home, session_id: str, *texts: str) -> None:
    writer = SessionManager(home.sessions).store.open(session_id, create=Header(session_id, START, START))
    writer.append([{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)])
    writer.close()


def test_a_passage_is_chosen_and_shown_among_its_neighbours(tmp_path: Path) -> None:
    home = Home(tmp_path)
    save(home, "old", "the needle lies here", "an answer")
    save(home, "older", "another needle", "something else")
    with start(home) as terminal:
        terminal.wait_for(lambda: terminal.line().startswith("[default]"))
        terminal.wait_for("Model: demo")
        terminal.send("/search needle\r")
        terminal.wait_for("2 passages with: needle")
        terminal.send("lies")  # the rows are filtered as one types
        terminal.wait_for(lambda: "another needle" not in "\n".join(terminal.screen.display))
        terminal.send("\r")
        terminal.wait_for("→ #0 You: the needle lies here")
        terminal.wait_for("`/resume old` goes on with this session.")
        terminal.wait_for(lambda: terminal.line().startswith("[default]"))


def test_much_that_is_new_is_indexed_beside_the_prompt(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number in range(4):
        save(home, f"s{number}", *[f"word{number} {'filler ' * 400}"] * 150)
    with start(home) as terminal:
        terminal.wait_for("Model: demo")
        terminal.wait_for(lambda: (home.sessions / ".index.sqlite").exists())
        terminal.wait_for(lambda: not _children(terminal.pid))
        terminal.send("/search word3\r")
        terminal.wait_for("20 passages with: word3")


def test_leaving_ends_what_indexes(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for number in range(4):
        save(home, f"s{number}", *[f"word{number} {'filler ' * 400}"] * 1000)
    with start(home) as terminal:
        terminal.wait_for("Model: demo")
        terminal.wait_for(lambda: bool(_children(terminal.pid)))
        children = _children(terminal.pid)
        terminal.send("/exit\r")
        assert terminal.exit_code() == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
