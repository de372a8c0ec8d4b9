"""How sessions, times and sizes are told in a line. Not here: the commands."""

from datetime import datetime

from scratchy.core.stored import SessionInfo, tags_in
from scratchy.core.text import clean, reveal
from scratchy.sessions.finding import folder_of
from scratchy.sessions.project import is_here
from scratchy.sessions.times import local_time

_LONGEST = 300
_REORDERS = dict.fromkeys(map(ord, "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"))


def session_line(info: SessionInfo, *, current: bool = False, folder: str = "") -> str:
    """One session as a row: id, messages, age, title, tags, and where it was held if that is not `folder`."""
    mark = "* " if current else "  "
    return mark + session_text(info, folder)


def session_text(info: SessionInfo, folder: str = "") -> str:
    if info.error or info.header is None:
        return f"{named(info.session_id)}  cannot be read: {info.reason}"
    header = info.header
    parts = [f"{named(info.session_id)}  {info.count} messages, {age(local_time(header.updated_at))}"]
    parts += [shown(header.title)] if header.title else []
    parts += [" ".join(f"#{shown(tag)}" for tag in tags)] if (tags := tags_in(header.metadata)) else []
    held = folder_of(header)
    parts += [f"(in {named(held)})"] if folder and held and not is_here(held, folder) else []
    parts += ["(foreign: its header names another id)"] if info.foreign else []
    return "  ".join(parts)


def shown(text: str) -> str:
    """A title or what was said, on one line, without what reorders it."""
    return " ".join(straight(text[:_LONGEST]).split())


def named(name: str) -> str:
    """An id or a path as it is, on one line: what would hide or break it is shown escaped."""
    return reveal(name).replace("\n", "\\n").replace("\t", "\\t")


def straight(text: str) -> str:
    """Harmless, and without what reorders lines."""
    return clean(text.translate(_REORDERS))


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


def short_age(moment: datetime) -> str:
    """`age` in at most six characters."""
    seconds = (datetime.now() - moment).total_seconds()
    for size, unit in ((31_536_000, "y"), (86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now" if seconds > -60 else "future"


def when_text(stamp: str) -> str:
    return f"{local_time(stamp):%Y-%m-%d %H:%M:%S}"


def size_text(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} kB"
