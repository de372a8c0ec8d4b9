"""What a search over sessions found: values only, cheap to import. Not here: searching (store/index.py)."""

from typing import NamedTuple


class Hit(NamedTuple):
    """One message that holds all that was searched for. `number` is its index in the transcript, `passage` one line of
    it, `matches` where in the passage the words stand. `ts` and `last_activity` are UTC ISO-8601, `folder` the working
    folder; each empty where it is not known. `role` is `title` where the session's title holds the words."""

    session_id: str
    title: str
    number: int
    role: str
    ts: str
    passage: str
    matches: tuple[tuple[int, int], ...]
    folder: str
    last_activity: str


class Found(NamedTuple):
    """`hits` newest first; `pending` sessions were not looked at for want of time, and `note` says so, or what else
    kept the answer from being whole."""

    hits: list[Hit]
    pending: int = 0
    note: str = ""
