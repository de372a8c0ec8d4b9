"""What a turn's view puts into the live part and the scrollback, event by event, without a terminal."""

import re
import time
from types import SimpleNamespace

from scratchy.core.events import ApprovalRequested, StepStarted, ToolFinished, ToolStarted
from scratchy.core.messages import ToolCall
from scratchy.terminal.folds import Folds
from scratchy.terminal.layout import Live
from scratchy.terminal.render import Renderer
from scratchy.terminal.turns import TurnView

CALL: ToolCall = {"id": "1", "type": "function", "function": {"name": "run", "arguments": "{}"}}


def view_of(width: int = 80) -> tuple[TurnView, Live]:
    live = Live()
    screen = SimpleNamespace(live=live, width=width, draw=str, write=str)
    return TurnView(screen, Renderer(), Folds(), "default"), live  # type: ignore[arg-type]


def test_the_time_that_the_person_takes_is_nobodys_work() -> None:
    view, live = view_of()
    view.show(StepStarted(1))
    before = live.since
    assert before is not None
    view.show(ApprovalRequested(CALL, "run", {}, "make", "this command"))
    assert view._asked_at is not None
    view._asked_at -= 60
    view.show(ToolStarted(CALL, "run", {}, "make"))
    assert live.since is not None and live.since - before >= 60
    began = live.running["1"].since
    assert began is not None and began <= time.monotonic()
    after = live.since
    view.show(ToolFinished(CALL, "run", "make", True, "", "", False, 5))
    assert live.since == after


def test_a_refusal_breaks_between_words() -> None:
    view, _ = view_of(40)
    why = "not run: this is plan mode, in which nothing is changed. Say what you would do."
    view.show(ToolFinished(CALL, "run", "touch x", False, why, why, True, 5))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", view.flush()).splitlines()[1:]
    assert shown[0] == "✗ run touch x · not run" and " ".join(" ".join(shown[1:]).split()) == why
    assert all(row.startswith("  ") and len(row) <= 40 for row in shown[1:])
