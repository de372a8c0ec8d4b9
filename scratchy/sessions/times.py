"""Times as they are stored (UTC, `Z`) and as people and programs get them (naive local datetimes)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def utc_stamp(moment: datetime | None = None) -> str:
    """UTC ISO-8601 with milliseconds and `Z`; now when no moment is given."""
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(stamp: str) -> datetime:
    """A stored stamp as a naive local datetime; the epoch for one that means nothing (files that others wrote)."""
    try:
        moment = datetime.fromisoformat(stamp)
        return moment.astimezone().replace(tzinfo=None) if moment.tzinfo else moment
    except (TypeError, ValueError, OverflowError, OSError):
        return datetime(1970, 1, 1)


def local_texts() -> Callable[[str], str]:
    """`local_time` as ISO text for many stamps: the system is asked once for each hour where the zone stands still."""
    offsets: dict[str, timedelta | None] = {}

    def local_text(stamp: str) -> str:
        hour = stamp[:13]
        if hour not in offsets:
            offsets[hour] = _offset(hour)
        offset = offsets[hour]
        if offset is not None and stamp[-1:] == "Z":
            try:
                return (datetime.fromisoformat(stamp[:-1]) + offset).isoformat()
            except (ValueError, OverflowError):
                pass
        return local_time(stamp).isoformat()

    return local_text


def _offset(hour: str) -> timedelta | None:
    try:
        begin, end = (datetime.fromisoformat(f"{hour}:{rest}Z").astimezone() for rest in ("00:00", "59:59"))
    except (ValueError, OverflowError, OSError):
        return None
    return begin.utcoffset() if begin.utcoffset() == end.utcoffset() else None
