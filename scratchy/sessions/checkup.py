"""The check-up of a window's sessions. Not here: the checks (store/doctor.py), their text (core/findings.py).

Imported when it is asked for: nobody else pays for it.
"""

import asyncio

from scratchy.compose import health
from scratchy.core.findings import Report
from scratchy.sessions.manager import SessionManager


async def check_up(manager: SessionManager, *, fix: bool = False) -> Report:
    """All sessions and what surrounds them; `fix`: what can be repaired is, but for what somebody has open."""

    def work() -> Report:
        report = health.check_all(manager.store)
        return health.mend(manager.store, report) if fix else report

    return await asyncio.to_thread(work)
