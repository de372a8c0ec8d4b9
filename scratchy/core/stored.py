"""What a store tells of its sessions without their messages: values only, cheap to import."""

from collections.abc import Mapping
from typing import Any, NamedTuple, cast


class Header(NamedTuple):
    """All of a session but its messages. Times are UTC ISO-8601 with `Z`; `extra`: unknown keys, kept."""

    session_id: str
    created_at: str
    updated_at: str
    title: str | None = None
    metadata: Mapping[str, Any] = {}
    extra: Mapping[str, Any] = {}
    version: int = 1


class SessionInfo(NamedTuple):
    """One row of a listing. `error` says why a session cannot be read (then `header` is None and `count` 0);
    `foreign`: its header names another id than its file. `size` in bytes, `changed` seconds since the epoch."""

    session_id: str
    header: Header | None
    count: int  # pyright: ignore[reportIncompatibleMethodOverride] - nobody counts in a row
    size: int
    changed: float
    error: str = ""
    foreign: bool = False

    @property
    def reason(self) -> str:
        """The part of `error` that a row needs: neither the id again nor what to do."""
        return self.error.partition("cannot be read: ")[2].partition(". It was left untouched")[0] or self.error


class TrashEntry(NamedTuple):
    """`name` identifies the entry; `when` is UTC ISO-8601; `size` in bytes of all that is in it.

    `reason` is one word: deleted, renamed, cleared, rewound, replaced (by a save), displaced (by a restore), undone,
    converted, repaired. `note`: what the mover added: `to`, the new id of a rename; `by`, the session that was current
    in the window that deleted.
    """

    name: str
    session_id: str
    when: str
    reason: str
    count: int  # pyright: ignore[reportIncompatibleMethodOverride] - nobody counts in a row
    size: int
    note: Mapping[str, str] = {}


def tags_in(metadata: Mapping[str, Any]) -> list[str]:
    """The tags of a header, whatever stands there in a file that somebody else wrote."""
    tags: Any = metadata.get("tags")
    return [tag for tag in cast("list[Any]", tags) if isinstance(tag, str)] if isinstance(tags, list) else []


def first_only(metadata: Mapping[str, Any], count: int) -> dict[str, Any]:
    """The metadata when only the first `count` messages stay: what is written next is this machine's again. The line
    that a person says first counts as before `machine_from`: a system message put in front shifts all by one."""
    start: Any = metadata.get("machine_from")
    return {**metadata, "machine_from": min(start, count + 1)} if type(start) is int else dict(metadata)
