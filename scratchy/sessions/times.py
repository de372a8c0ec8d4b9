"""Times as they are stored (UTC, `Z`) and as people and programs get them (naive local datetimes)."""

from datetime import UTC, datetime


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
