"""What a rewind can give back of the files that the agent's own tools changed: planned first, then done file by file.

`net_changes` reads messages only; `plan` looks at the disk, `apply` writes. Nothing is touched that others changed
since, that lies outside the folders given, or that a link leads to. Not here: asking (commands/files.py), the walk to a
file (tools/putback.py), keeping the old contents (tools/snapshots.py).
"""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scratchy import compose
from scratchy.core.messages import FileChange, Message, calls_of, files_of, text_of
from scratchy.core.session import INTERRUPTED
from scratchy.scratchpad import Scratchpad

COMMANDS = ("execute_command", "code_execute")
WRITERS = ("create_file", "edit_file", "delete_file")


class Net(NamedTuple):
    """What a span of messages did to one file, all in all. `mode`: of the content before. `broken`: between two of its
    changes somebody else was at the file. `remade`: it was deleted and made anew."""

    path: str
    before: str | None
    after: str | None
    mode: int | None
    broken: bool = False
    remade: bool = False


class Changes(NamedTuple):
    """`files` in the order of their first change. `commands`: how many commands ran. `unknown`: path and state of calls
    whose effect no message tells: "interrupted", "no snapshot"."""

    files: list[Net]
    commands: int
    unknown: list[tuple[str, str]]


class Restoration(NamedTuple):
    """One file. `state`: ready, or why it is not touched: changed, outside, link, other, unreadable, no snapshot,
    missing blob, interrupted. `expected` is the content's id today, `wanted` then (None:
    no file); `diff` leads from today to then."""

    path: str
    state: str
    expected: str | None = None
    wanted: str | None = None
    mode: int | None = None
    diff: str = ""


class Plan(NamedTuple):
    """Files that are as they were already are not in it."""

    files: list[Restoration]
    commands: int = 0

    @property
    def ready(self) -> list[Restoration]:
        return [file for file in self.files if file.state == "ready"]


def written_here(
    messages: Sequence[Message], at: int, metadata: Mapping[str, Any], machine: str
) -> tuple[list[Message], int]:
    """Of these messages, the first of which has the number `at`, those that this machine wrote, as the session's header
    tells; and how many changes of files the others tell of. What others wrote (an import, a copied file) may tell
    anything."""
    start: Any = metadata.get("machine_from", 0)
    ours = bool(machine) and metadata.get("machine") == machine and type(start) is int
    skipped = max(start - at, 0) if ours else len(messages)
    return list(messages[skipped:]), sum(len(files_of(message)) for message in messages[:skipped])


def net_changes(messages: Iterable[Message]) -> Changes:
    nets: dict[str, Net] = {}
    calls: dict[str, tuple[str, str]] = {}
    commands, unknown = 0, list[tuple[str, str]]()
    for message in messages:
        for call in calls_of(message):
            calls[call["id"]] = call["function"]["name"], call["function"]["arguments"]
        if message.get("role") != "tool":
            continue
        name, arguments = calls.get(str(message.get("tool_call_id")), ("", ""))
        commands += name in COMMANDS and not was_refused(message)
        files = files_of(message)
        for change in files:
            nets[change["path"]] = _joined(nets.get(change["path"]), change)
        if name in WRITERS and not files and (state := _untold(message)):
            unknown.append((_path_in(arguments), state))
    files = [net for net in nets.values() if net.before != net.after or net.remade]
    return Changes(files, commands, list(dict.fromkeys(unknown)))


def _joined(net: Net | None, change: FileChange) -> Net:
    before, after = change["before"], change["after"]
    if net is None or (net.before == net.after != before and not net.broken):  # nothing of it was left
        return Net(change["path"], before, after, change["mode"])
    remade = net.remade or (before is None and net.after is None)
    return net._replace(after=after, broken=net.broken or before != net.after, remade=remade)


def was_refused(message: Message) -> bool:
    """Whether this is the result of a call that did not run: the person said no, or it could not."""
    return bool(message.get("is_error")) and text_of(message).startswith(("not run", "The arguments of "))


def _untold(message: Message) -> str:
    """What became of a file tool's call that names no file. A failed one changed nothing."""
    if text_of(message) == INTERRUPTED:
        return "interrupted"
    return "" if message.get("is_error") else "no snapshot"


def _path_in(arguments: str) -> str:
    try:
        given: Any = json.loads(arguments)["file_path"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return ""
    return str(given)


def plan(
    messages: Iterable[Message], scratchpad: Scratchpad, folders: Sequence[Path], *, forward: bool = False
) -> Plan:
    """How to bring the files back to where they were before these messages; `forward`: to where they were after them.

    The messages are this machine's own; `folders` are resolved. Reads the disk, changes nothing.
    """
    changes = net_changes(messages)
    planned = [_planned(net, scratchpad, folders, forward) for net in changes.files]
    known = {os.path.normpath(net.path) for net in changes.files}
    untold = [
        Restoration(path, state)
        for path, state in changes.unknown
        if not any(os.path.normpath(folder / path) in known for folder in folders[:1])
    ]
    return Plan([*(one for one in planned if one is not None), *untold], changes.commands)


def _planned(net: Net, scratchpad: Scratchpad, folders: Sequence[Path], forward: bool) -> Restoration | None:
    expected, wanted = (net.before, net.after) if forward else (net.after, net.before)
    mode = None if forward else net.mode
    today = compose.standing(net.path, folders)
    if today.kind not in ("file", "absent"):
        return Restoration(net.path, today.kind)
    if today.id == wanted and not (net.remade and mode not in (None, today.mode)):
        return None
    if net.broken or today.id != expected:
        return Restoration(net.path, "changed")
    try:
        then = None if wanted is None else scratchpad.content(wanted)
    except (LookupError, OSError):
        return Restoration(net.path, "missing blob")
    diff = compose.file_difference(net.path, today.data if today.kind == "file" else None, then)
    if wanted is not None and mode not in (None, today.mode):
        was = "" if today.mode is None else f" instead of {today.mode:o}"
        diff = f"mode {mode & 0o777:o}{was}\n" + (diff if today.id != wanted else f"--- {net.path}\n+++ {net.path}\n")
    return Restoration(net.path, "ready", expected, wanted, mode, diff)


def apply(planned: Plan, scratchpad: Scratchpad, folders: Sequence[Path]) -> list[tuple[str, str]]:
    """Put back what is ready, each file looked at once more; path and outcome of each: "restored", "deleted", or why it
    was left alone (a state, or an OSError's words). What stood there is in the scratchpad. Never raises OSError."""
    return [(file.path, _applied(file, scratchpad, folders)) for file in planned.ready]


def _applied(file: Restoration, scratchpad: Scratchpad, folders: Sequence[Path]) -> str:
    try:
        data = None if file.wanted is None else scratchpad.content(file.wanted)
        wrong = compose.put_back(file.path, folders, file.expected, data, file.mode, scratchpad.keep)
    except LookupError:
        return "missing blob"
    except OSError as error:
        return error.strerror or str(error)
    return wrong or ("deleted" if data is None else "restored")
