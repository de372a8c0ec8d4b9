"""Opening a session for a terminal: its lock, its header, only the end of its messages. On the way to the first prompt.

Not here: its turns (conversation.py), the choice of another session when this one is held (the faces).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scratchy.core.errors import SessionNotFoundError
from scratchy.core.session import AgentSession
from scratchy.core.stored import Header
from scratchy.sessions.times import local_time, utc_stamp

if TYPE_CHECKING:
    from scratchy.core.ports import SessionWriter, Store

TAIL = 50  # messages that a resume reads; the rest waits for the first turn


@dataclass(frozen=True)
class Opened:
    """`writer` holds the lock; `first` is the transcript's index of `session.messages[0]`; `resumed`: it was stored."""

    session: AgentSession
    writer: "SessionWriter"
    first: int
    resumed: bool


def open_session(store: "Store", session_id: str, *, create: bool = True) -> Opened:
    """Open for writing and read its end; a new one is locked now and stored with its first message.

    Raises: SessionNotFoundError when it is missing and not to be created; the store's errors.
    """
    now = utc_stamp()
    resumed = store.exists(session_id)
    if not resumed and not create:
        raise SessionNotFoundError(session_id)
    writer = store.open(session_id, create=Header(session_id, now, now) if create else None)
    try:
        first, messages = store.tail(session_id, TAIL) if resumed else (0, [])
    except BaseException:
        writer.close()
        raise
    header = writer.header
    session = AgentSession(
        session_id,
        messages,
        created_at=local_time(header.created_at),
        last_activity=local_time(header.updated_at),
        metadata=header.metadata,
    )
    return Opened(session, writer, first, resumed)
