"""What this process last saw of each stored session, so that no writer overwrites what another process wrote.

Shared by all managers over one store. Only the newest sessions keep their messages here; a stamp is kept for all.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary

from scratchy.core.ports import Store

KEEP_MESSAGES_OF = 16


class Seen:
    """Stamps by id, and for the newest sessions a copy of their messages (containers copied, values shared)."""

    def __init__(self) -> None:
        self._stamps: dict[str, Any] = {}
        self._messages: OrderedDict[str, list[Mapping[str, Any]]] = OrderedDict()

    def looked(self, session_id: str) -> bool:
        return session_id in self._stamps

    def stamp(self, session_id: str) -> Any:
        return self._stamps.get(session_id)

    def messages(self, session_id: str) -> list[Mapping[str, Any]] | None:
        return self._messages.get(session_id)

    def note(self, session_id: str, stamp: Any, messages: Sequence[Mapping[str, Any]] | None) -> None:
        """`messages` None: keep the copy that is there. Messages equal to those known already are not copied again."""
        self._stamps[session_id] = stamp
        if messages is None:
            return
        known = self._messages.pop(session_id, [])
        same = common_start(known, messages)
        self._messages[session_id] = [*known[:same], *(copied(message) for message in messages[same:])]
        while len(self._messages) > KEEP_MESSAGES_OF:
            self._messages.popitem(last=False)

    def forget(self, session_id: str) -> None:
        self._stamps.pop(session_id, None)
        self._messages.pop(session_id, None)


def common_start(first: Sequence[Any], second: Sequence[Any]) -> int:
    """How many items from the start are equal."""
    if len(first) <= len(second) and list(first) == list(second[: len(first)]):  # the usual case, at C speed
        return len(first)
    return next(
        (index for index, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def copied(value: Any) -> Any:
    """A copy of JSON-like data that shares its strings and numbers."""
    if isinstance(value, dict):
        return {
            key: copied(item) if isinstance(item, (dict, list)) else item
            for key, item in cast("dict[str, Any]", value).items()
        }
    if isinstance(value, list):
        return [copied(item) for item in cast("list[Any]", value)]
    return value


_seen: "WeakKeyDictionary[Store, Seen]" = WeakKeyDictionary()


def seen_in(store: Store) -> Seen:
    return _seen.setdefault(store, Seen())
