"""What a store tells of its sessions without their messages: values only, cheap to import."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Header:
    """All of a session but its messages. Times are UTC ISO-8601 with `Z`; `extra`: unknown keys, kept."""

    session_id: str
    created_at: str
    updated_at: str
    title: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any])
    version: int = 1


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One row of a listing. `error` says why a session cannot be read (then `header` is None and `count` 0);
    `foreign`: its header names another id than its file. `size` in bytes, `changed` seconds since the epoch."""

    session_id: str
    header: Header | None
    count: int
    size: int
    changed: float
    error: str = ""
    foreign: bool = False


@dataclass(frozen=True, slots=True)
class TrashEntry:
    """`name` identifies the entry; `when` is UTC ISO-8601; `reason` one word: deleted, cleared, replaced, renamed …"""

    name: str
    session_id: str
    when: str
    reason: str
    count: int
    size: int
