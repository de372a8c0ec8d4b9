"""Titles and tags as the person gives them: their rules, and setting them on a stored session that is not open here.

Not here: titles that are made (titles.py), ids (the store's rename), the commands.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from scratchy.core.stored import tags_in as tags_in
from scratchy.sessions.manager import SessionManager
from scratchy.sessions.wording import PRIVATE, one_line

MOST_TAGS, LONGEST_TAG = 20, 40
PRIVATE_MEANS = (
    f"'{PRIVATE}': no model is told of this session but the one that answers in it; your own searches find it."
)
_TAG = re.compile(rf"[\w./-]{{1,{LONGEST_TAG}}}")


def changed_tags(tags: Sequence[str], changes: Sequence[str]) -> list[str]:
    """The tags after `+x` (a bare `x` too) and `-y`, in order. Raises: ValueError for what can be no tag."""
    left = list(tags)
    for change in changes:
        tag = change[1:] if change[:1] in ("+", "-") else change
        tag = PRIVATE if tag.lower() == PRIVATE else tag
        if change[:1] == "-":
            left = [one for one in left if one != tag]
            continue
        if not _TAG.fullmatch(tag):
            raise ValueError(f"'{tag}' is no tag: letters, digits and _ - . / only, {LONGEST_TAG} at most.")
        left += [] if tag in left else [tag]
    if len(left) > max(MOST_TAGS, len(tags)):
        raise ValueError(f"A session has {MOST_TAGS} tags at most.")
    return left


def with_tags(metadata: Mapping[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    """Header metadata with these tags; none: without the key."""
    rest = {key: value for key, value in metadata.items() if key != "tags"}
    return {**rest, "tags": list(tags)} if tags else rest


def checked_title(text: str) -> str:
    """A title as it is stored. Raises: ValueError when nothing of it can be seen."""
    title = one_line(text)
    if not title:
        raise ValueError("A title needs a character that can be seen.")
    return title


def set_title(manager: SessionManager, session_id: str, text: str) -> str:
    """Raises: ValueError; SessionNotFoundError, SessionLockedError and what opening raises."""
    title = checked_title(text)
    with manager.opened(session_id) as writer:
        writer.edit(title=title)
    return title


def change_tags(manager: SessionManager, session_id: str, changes: Sequence[str]) -> list[str]:
    """The tags that it has then; without changes nothing is locked or written. Raises as `set_title`."""
    if not changes:
        return tags_in(manager.store.header(session_id)[0].metadata)
    with manager.opened(session_id) as writer:
        tags = changed_tags(tags_in(writer.header.metadata), changes)
        writer.edit(metadata=with_tags(writer.header.metadata, tags))
    return tags
