"""What any store writes into a header when a session is renamed or cut, and how it refuses: one rule for all stores."""

from collections.abc import Mapping
from typing import Any, cast

from scratchy.core.errors import SessionExistsError
from scratchy.core.stored import Header, first_only

FORMER = 10  # ids that a renamed session remembers


def renamed(header: Header, new_id: str) -> Header:
    """The header under another id, which knows its former ones, the last one last."""
    known = header.metadata.get("formerly")
    former = cast("list[Any]", known) if isinstance(known, list) else []
    former = [*(name for name in former if name not in (header.session_id, new_id)), header.session_id]
    return header._replace(session_id=new_id, metadata={**header.metadata, "formerly": former[-FORMER:]})


def after_cut(metadata: Mapping[str, Any], count: int, reason: str, entry: str) -> dict[str, Any]:
    """A rewind names what it cut off, so that it can be redone; any other cut leaves nothing to redo."""
    kept = {key: value for key, value in first_only(metadata, count).items() if key != "rewind"}
    return kept | {"rewind": {"entry": entry, "at": count}} if reason == "rewound" else kept


def taken(new_id: str) -> SessionExistsError:
    return SessionExistsError(new_id, f"Session '{new_id}' exists already; choose another id.")


def not_so_many(session_id: str, total: int, count: int) -> ValueError:
    return ValueError(f"Session '{session_id}' has {total} messages; it cannot be cut to {count}.")
