"""JSON as the user guide documents it: the list of messages, as they are stored."""

import json
from collections.abc import Sequence

from scratchy.core.messages import Message


def dump(messages: Sequence[Message], session_id: str) -> str:
    """A JSON array of the messages, every key kept."""
    return json.dumps(messages, indent=2, ensure_ascii=False) + "\n"
