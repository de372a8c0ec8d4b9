"""Exports: the format that a suffix names, the new file itself, and the blobs that go with a session.

Formats are interchange's, the `.toon` form is the store's. Everything is imported when it is asked for. Not here: which
session is meant (sessions/exchange.py); imports (imports.py).
"""

import errno
import os
import re
import stat
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from scratchy.core.errors import FormatError
from scratchy.core.text import clean

if TYPE_CHECKING:
    from scratchy.core.messages import Message
    from scratchy.core.stored import Header
    from scratchy.interchange.transcript import Written
    from scratchy.scratchpad import Scratchpad

WRITTEN = ("json", "jsonl", "md", "html", "toon")
_BATCH = 200
_FOR_READING = ("md", "html")
_BLOB_ID = r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"


def export_format(path: str | os.PathLike[str]) -> str:
    """The format that a file's suffix names. Raises: FormatError."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    suffix = {"htm": "html", "markdown": "md"}.get(suffix, suffix)
    if suffix not in WRITTEN:
        raise FormatError(f"'{path}' must end in one of {', '.join('.' + name for name in WRITTEN)}.")
    return suffix


class Stored:
    """A session to export: its header as it is stored, and its messages, read as they are asked for, once."""

    def __init__(self, header: "Header", messages: "Iterable[Message]", count: int) -> None:
        self.header = header
        self.messages = islice(messages, count)
        self.count = count


def export(path: Path | None, form: str, stored: Stored, pad: "Scratchpad", *, full: bool = False) -> list[str]:
    """Write a session to a new file, 0600, whole or not at all (None: to stdout). `full`: JSON with all that there is,
    and the folder stays. Returns what the format could not carry, a sentence each.

    Raises: FileExistsError and other OSError; what reading the messages raises.
    """
    from scratchy.interchange.transcript import Written, exported_header

    blobs = Kept(pad)
    header = exported_header(stored.header, full=full)
    blobs.look(header.metadata)  # a compaction's summary
    session = Written(header, blobs.seen_in(stored.messages), cast("Any", blobs))
    pieces = _toon(session, stored.count) if form == "toon" else _texts(form, session, full)
    if path is None:
        import sys

        if sys.stdout.isatty():  # a person reads it; nothing of it may reach the terminal but text
            pieces = (clean(piece.decode("utf-8", "replace")).encode() for piece in pieces)
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        _check_whole(stored, blobs)
        return _lost(form, header, blobs, full, beside=False)
    beside = path.with_suffix(".blobs") if form == "toon" else None
    with _new_file(path, beside) as file:
        file.writelines(pieces)
        _check_whole(stored, blobs)
        if beside is not None:
            blobs.copy_to(beside)
    return _lost(form, header, blobs, full, beside=True)


def _check_whole(stored: Stored, blobs: "Kept") -> None:
    """Raises: FormatError when the session was cut meanwhile: what was written is no whole one."""
    if blobs.passed != stored.count:
        raise FormatError(f"Session '{stored.header.session_id}' changed while it was exported. Export it again.")


def _texts(form: str, session: "Written", full: bool) -> Iterator[bytes]:
    from scratchy.interchange import html, json_full, json_list, jsonl, markdown

    dumps = {"json": json_list.dump, "jsonl": jsonl.dump, "md": markdown.dump, "html": html.dump}
    dump = json_full.dump if full and form == "json" else dumps[form]
    for text in dump(session):
        yield text.encode("utf-8", "replace")


def _toon(session: "Written", count: int) -> Iterator[bytes]:
    from scratchy.store.files import utc_now
    from scratchy.store.foreign import utc_text
    from scratchy.store.toonfile import encode_header, encode_items, is_stamp

    header = session.header
    if not is_stamp(header.updated_at):
        header = header._replace(updated_at=utc_text(utc_now()))
    yield encode_header(header, count)
    messages = iter(session.messages)
    while batch := list(islice(messages, _BATCH)):
        yield encode_items(batch, strict=False)


class Kept(Mapping[str, Any]):
    """Entries of a scratchpad, read when they are asked for: those in `found`, at first none."""

    def __init__(self, pad: "Scratchpad") -> None:
        self._pad = pad
        self.rows = {row["id"]: row for row in pad.list()}
        self.found: dict[str, None] = {}
        self.damaged: set[str] = set()
        self.passed = 0  # messages

    def seen_in(self, messages: "Iterable[Message]") -> "Iterator[Message]":
        """The messages; entries whose ids occur in them are found."""
        for message in messages:
            self.passed += 1
            if self.rows:
                self.look(message)
            yield message

    def look(self, value: Any) -> None:
        if isinstance(value, str):
            self.found.update((found, None) for found in re.findall(_BLOB_ID, value) if found in self.rows)
        elif isinstance(value, Mapping):
            for item in cast("Mapping[str, Any]", value).values():
                self.look(item)
        elif isinstance(value, list):
            for item in cast("list[Any]", value):
                self.look(item)

    def __getitem__(self, blob_id: str) -> Any:
        """Raises: LookupError for one that is damaged."""
        from scratchy.interchange.transcript import Blob

        row = self.rows[blob_id]
        try:
            content = self._pad.content(blob_id)
        except LookupError:
            self.damaged.add(blob_id)
            raise
        return Blob(content, str(row["tool"]), str(row["type"]))

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def copy_to(self, folder: Path) -> None:
        from scratchy.interchange.transcript import readable
        from scratchy.scratchpad import Scratchpad

        pad = Scratchpad(folder)
        for _, blob in readable(self):
            put_blob(pad, blob)


def put_blob(pad: "Scratchpad", blob: Any) -> str:
    """Keep a blob; its id. Raises: OSError."""
    from scratchy.scratchpad import SNAPSHOT, Scratchpad, content_id

    try:
        text = None if blob.type == SNAPSHOT else blob.data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = None
    if text is None:
        return pad.keep(blob.data, blob.tool)
    Scratchpad(pad.directory, threshold=-1).maybe_store(blob.tool, text)
    return content_id(blob.data)


@contextmanager
def _new_file(path: Path, beside: Path | None) -> Generator[IO[bytes]]:
    """A file that appears under its name, whole, when the block is through; and the folder that goes with it."""
    from tempfile import mkstemp

    from scratchy.store.disk import Disk
    from scratchy.store.trash import name_anew
    from scratchy.system import sync_names

    for name in (path, beside):
        if name is not None and os.path.lexists(name):
            raise FileExistsError(errno.EEXIST, "exists already", str(name))
    try:
        handle, temporary = mkstemp(prefix=f".{path.name[:40]}.", suffix=".tmp", dir=path.parent)  # 0600
    except OSError as error:
        error.filename = str(path)
        raise
    try:
        with open(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        name_anew(Disk(), temporary, str(path))
        sync_names(path.parent)
    except BaseException:
        if beside is not None and beside.is_dir():
            from shutil import rmtree

            rmtree(beside, ignore_errors=True)
        raise
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def _lost(form: str, header: "Header", blobs: Kept, full: bool, *, beside: bool) -> list[str]:
    """What did not come along, a sentence each."""
    notes: list[str] = []
    carries = (form == "json" and full) or (form == "toon" and beside) or form == "html"
    if blobs.damaged:
        notes.append(f"{len(blobs.damaged)} of the scratchpad's entries are damaged and did not come along.")
    if blobs and not carries:
        what = "image" if all(blobs.rows[found]["tool"] == "image" for found in blobs) else "big output"
        count = f"{len(blobs)} {what}s" if len(blobs) > 1 else f"1 {what}"
        better = ".toon" if form == "toon" else ".toon, .html or JSON with --full"
        notes.append(f"{count} in the scratchpad did not come along; a file {better} takes them.")
    if form in ("jsonl", "json") and not full and (header.title or header.metadata.get("tags")):
        notes.append("Title and tags did not come along; a .toon file or JSON with --full takes them.")
    if form in _FOR_READING:
        left = "usage" if form == "html" else "usage and pictures"
        notes.append(f"This format is for reading: it cannot be imported, and {left} did not come along.")
    return notes


def jsonl_lines(messages: "Iterable[Mapping[str, Any]]", stamp: str) -> str:
    """Messages as lines of JSONL; `stamp` is the time of those that have none."""
    from scratchy.core.messages import calls_of
    from scratchy.interchange import jsonl

    names: dict[str, str] = {}
    lines: list[str] = []
    for message in messages:
        names |= {call["id"]: call["function"]["name"] for call in calls_of(message)}
        lines.append(jsonl.lines_of(message, stamp, names.get(str(message.get("tool_call_id")), "")))
    return "".join(lines)


def append_lines(path: Path, text: str) -> None:
    """At the end of a file of lines, 0600, made when it is missing; behind a last line that was torn a new one begins.
    Raises: OSError."""
    from scratchy.store.disk import Disk, write_all

    disk = Disk()
    handle = disk.open(str(path), os.O_RDWR | os.O_CREAT)
    try:
        there = os.fstat(handle)
        if not stat.S_ISREG(there.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        size = there.st_size
        torn = size > 0 and disk.read(handle, 1, size - 1) != b"\n"
        write_all(disk, handle, ("\n" * torn + text).encode("utf-8", "replace"), size)
    finally:
        disk.close(handle)


def encoded_id(session_id: str) -> str:
    """The id as it stands in file names. Raises: ValueError or TypeError for a bad one."""
    from scratchy.store.ids import check_id, encode_id

    return encode_id(check_id(session_id))
