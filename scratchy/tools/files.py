"""The tools that read, create, edit and delete files. Not here: listing and searching (search.py)."""

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import IO, Any

from scratchy.core.messages import ToolSpec
from scratchy.core.ports import Act, Effect, Tool, ToolError, ToolResult
from scratchy.core.text import reveal_line
from scratchy.permissions import Permissions, is_secret
from scratchy.tools.buffers import Content, Files
from scratchy.tools.diff import unified
from scratchy.tools.snapshots import MOST_COUNTED, Snapshots, is_folder, remove, survey
from scratchy.tools.specs import flag, integer, spec, text
from scratchy.tools.spots import Place, identity, place_of
from scratchy.tools.textfiles import decode, encode, looks_binary

_MOST_READ = 262_144
_READ_SECONDS = 20.0


class ReadFile:
    spec: ToolSpec = spec(
        "read_file",
        "Read a text file, or some of its lines.",
        ("file_path",),
        file_path=text("Absolute, or relative to the working folder, as every path here."),
        start_line=integer("Counted from 1.", minimum=1),
        end_line=integer("Included.", minimum=1),
    )

    def __init__(self, permissions: Permissions, files: Files) -> None:
        self._permissions = permissions
        self._files = files

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        path = self._permissions.resolve(arguments["file_path"])
        return reading(
            self._permissions, path, arguments["file_path"], "read", partial(self._read, place_of(path), arguments)
        )

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        async for piece in as_judged(self, arguments):
            yield piece

    async def _read(self, place: Place, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        start, end = int(arguments.get("start_line", 1)), arguments.get("end_line")
        if end is not None and end < start:
            raise ToolError(f"end_line {end} lies before start_line {start}.")
        last = None if end is None else int(end)
        yield ToolResult(await asyncio.to_thread(_read_lines, self._files, place, start, last))


async def as_judged(tool: Tool, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
    """What a call does that nobody was shown: judged now, then done."""
    effect = await asyncio.to_thread(tool.effect, arguments)
    assert effect.act is not None
    async with aclosing(effect.act()) as pieces:
        async for piece in pieces:
            yield piece


def reading(permissions: Permissions, path: Path, given: str, verb: str, act: Act) -> Effect:
    """The effect of reading `path`, which `given` names: free inside, else asked for its folder, a secret file for
    itself."""
    secret = is_secret(path) or is_secret(Path(given))
    preview = f"{verb} {reveal_line(str(path))}" + (" (a file that often holds keys or passwords)" if secret else "")
    folder = path if path.is_dir() else path.parent
    free = permissions.may_read(path) and not secret
    covers = _covers("file", path) if secret else _covers("folder", folder)
    return Effect(given, preview, *covers, free, "reads", act)


def _covers(kind: str, path: Path) -> tuple[str, str]:
    """Scope and target of an effect on that file or folder."""
    return f"this {kind}: {path}", str(path)


def _read_lines(files: Files, place: Place, start: int, end: int | None) -> str:
    path = place.path
    with files.open(place) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if looks_binary(file.read(8192)):
            return f"[{path} is a binary file of {size} bytes; its content is not shown]"
        file.seek(0)
        if not _skip_lines(file, start - 1):
            raise ToolError(f"{path} has fewer than {start} lines." if size or start > 1 else f"{path} is empty.")
        data, line, cut = _take_lines(file, start, end)
    note = f"\n[cut here, at line {line}; read on with start_line={line}. The file has {size} bytes]" if cut else ""
    return (decode(data)[0] + note) or f"[{path} is empty]"


def _skip_lines(file: IO[bytes], count: int) -> bool:
    """Goes past `count` lines; False when there are not that many, or not within the time limit."""
    deadline = time.monotonic() + _READ_SECONDS
    while count > 0:
        block = file.read(1 << 20)
        if not block or time.monotonic() > deadline:
            return False
        found = block.count(b"\n")
        if found < count:
            count -= found
            continue
        position = -1
        for _ in range(count):
            position = block.index(b"\n", position + 1)
        file.seek(position + 1 - len(block), os.SEEK_CUR)
        count = 0
        if not file.read(1):
            return False
        file.seek(-1, os.SEEK_CUR)
    return True


def _take_lines(file: IO[bytes], line: int, end: int | None) -> tuple[bytes, int, bool]:
    """The bytes of the lines from here to `end`, the line reached, and whether the size limit cut it."""
    parts: list[bytes] = []
    taken = 0
    while end is None or line <= end:
        part = file.readline(_MOST_READ - taken)
        if not part:
            return b"".join(parts), line, False
        parts.append(part)
        taken += len(part)
        line += part.endswith(b"\n")
        if taken >= _MOST_READ:
            return b"".join(parts), line, bool(file.read(1)) and (end is None or line <= end)
    return b"".join(parts), line, False


@dataclass(frozen=True, slots=True)
class Change:
    """What a write would do: the bytes, what stands there (None: no file does), the diff that shows it. `told` when
    it is done."""

    place: Place
    data: bytes
    before: Content | None
    diff: str
    told: str


class CreateFile:
    spec: ToolSpec = spec(
        "create_file",
        "Write a new text file, with its folders. An existing one is replaced only with overwrite=true.",
        ("file_path", "content"),
        file_path=text(),
        content=text(),
        overwrite=flag(),
    )

    def __init__(self, permissions: Permissions, snapshots: Snapshots) -> None:
        self._permissions = permissions
        self._snapshots = snapshots

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        return _writing(self.spec, arguments["file_path"], self._change(arguments), self._snapshots, self._permissions)

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        async for piece in as_judged(self, arguments):
            yield piece

    def _change(self, arguments: Mapping[str, Any]) -> Change:
        path, content = self._permissions.resolve(arguments["file_path"]), arguments["content"]
        data, place = encode(content, "utf-8"), place_of(path)
        told = f"Wrote {path} ({len(data)} bytes)."
        if not path.exists():
            diff = unified("", content, "/dev/null", str(path)) or f"a new, empty file {path}"
            return Change(place, data, None, diff, told)
        if path.is_file() and not arguments.get("overwrite", False):
            raise ToolError(f"{path} exists. Use edit_file, or overwrite=true to replace all of it.")
        before = self._snapshots.files.read(place)
        if looks_binary(before.current):
            diff = f"replaces a binary file of {len(before.current)} bytes\n" + _all_new(content, path)
        else:
            diff = unified(decode(before.current)[0], content, str(path), str(path)) or "no change"
        return Change(place, data, before, diff, told)


def _all_new(content: str, path: Path) -> str:
    return unified("", content, str(path), str(path))


class EditFile:
    spec: ToolSpec = spec(
        "edit_file",
        "Replace a passage of a text file. old_text must stand in it exactly once, unless replace_all is true.",
        ("file_path", "old_text", "new_text"),
        file_path=text(),
        old_text=text("Exactly as in the file, with its spaces and line ends."),
        new_text=text(),
        replace_all=flag(),
    )

    def __init__(self, permissions: Permissions, snapshots: Snapshots) -> None:
        self._permissions = permissions
        self._snapshots = snapshots

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        return _writing(self.spec, arguments["file_path"], self._change(arguments), self._snapshots, self._permissions)

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        async for piece in as_judged(self, arguments):
            yield piece

    def _change(self, arguments: Mapping[str, Any]) -> Change:
        path = self._permissions.resolve(arguments["file_path"])
        place = place_of(path)
        raw = self._snapshots.files.read(place)
        if looks_binary(raw.current):
            raise ToolError(f"{path} is a binary file and cannot be edited as text.")
        before, encoding = decode(raw.current)
        old, new = _with_line_ends_of(before, arguments["old_text"], arguments["new_text"])
        count = _count(before, old, path, bool(arguments.get("replace_all", False)))
        after = before.replace(old, new)
        told = f"Edited {path} ({count} place{'s' if count > 1 else ''})."
        return Change(place, encode(after, encoding), raw, unified(before, after, str(path), str(path)), told)


def _with_line_ends_of(before: str, old: str, new: str) -> tuple[str, str]:
    """Models write `\\n`; in a file whose lines end in `\\r\\n` both texts get the file's line ends."""
    crlf = before.count("\r\n")
    if crlf * 2 <= before.count("\n"):
        return old, new
    windows = re.sub("\r?\n", "\r\n", old)
    return (windows if windows in before else old), re.sub("\r?\n", "\r\n", new)


def _count(before: str, old: str, path: Path, replace_all: bool) -> int:
    if not old:
        raise ToolError("old_text is empty; use create_file to write a whole file.")
    count = before.count(old)
    if not count:
        near = " It stands there with other spaces or line ends." if _squeezed(old) in _squeezed(before) else ""
        raise ToolError(f"old_text was not found in {path}.{near} Read the file and copy the passage exactly.")
    if count > 1 and not replace_all:
        raise ToolError(f"old_text stands {count} times in {path}. Give more of its surroundings, or replace_all=true.")
    return count


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _writing(tool: ToolSpec, given: str, change: Change, snapshots: Snapshots, permissions: Permissions) -> Effect:
    if not change.diff:
        raise ToolError("old_text and new_text are the same: nothing would change.")
    path = change.place.path
    caveat = snapshots.caveat(path)
    preview = f"{reveal_line(str(path))}\n{change.diff}"
    preview = f"{preview.removesuffix(chr(10))}\n{caveat}" if caveat else preview
    kind = "edits" if permissions.may_edit(path) and not caveat else "acts"
    act = partial(_written, snapshots, tool["function"]["name"], change)
    return Effect(given, preview, *_covers("folder", path.parent), kind=kind, act=act)


async def _written(snapshots: Snapshots, tool: str, change: Change) -> AsyncGenerator[str | ToolResult, None]:
    yield await asyncio.to_thread(_write, snapshots, tool, change)


def _write(snapshots: Snapshots, tool: str, change: Change) -> ToolResult:
    files, failure = snapshots.write(tool, change.place, change.before, change.data)
    if failure is None:
        return ToolResult(change.told, change.diff, files=files)
    why = failure.strerror or failure
    return ToolResult(f"{change.told} But a power cut may take it back ({why}).", files=files)


class DeleteFile:
    spec: ToolSpec = spec(
        "delete_file",
        "Delete a file or link; a folder and all that is in it only with recursive=true. You cannot undo this.",
        ("file_path",),
        file_path=text(),
        recursive=flag(),
    )

    def __init__(self, permissions: Permissions, snapshots: Snapshots) -> None:
        self._permissions = permissions
        self._snapshots = snapshots

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        path = self._target(arguments)
        found = survey(path)
        caveat = self._snapshots.caveat_of_deleting(path, found)
        caveat, shown = f"\n{caveat}" if caveat else "", reveal_line(str(path))
        known = identity(path.stat()) if is_folder(path) else None
        act = partial(self._delete, place_of(path), known)
        if known is not None:
            preview = f"delete the folder {shown} and all that is in it ({_census(found.entries)}){caveat}"
            return Effect(arguments["file_path"], preview, f"this folder: {path}", f"{path}{os.sep}", act=act)
        return Effect(arguments["file_path"], f"delete {shown}{caveat}", *_covers("folder", path.parent), act=act)

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        async for piece in as_judged(self, arguments):
            yield piece

    async def _delete(self, place: Place, folder: tuple[int, int] | None) -> AsyncGenerator[str | ToolResult, None]:
        path = place.path
        interrupted = Event()  # while it is being kept: then nothing is deleted
        try:
            kept = await asyncio.to_thread(self._snapshots.delete, "delete_file", place, interrupted.is_set)
        finally:
            interrupted.set()
        away, failure = await asyncio.to_thread(remove, place, folder, kept)
        if failure is None:
            yield ToolResult(f"Deleted {path}.", files=away)
            return
        why = f"{failure.strerror or failure}{f': {failure.filename}' if failure.filename else ''}"
        yield ToolResult(f"Deleted only a part of {path} ({why}).", is_error=True, files=away)

    def _target(self, arguments: Mapping[str, Any]) -> Path:
        """The name itself, its folder resolved: of a link the link goes, not what it points to."""
        given = Path(arguments["file_path"])
        path = self._permissions.resolve(str(given))
        if given.name not in ("", ".."):
            path = self._permissions.resolve(str(given.parent)) / given.name
        if not os.path.lexists(path):
            raise ToolError(f"{path} does not exist.")
        if is_folder(path) and not arguments.get("recursive", False):
            raise ToolError(f"{path} is a folder; recursive=true deletes it with all that is in it.")
        if self._permissions.folder.is_relative_to(path):
            raise ToolError(f"{path} holds the working folder and is not deleted.")
        return path


def _census(count: int) -> str:
    return (
        f"more than {MOST_COUNTED} entries" if count > MOST_COUNTED else f"{count} entr{'y' if count == 1 else 'ies'}"
    )
