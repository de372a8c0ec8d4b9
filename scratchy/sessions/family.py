"""Who was forked from whom: the sessions of a store as trees, with what was rewound as branches. Pure.

Not here: making forks (branches.py), drawing (commands/branches.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from scratchy.core.stored import SessionInfo, TrashEntry

State = Literal["stored", "rewound", "trash", "gone"]


class Node(NamedTuple):
    """A session, or what a rewind cut off one. `at`: the message of the parent where it begins; `entry`: in the trash,
    "" for one that is not; `messages` None where nobody knows; `depth`: generations below the family's first."""

    session_id: str
    state: State = "stored"
    messages: int | None = None
    at: int | None = None
    title: str | None = None
    entry: str = ""
    depth: int = 0
    parent: str | None = None


Family = list[Node]
"""Parents before their children, and these before the parent's next one."""


def rewind_of(metadata: Mapping[str, Any]) -> tuple[str, int] | None:
    """The trash entry that a header's `rewind` names, and the message count after it."""
    fields = _fields(metadata.get("rewind"))
    entry, at = fields.get("entry"), fields.get("at")
    return (entry, at) if isinstance(entry, str) and type(at) is int and at >= 0 else None


def parent_of(metadata: Mapping[str, Any]) -> tuple[str, int | None] | None:
    """The session that a header's `parent` names, and how many messages were taken from it."""
    fields = _fields(metadata.get("parent"))
    parent, at = fields.get("id"), fields.get("at")
    return (parent, at if type(at) is int else None) if isinstance(parent, str) else None


def former_ids(metadata: Mapping[str, Any]) -> list[str]:
    known = metadata.get("formerly")
    return [name for name in cast("list[Any]", known) if isinstance(name, str)] if isinstance(known, list) else []


def _fields(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def trees(infos: Iterable[SessionInfo], trash: Sequence[TrashEntry]) -> list[Family]:
    """Every family, in the order of `infos` (their first member's); sessions without kin are families of one."""
    rows = {info.session_id: info for info in infos}
    living = {former: name for name, info in reversed(rows.items()) for former in former_ids(_metadata(info))}
    parents: dict[str, tuple[str, int | None]] = {}
    children: dict[str, list[str]] = {}
    for name, info in rows.items():
        told = parent_of(_metadata(info))
        if told is not None:
            parent = told[0] if told[0] in rows else living.get(told[0], told[0])
            parents[name] = parent, told[1]
            children.setdefault(parent, []).append(name)
    entries = {entry.name: entry for entry in trash}
    removed = {entry.session_id: entry for entry in reversed(trash)}  # the newest one of each
    seen: set[str] = set()

    def node(name: str, depth: int, parent: str | None) -> Node:
        seen.add(name)
        at, info = parents[name][1] if name in parents else None, rows.get(name)
        if info is None:
            gone = removed.get(name)
            return Node(name, "gone" if gone is None else "trash", entry=gone.name if gone else "", depth=depth)
        return Node(name, "stored", info.count, at, info.header.title if info.header else None, "", depth, parent)

    def below(name: str, depth: int) -> list[Node]:
        found = [node(child, depth, name) for child in children.get(name, ()) if child not in seen]
        told = rewind_of(_metadata(rows[name])) if name in rows else None
        cut = entries.get(told[0]) if told is not None else None
        if told is not None and cut is not None:
            found.append(Node(name, "rewound", cut.count, told[1], None, cut.name, depth, name))
        return sorted(found, key=lambda child: child.at or 0)

    def family(root: str) -> Family:
        found: Family = []
        ahead = [node(root, 0, None)]
        while ahead:  # no recursion: a chain of forks may be longer than that goes
            found.append(one := ahead.pop())
            if one.state != "rewound":
                ahead += reversed(below(one.session_id, one.depth + 1))
        return found

    return [family(_root(name, parents)) for name in rows if name not in seen]


def tree_of(session_id: str, families: Iterable[Family]) -> Family | None:
    """The family that a session belongs to."""
    return next((family for family in families if any(node.session_id == session_id for node in family)), None)


def _root(name: str, parents: Mapping[str, tuple[str, int | None]]) -> str:
    """Up to the first ancestor; a circle, which only a strange file makes, ends where it closes."""
    passed = {name}
    while name in parents and parents[name][0] not in passed:
        name = parents[name][0]
        passed.add(name)
    return name


def _metadata(info: SessionInfo) -> Mapping[str, Any]:
    return info.header.metadata if info.header is not None else {}
