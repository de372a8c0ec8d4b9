"""What a tool changed in a file, as two texts: before, out of the scratchpad, and after, as long as it stands there.

Not here: giving files back (restoring.py), how a difference looks (the faces).
"""

from pathlib import Path

from scratchy.core.messages import FileChange
from scratchy.scratchpad import Scratchpad, content_id


def changed_texts(change: FileChange, pad: Scratchpad) -> tuple[str | None, str] | None:
    """The text before (None: there was no file) and after; None where one of them is no text, or not to be had (any
    more), or the file is gone. Reads files: for a worker thread."""
    try:
        new = Path(change["path"]).read_bytes()
        if content_id(new) != change["after"]:
            return None
        return None if change["before"] is None else pad.content(change["before"]).decode(), new.decode()
    except (OSError, LookupError, UnicodeDecodeError):
        return None
