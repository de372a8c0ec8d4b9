"""Opening a session for a terminal: its lock, its header, only the end of its messages. On the way to the first prompt.

Not here: its turns (conversation.py), the choice of another session when this one is held (the faces).
"""

import errno
import os
import time
from typing import TYPE_CHECKING

from scratchy.core.errors import SessionNotFoundError
from scratchy.core.messages import text_of
from scratchy.core.session import AgentSession
from scratchy.core.stored import Header
from scratchy.sessions.times import local_time, utc_stamp

if TYPE_CHECKING:
    from scratchy.core.messages import Message
    from scratchy.core.ports import SessionWriter, Store

READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOENT)  # no lock can be made
TAIL = 50  # messages that a resume reads; the rest waits for the first turn
SHOWN, LIGHT = 6, 100_000  # … where they are long only these; characters of those that are not


class Opened:
    """`writer` holds the lock; None where nothing can be written now, and `read_only` says why. `first` is the
    transcript's index of `session.messages[0]`; `resumed`: it was stored; `adopts`: from now on it works in today's
    folder, wherever it worked before."""

    def __init__(
        self,
        session: AgentSession,
        writer: "SessionWriter | None",
        first: int,
        resumed: bool,
        read_only: OSError | None = None,
    ) -> None:
        self.adopts = False
        self.session = session
        self.writer = writer
        self.first = first
        self.resumed = resumed
        self.read_only = read_only

    @property
    def count(self) -> int:
        """Messages of the whole transcript that are stored."""
        return self.first + len(self.session.messages)


def open_session(store: "Store", session_id: str, *, create: bool = True) -> Opened:
    """Open for writing and read its end; a new one is locked now and stored with its first message. Where the disk
    refuses to write (read-only, full), it is opened to read.

    Raises: SessionNotFoundError when it is missing and not to be created; the store's errors.
    """
    now = utc_stamp()
    resumed = store.exists(session_id)
    if not resumed and not create:
        raise SessionNotFoundError(session_id)
    writer, read_only = None, None
    try:
        writer = store.open(session_id, create=Header(session_id, now, now) if create else None)
        resumed = store.exists(session_id)  # another process may have made it before it let go of the lock
    except OSError as error:
        if error.errno not in READ_ONLY:
            raise
        read_only = error
    try:
        first, messages = _tail(store, session_id) if resumed else (0, [])
        header = writer.header if writer else store.header(session_id)[0] if resumed else Header(session_id, now, now)
    except BaseException:
        if writer is not None:
            writer.close()
        raise
    session = AgentSession(
        session_id,
        messages,
        created_at=local_time(header.created_at),
        last_activity=local_time(header.updated_at),
        metadata=header.metadata,
        title=header.title,
    )
    return Opened(session, writer, first, resumed, read_only)


def _tail(store: "Store", session_id: str) -> "tuple[int, list[Message]]":
    """The last messages; no more than are shown, where they are long: a session may hold megabytes in each."""
    first, messages = store.tail(session_id, SHOWN)
    light = sum(len(text_of(message)) for message in messages) < LIGHT
    return store.tail(session_id, TAIL) if first and light else (first, messages)


def made_id(store: "Store") -> str:
    """An id that no stored session has, nor one that another process makes in the same second."""
    while store.exists(made := f"{time.strftime('chat-%Y%m%d-%H%M%S')}-{os.urandom(2).hex()}"):
        pass
    return made
