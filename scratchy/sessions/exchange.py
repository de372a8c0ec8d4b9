"""Sessions that leave the store and come in: under which id, with what of their header, told in sentences.

Not here: the formats and the files (compose, interchange); the words for the person (commands, shell).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from scratchy import compose
from scratchy.core.errors import FormatError, SessionError, SessionExistsError
from scratchy.core.images import shown_of
from scratchy.core.messages import Message, calls_of, text_of
from scratchy.core.ports import SessionWriter, Store
from scratchy.core.stored import Header
from scratchy.sessions.opening import made_id
from scratchy.sessions.times import utc_stamp
from scratchy.sessions.wording import words_title

if TYPE_CHECKING:
    from scratchy.scratchpad import Scratchpad

_NAMED = 5  # ids that were changed are named, of more only the number is told
_BATCH = 32_000_000  # characters; up to so many are stored in one step
_NOT_HERE = ("machine", "machine_from", "endpoint", "folder", "project", "rewind", "formerly", "title_usage")
"""Header metadata that means another machine, another place or another trash."""


class Exported(NamedTuple):
    """`notes`: what the format could not carry, a sentence each."""

    path: Path | None
    count: int  # pyright: ignore[reportIncompatibleMethodOverride] - nobody counts in it
    notes: list[str]


class Imported(NamedTuple):
    """`session_id`: the last of `session_ids`; `skipped`: lines or messages that are none; `notes`: a sentence each."""

    session_id: str
    session_ids: list[str]
    skipped: int
    notes: list[str]


def export_session(
    store: Store,
    session_id: str,
    path: Path | None,
    form: str | None = None,
    *,
    full: bool = False,
    pad: "Scratchpad | None" = None,
) -> Exported:
    """Write a stored session to a new file (None: stdout); the format is `form` or the suffix's. The lock is not taken.
    `pad`: where its blobs are, if not in the usual place.

    Raises: SessionNotFoundError, SessionCorruptedError; FormatError; FileExistsError and other OSError.
    """
    form = form or compose.export_format(path or "")
    header, count = store.header(session_id)
    stored = compose.Stored(header, store.items(session_id), count)
    notes = compose.export(path, form, stored, pad or compose.open_scratchpad(store), full=full)
    return Exported(path, count, notes)


def import_session(
    store: Store,
    path: Path,
    session_id: str | None = None,
    *,
    pad: "Scratchpad | None" = None,
    reserved: Collection[str] = (),
) -> Imported:
    """Every conversation of a file as a new session; nothing that is stored is overwritten. `session_id`: for a file
    with one conversation; else, or where the file's own id is bad or taken, one is made and that is said. `reserved`:
    ids of sessions that are open and not stored yet; `pad`: where blobs go, if not to the usual place.

    Raises: FormatError, SessionExistsError (a named id is taken), ValueError (a named id is bad), OSError. What was
    imported before an error stays.
    """
    if session_id is not None and store.exists(session_id):
        raise _taken(session_id)
    found = compose.read_transcripts(path)
    first, more = _next(found), None
    if session_id is not None:
        more = _next(found)
        if more is not None:
            raise FormatError(f"'{path}' holds several conversations: import it without naming a session.")
    pad = pad or compose.open_scratchpad(store)
    ids: list[str] = []
    notes: list[str] = []
    left: dict[str, int] = {}
    renamed: list[str] = []
    skipped = 0
    transcript = first
    while transcript is not None:
        incoming = _Incoming(store, pad, transcript, _stem(path), reserved)
        ids.append(incoming.take(session_id))
        renamed += [incoming.renamed] if incoming.renamed else []
        notes += [note for note in incoming.notes if note not in notes]
        skipped += incoming.skipped
        left |= {what: left.get(what, 0) + count for what, count in transcript.left.items()}
        transcript = _next(found)
    if not ids:
        raise FormatError(f"'{path}' holds no conversation.")
    if len(renamed) > _NAMED:
        renamed = [f"{len(renamed)} ids were taken or cannot be ids; others were made."]
    notes = [*renamed, *notes, *(_left_out(what, count) for what, count in left.items())]
    return Imported(ids[-1], ids, skipped, notes)


def _left_out(what: str, count: int) -> str:
    noun, space, rest = what.partition(" ")
    return f"{count} {noun if count == 1 else noun + 's'}{space}{rest} left out."


def _next(found: Iterator[Any]) -> Any:
    return next(found, None)


def _stem(path: Path) -> str:
    for ending in ("_chat", "_transcript"):
        if path.stem.endswith(ending) and path.stem != ending:
            return path.stem.removesuffix(ending)
    return path.stem


def _taken(session_id: str) -> SessionExistsError:
    return SessionExistsError(session_id, f"Session '{session_id}' exists already; nothing was imported.")


class _Incoming:
    """One transcript on its way into the store."""

    def __init__(self, store: Store, pad: "Scratchpad", transcript: Any, stem: str, reserved: Collection[str]) -> None:
        self._store = store
        self._pad = pad
        self._from = transcript
        self._stem = stem
        self._reserved = reserved
        self._bad = 0
        self._stripped = 0
        self._last: Any = ""  # the time of the last message that has one
        self._blobs: set[str] = set()
        self.renamed = ""
        self.notes: list[str] = []

    @property
    def skipped(self) -> int:
        return self._from.skipped + self._bad

    def take(self, session_id: str | None) -> str:
        """Store it; its id."""
        self._blobs, damaged = compose.keep_blobs(self._pad, self._from.blobs)
        if damaged:
            self.notes.append(f"{damaged} blobs are not what their names say; they were left out.")
        batches = self._batches()
        batch = next(batches)
        metadata = self._metadata()
        times = (_time(message.get("ts")) for message in batch)
        self._from.created_at = self._from.created_at or next(filter(None, times), "")
        said = (shown_of(one, brief=True).strip() for one in batch if one.get("role") == "user")
        words = next(filter(None, said), "")
        writer = self._open(session_id, metadata)
        try:
            writer.append(batch)
            for batch in batches:
                writer.append(batch)
            title = self._from.title or (words_title(words) if words and compose.titles_wanted() != "off" else None)
            writer.edit(title=title, updated_at=self._last_time() or None)
        except BaseException:  # half of a session is none; the file still has the whole
            writer.close()
            with suppress(OSError, SessionError):
                self._store.delete(writer.session_id)
            raise
        finally:
            writer.close()
        if self._stripped:
            self.notes.append(
                f"{self._stripped} messages lost their file snapshots: what they refer to did not come along."
            )
        self.notes += self._from.notes
        return writer.session_id

    def _batches(self) -> Iterator[list[Message]]:
        """Messages as they will be stored; what cannot be is counted."""
        batch: list[Message] = []
        weight = 0
        for message in self._from.messages:
            try:
                checked = cast("Message", compose.as_stored(self._without_lost_files(message)))
            except (TypeError, ValueError, RecursionError, OverflowError):
                self._bad += 1
                continue
            batch.append(checked)
            self._last = checked.get("ts") or self._last
            weight += len(text_of(checked)) + 500
            if weight > _BATCH:
                yield batch
                batch, weight = [], 0
        yield batch

    def _last_time(self) -> str:
        """When the last thing was said, as far as anything tells."""
        return _time(self._from.updated_at) or _time(self._last) or _time(self._from.created_at)

    def _without_lost_files(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        if "files" not in message:
            return message
        changes: Any = message["files"]
        wanted = [one.get("before") for one in changes] if _are_changes(changes) else [""]  # `after` is a hash only
        if all(blob is None or blob in self._blobs for blob in wanted):
            return message
        self._stripped += 1
        return {key: value for key, value in message.items() if key != "files"}

    def _metadata(self) -> dict[str, Any]:
        metadata = {key: value for key, value in self._from.metadata.items() if key not in _NOT_HERE}
        compaction: Any = metadata.get("compaction")
        if compaction is not None:
            record = cast("dict[str, Any]", compaction) if isinstance(compaction, dict) else {}
            if record.get("blob") in self._blobs:
                metadata["compaction"] = {key: value for key, value in record.items() if key != "before"}
            else:
                del metadata["compaction"]
        return cast("dict[str, Any]", compose.as_stored(metadata))

    def _open(self, named: str | None, metadata: Mapping[str, Any]) -> SessionWriter:
        now = utc_stamp()
        created = self._from.created_at or now

        def header(session_id: str) -> Header:
            return Header(session_id, created, now, self._from.title or None, metadata, self._from.extra)

        if named is not None:
            writer = _new(self._store, header(named))
            if writer is None:
                raise _taken(named)
            return writer
        wanted = self._from.session_id or self._stem
        for session_id in self._candidates(wanted):
            if session_id in self._reserved:
                continue
            with suppress(ValueError):
                writer = _new(self._store, header(session_id))
                if writer is not None:
                    if session_id != wanted:
                        self.renamed = f"'{wanted}' is taken or cannot be an id; it was imported as '{session_id}'."
                    return writer
        raise SessionError(wanted, f"No free id was found for '{wanted}'.")

    def _candidates(self, wanted: str) -> Iterator[str]:
        yield wanted
        yield from (f"{wanted}-{number}" for number in range(2, 100))
        yield made_id(self._store)


def _new(store: Store, header: Header) -> SessionWriter | None:
    """The writer of a session that is stored only now; None when its id is taken, or held."""
    if store.exists(header.session_id):
        return None
    try:
        writer = store.open(header.session_id, create=header)
    except SessionError:
        return None
    if store.exists(header.session_id):  # another process was faster
        writer.close()
        return None
    return writer


def _time(told: Any) -> str:
    """A time as headers have it; nothing for what is none."""
    try:
        return utc_stamp(datetime.fromisoformat(told))
    except (TypeError, ValueError, OverflowError, OSError):
        return ""


def _are_changes(changes: Any) -> bool:
    return isinstance(changes, list) and all(isinstance(one, dict) for one in cast("list[Any]", changes))


def load_recent_history(store: Store, session_id: str, max_turns: int) -> list[Message]:
    """The last turns (a turn: a user message and all up to the next), with the system message before them. Only the end
    of the session is read."""
    if not store.exists(session_id):
        return []
    messages: list[Message] = []
    size, before = 50, None
    starts: list[int] = []
    while True:
        first, older = store.tail(session_id, size, before=before)
        messages[:0] = older
        starts = [at for at, message in enumerate(messages) if message.get("role") == "user"]
        if first == 0 or len(starts) > max_turns or (max_turns > 0 and len(starts) == max_turns):
            break
        size, before = size * 2, first
    if first == 0 and len(starts) <= max_turns:
        return _parallel(messages)
    kept = messages[starts[-max_turns] :] if max_turns > 0 and starts else []
    head = messages[:1] if first == 0 else store.tail(session_id, 1, before=1)[1]
    return _parallel([*(message for message in head if message.get("role") == "system"), *kept])


def _parallel(messages: Sequence[Message]) -> list[Message]:
    """Calls that follow calls without a result between are one message, as every server wants them: who adds a line at
    a time stores one each."""
    made: list[Message] = []
    for message in messages:
        last = made[-1] if made else None
        if last is not None and calls_of(last) and calls_of(message) and not text_of(message):
            made[-1] = cast("Message", {**last, "tool_calls": [*calls_of(last), *calls_of(message)]})
        else:
            made.append(message)
    return made


def as_chat(store: Store, session_id: str, message: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message in chat-completions shape: a `tool_call` or `tool_result` line of JSONL is made one, paired with what
    is stored; any other is returned as it is. Raises: ValueError for a line without a name."""
    if message.get("role") not in ("tool_call", "tool_result"):
        return message
    before: list[Message] = store.tail(session_id, 50)[1] if store.exists(session_id) else []
    return compose.event_as_message(message, before) or message
