"""What this process last saw of each stored session, so that no writer overwrites what another process wrote.

Shared by all managers over one store. Only the newest sessions keep their messages here, the others a fingerprint.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, cast
from weakref import WeakKeyDictionary

from scratchy.core.ports import Store

KEEP_MESSAGES_OF = 16
_MOVED = object()  # the stamp of a session that this process itself deleted, renamed or restored since


class Seen:
    """Stamps by id, and for the newest sessions a copy of their messages (containers copied, values shared)."""

    def __init__(self) -> None:
        self._stamps: dict[str, Any] = {}
        self._messages: OrderedDict[str, list[Mapping[str, Any]]] = OrderedDict()
        self._fingerprints: dict[str, int] = {}

    def looked(self, session_id: str) -> bool:
        """Whether this process saw the session, and did not move it away itself since."""
        return self._stamps.get(session_id, _MOVED) is not _MOVED

    def moved(self, session_id: str) -> bool:
        return session_id in self._stamps and self._stamps[session_id] is _MOVED

    def stamp(self, session_id: str) -> Any:
        return self._stamps.get(session_id)

    def messages(self, session_id: str) -> list[Mapping[str, Any]] | None:
        return self._messages.get(session_id)

    def same(self, session_id: str, messages: Sequence[Mapping[str, Any]]) -> bool:
        """Whether these are the messages that were last seen; False when none were."""
        known = self._messages.get(session_id)
        if known is None:
            return session_id in self._fingerprints and self._fingerprints[session_id] == _fingerprint(messages)
        return len(known) == len(messages) and common_start(known, messages) == len(known)

    def note(self, session_id: str, stamp: Any, messages: Sequence[Mapping[str, Any]], same: int | None = None) -> None:
        """Messages equal to those known already, the first `same` (None: compared here), are not copied again."""
        self._stamps[session_id] = stamp
        known = self._messages.pop(session_id, [])
        same = common_start(known, messages) if same is None else same
        self._messages[session_id] = [*known[:same], *(copied(message) for message in messages[same:])]
        self._fingerprints.pop(session_id, None)
        while len(self._messages) > KEEP_MESSAGES_OF:
            oldest, kept = self._messages.popitem(last=False)
            self._fingerprints[oldest] = _fingerprint(kept)

    def restamp(self, session_id: str, stamp: Any) -> None:
        """The file is another one now, its content is not."""
        self._stamps[session_id] = stamp

    def note_moved(self, session_id: str) -> None:
        """This process put something else, or nothing, in the session's place: a later save conflicts with nobody."""
        if session_id in self._stamps:
            self._stamps[session_id] = _MOVED


def _fingerprint(messages: Sequence[Mapping[str, Any]]) -> int:
    return hash(repr([dict(message) for message in messages]))


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
