"""A session in memory, and the pure rules that keep a transcript whole: missing answers, cuts, turns.

Not here: what a request sends (context.py), how a turn runs (loop.py), where sessions are kept (the store port).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from scratchy.core.messages import Message, calls_of

INTERRUPTED = "interrupted; it may have run"


class AgentSession:
    """One conversation: `session_id`, `title`, `metadata`, `messages` (the transcript; may be read, changed, assigned).

    `created_at` and `last_activity` are naive local datetimes. `context_start` is the index of the first message that
    requests still send, after one was too long.
    """

    def __init__(
        self,
        session_id: str,
        messages: list[Message] | None = None,
        *,
        created_at: datetime | None = None,
        last_activity: datetime | None = None,
        metadata: Mapping[str, Any] | None = None,
        title: str | None = None,
        clock: Callable[[], datetime] = datetime.now,
    ) -> None:
        self.session_id = session_id
        self.messages: list[Message] = [] if messages is None else messages
        self.created_at = created_at or clock()
        self.last_activity = last_activity or self.created_at
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.title = title
        self.context_start = 0
        self._clock = clock

    def add_message(self, message: Mapping[str, Any]) -> None:
        """Append one chat-completions dict; TypeError or ValueError when it is none."""
        self.messages.append(check_message(message))
        self.last_activity = self._clock()

    def clear_history(self, keep_system: bool = True) -> None:
        """Forget the messages, all but a system message at the start."""
        self.messages[:] = system_part(self.messages) if keep_system else []
        self.context_start = 0
        self.last_activity = self._clock()

    def __repr__(self) -> str:
        return f"AgentSession({self.session_id!r}, {len(self.messages)} messages)"


def check_message(message: Any) -> Message:
    """The message itself, or TypeError (no dict, no role) / ValueError (an empty role)."""
    if not isinstance(message, dict):
        raise TypeError(f"a message is a dict with a 'role', not {type(message).__name__}")
    role = cast("dict[str, Any]", message).get("role")
    if not isinstance(role, str):
        raise TypeError(f"a message needs a string 'role', this one has {role!r}")
    if not role:
        raise ValueError("a message's 'role' must not be empty")
    return cast("Message", message)


def system_part(messages: Sequence[Message]) -> list[Message]:
    """The system message at the start, as a list of one or none."""
    return list(messages[:1]) if messages and messages[0].get("role") == "system" else []


def missing_results(messages: Sequence[Message]) -> list[Message]:
    """The answers that the transcript's end still owes: one for each call of its last assistant message without one."""
    answered: set[str | None] = set()
    for message in reversed(messages):
        if message.get("role") != "tool":
            return [
                result(call["id"], call["function"]["name"]) for call in calls_of(message) if call["id"] not in answered
            ]
        answered.add(message.get("tool_call_id"))
    return []


def result(call_id: str, name: str, content: str = INTERRUPTED, *, is_error: bool = True) -> Message:
    """A tool result; the content that `heal` gives to a call nobody answered is the default."""
    message: Message = {"role": "tool", "tool_call_id": call_id, "name": name, "content": content}
    if is_error:
        message["is_error"] = True
    return message
