"""The slash command that checks what is stored. Not here: the checks (store/doctor.py), what the shell prints."""

from importlib import import_module
from typing import TYPE_CHECKING

from scratchy.commands.advice import at_prompt
from scratchy.commands.outcome import Outcome
from scratchy.core.findings import report_text
from scratchy.core.text import reveal
from scratchy.sessions.desk import Desk

if TYPE_CHECKING:
    from scratchy.core.findings import Report


async def doctor(desk: Desk, argument: str) -> Outcome:
    """Check every session and what surrounds it; `/doctor fix` repairs what can be."""
    if argument not in ("", "fix"):
        return Outcome("`/doctor` checks, `/doctor fix` repairs what can be.")
    checkup = import_module("scratchy.sessions.checkup")
    report: Report = await checkup.check_up(desk.manager, fix=argument == "fix")
    current = desk.conversation.session_id
    ours = any(found.session_id == current and found.kind == "damaged" for found in report.problems)
    hint = f"\n'{current}' is open in this window: leave it, then `scratchy doctor --fix` repairs it." if ours else ""
    return Outcome(at_prompt(reveal(report_text(report, most=10))) + hint)
