"""The check-up of a window's sessions. Not here: the checks (store/doctor.py), their text (core/findings.py).

Imported when it is asked for: nobody else pays for it.
"""

import asyncio
import threading

from scratchy.compose import health
from scratchy.core.findings import Report
from scratchy.sessions.manager import SessionManager


class _Stopped(Exception):
    """Nobody waits for the check any more."""


async def check_up(manager: SessionManager, *, fix: bool = False) -> Report:
    """All sessions and what surrounds them; `fix`: what can be repaired is, but for what somebody has open. A check
    that is cancelled ends where it is, a repair goes on to its end."""
    stopped = threading.Event()

    def heed(*_: int) -> None:
        if stopped.is_set():
            raise _Stopped

    def work() -> Report:
        report = health.check_all(manager.store, heed)
        return health.mend(manager.store, report) if fix else report

    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        stopped.set()
        raise
