"""Exporting the open conversation: as it is stored, or with what could not be saved.

Not here: stored sessions that nobody has open (exchange.py).
"""

import asyncio
from pathlib import Path

from scratchy import compose
from scratchy.core.ports import Store
from scratchy.core.stored import Header
from scratchy.scratchpad import Scratchpad
from scratchy.sessions.conversation import Conversation
from scratchy.sessions.exchange import Exported, export_session
from scratchy.sessions.times import utc_stamp


async def export_conversation(
    store: Store, conversation: Conversation, path: Path, pad: Scratchpad, *, full: bool = False
) -> Exported:
    """Write it to a new file, its format by the suffix. Raises as `export_session`."""
    session_id = conversation.session_id
    if conversation.saved and store.exists(session_id):
        return await asyncio.to_thread(lambda: export_session(store, session_id, path, full=full, pad=pad))
    messages = list(await conversation.load_whole())
    made = utc_stamp(conversation.session.created_at.astimezone())
    header = Header(session_id, made, utc_stamp(), metadata=conversation.session.metadata)
    if conversation.writer is not None:
        header = conversation.writer.header
    stored = compose.Stored(header, messages, len(messages))
    return Exported(path, len(messages), compose.export(path, compose.export_format(path), stored, pad, full=full))
