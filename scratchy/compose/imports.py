"""Imports: which format a file is, by its content, and its conversations as interchange's transcripts.

Nothing of a file is executed; lines are read one at a time. Not here: the place in a store that a transcript gets
(sessions/exchange.py).
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scratchy.core.errors import FormatError, SessionCorruptedError

if TYPE_CHECKING:
    from scratchy.interchange.transcript import Transcript
    from scratchy.scratchpad import Scratchpad

LINE = 64 << 20  # bytes; a longer line is none
WHOLE = 512 << 20  # bytes; a larger JSON document is not read
BLOB = 256 << 20  # bytes; a larger blob beside a session does not come along


def read_transcripts(path: Path) -> "Iterator[Transcript]":
    """The conversations in a file, in its order. Raises: FormatError for a file of no known format, or a damaged one;
    OSError."""
    from scratchy.interchange import sniff

    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        raise FormatError(f"'{path}' is no file that can be imported: it is {_kind(mode)}.")
    with open(path, "rb") as file:
        head = file.read(sniff.HEAD)
    kind = sniff.kind_of(head, _lines(path)) or sniff.kind_of_lines(_lines(path))
    if kind == "json" and (size := path.stat().st_size) > WHOLE and not sniff.kind_of_lines(_lines(path)):
        raise FormatError(f"'{path}' is one JSON document of {size >> 20} MB; up to {WHOLE >> 20} MB can be imported.")
    document = _document(path) if kind == "json" else None
    if kind == "json" and document is None:
        kind = sniff.kind_of_lines(_lines(path))
    found = _read(path, kind, document)
    if found is None:
        raise FormatError(f"'{path}' is of no format that can be imported. These can: {sniff.KINDS}.")
    return found


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "a pipe or a device"


def _read(path: Path, kind: str, document: Any) -> "Iterator[Transcript] | None":
    from scratchy.interchange import aider, claude_code, codex, jsonl, pi

    readers: dict[str, Callable[[], Transcript]] = {
        "toon": lambda: _toon(path),
        "codex": lambda: codex.read(_lines(path)),
        "claude": lambda: claude_code.read(lambda: _lines(path)),
        "pi": lambda: pi.read(lambda: _lines(path)),
        "jsonl": lambda: jsonl.read(_lines(path)),
    }
    if kind in readers:
        return iter([readers[kind]()])
    if kind == "sqlite":
        return _database(path)
    if kind == "aider":
        return aider.read(_lines(path))
    return _of_document(document)


def _lines(path: Path) -> Iterator[bytes]:
    """Lines with their ends; of one that is too long only its beginning, which is no JSON."""
    with open(path, "rb") as file:
        while line := file.readline(LINE):
            yield line
            while len(line) == LINE and not line.endswith(b"\n"):
                line = file.readline(LINE)


def _document(path: Path) -> Any:
    """The JSON document; None when it is none."""
    from scratchy.interchange.transcript import json_value

    if path.stat().st_size > WHOLE:
        return None
    return json_value(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))


def _of_document(document: Any) -> "Iterator[Transcript] | None":
    from scratchy.interchange import chatgpt, json_full, json_list

    if chatgpt.is_one(document):
        return chatgpt.read(document)
    if isinstance(document, dict) and json_full.is_one(document):  # pyright: ignore[reportUnknownArgumentType]
        return iter([json_full.read(document)])  # pyright: ignore[reportUnknownArgumentType]
    return iter([json_list.read(document)]) if isinstance(document, list) else None  # pyright: ignore[reportUnknownArgumentType]


def _database(path: Path) -> "Iterator[Transcript]":
    import sqlite3
    from contextlib import closing
    from urllib.parse import quote

    from scratchy.interchange import llm

    try:
        with closing(sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)) as connection:
            connection.execute("pragma trusted_schema = off")
            connection.execute("pragma query_only = on")
            if not llm.is_one(llm.Database(connection).tables):
                raise FormatError(f"'{path}' is an SQLite database, but not llm's: it has no conversations in it.")
            yield from llm.read(connection)
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        raise FormatError(f"'{path}' cannot be read: {error}.") from None


def _toon(path: Path) -> "Transcript":
    """A session file, wherever it lies, and the blobs beside it. Read slice by slice and strictly."""
    from scratchy.interchange.transcript import Transcript
    from scratchy.store.disk import Disk
    from scratchy.store.files import utc_now
    from scratchy.store.place import Place, read_header

    real = os.path.realpath(path)
    try:
        header, _ = read_header(Disk(), real, path.stem)
    except SessionCorruptedError as error:
        raise FormatError(f"'{path}' cannot be imported: {_reason(error)}.") from None
    told = Transcript(session_id=header.session_id, created_at=header.created_at)
    told.updated_at = header.updated_at
    told.name(header.title or "")
    told.metadata, told.extra = dict(header.metadata), dict(header.extra)
    place = Place(os.path.dirname(real), Disk(), utc_now)

    def messages() -> Iterator[Any]:
        try:
            yield from place.items(real, header.session_id, 0)
        except SessionCorruptedError as error:
            raise FormatError(f"'{path}' cannot be imported: {_reason(error)}.") from None

    told.messages = messages()
    told.blobs = _blobs_beside(path)
    return told


def _reason(error: SessionCorruptedError) -> str:
    return str(error).partition("cannot be read: ")[2].partition(". It was left untouched")[0] or str(error)


def _blobs_beside(path: Path) -> Mapping[str, Any]:
    from scratchy.compose.exchange import Kept
    from scratchy.scratchpad import Scratchpad

    folder = path.with_suffix(".blobs")
    if folder.is_symlink() or not folder.is_dir():
        return {}
    blobs = Kept(Scratchpad(folder))
    blobs.found = dict.fromkeys(row["id"] for row in blobs.rows.values() if row["size"] <= BLOB)
    return blobs


def keep_blobs(pad: "Scratchpad", blobs: Mapping[str, Any]) -> tuple[set[str], int]:
    """Keep what came with a transcript, one at a time: the ids that are there now, and how many are not what their
    name says."""
    from scratchy.compose.exchange import put_blob
    from scratchy.scratchpad import content_id

    good: set[str] = set()
    for blob_id in blobs:
        try:
            blob = blobs[blob_id]
        except LookupError:  # damaged
            continue
        if content_id(blob.data) == blob_id:
            good.add(put_blob(pad, blob))
    return good, len(blobs) - len(good)


def event_as_message(event: Any, before: Any) -> Any:
    """A `tool_call` or `tool_result` line of JSONL as a message behind these; None when it is no such line. Raises:
    ValueError."""
    from scratchy.interchange import jsonl

    return jsonl.as_message(event, before) if jsonl.is_event(event) else None
