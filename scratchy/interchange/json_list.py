"""JSON as the user guide documents it: the list of messages, as they are stored. No header, no blobs."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from scratchy.interchange.transcript import Transcript, Written, messages_of

LOST = "title, times and other header"


def dump(session: Written) -> Iterator[str]:
    """A JSON array of the messages, every key kept; a message at a time."""
    before = "["
    for message in session.messages:
        lines = json.dumps(message, indent=2, ensure_ascii=False).replace("\n", "\n  ")
        yield f"{before}\n  {lines}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def read(document: Sequence[Any]) -> Transcript:
    """The list, decoded; what is no message in it is counted."""
    told = Transcript()
    told.messages = messages_of(document, told)
    return told
