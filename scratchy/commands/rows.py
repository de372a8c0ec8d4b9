"""How sessions, times and sizes are told in a line. Not here: the commands."""

from datetime import datetime

from scratchy.core.stored import SessionInfo
from scratchy.sessions.times import local_time


def session_line(info: SessionInfo, *, current: bool = False) -> str:
    """One session as a row: id, messages, age."""
    if info.error or info.header is None:
        return f"  {info.session_id}  cannot be read: {info.reason}"
    mark = "* " if current else "  "
    title = f"  {info.header.title}" if info.header.title else ""
    note = "  (foreign: its header names another id)" if info.foreign else ""
    return f"{mark}{info.session_id}  {info.count} messages, {age(local_time(info.header.updated_at))}{title}{note}"


def age(moment: datetime) -> str:
    """How long ago, in one unit; a date where that means nothing."""
    seconds = (datetime.now() - moment).total_seconds()
    if seconds < -60:
        return f"{moment:%Y-%m-%d}"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago" if count < 10_000 else f"{moment:%Y-%m-%d}"
    return "just now"


def when_text(stamp: str) -> str:
    return f"{local_time(stamp):%Y-%m-%d %H:%M:%S}"


def size_text(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} kB"
