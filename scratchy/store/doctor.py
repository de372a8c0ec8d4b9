"""The check of stored sessions: strict decode of every message, ids, what they refer to; and the repair of one.

A check takes no lock and changes nothing. A repair takes the session's lock; the damaged file goes to the trash whole,
and a copy of what decodes takes its name. Not here: what lies beside sessions and around them (surroundings.py), what
can be saved of a file (salvage.py).
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from scratchy.core.errors import SessionCorruptedError, SessionLockedError, SessionNotFoundError
from scratchy.core.findings import Finding
from scratchy.core.messages import Message
from scratchy.core.stored import Header
from scratchy.store.disk import copy_all, naming, write_all
from scratchy.store.foreign import decode_foreign
from scratchy.store.ids import SUFFIX, check_id, decode_id, file_name, is_plain, shell_id, shell_word
from scratchy.store.lock import Clean, Lock, holding, locked, look
from scratchy.store.place import FOREIGN_MOST, Place, open_file, read_head
from scratchy.store.references import References
from scratchy.store.salvage import Saved, salvage
from scratchy.store.slices import item_at, slices
from scratchy.store.toonfile import (
    DamageError,
    FutureError,
    Head,
    decode_document,
    encode_header,
    encode_items,
    is_stamp,
)
from scratchy.store.trash import Trash
from scratchy.system import WINDOWS

Progress = Callable[[int, int, int], None]
"""Told again and again: so many sessions of so many, so many messages."""


class Doctor:
    """`sessions`, `messages` and `size` (bytes) count what was read so far."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._disk = place.disk
        self._trash = Trash(place)
        self._tick: Callable[[], object] = int
        self.sessions = self.messages = self.size = 0

    def check(self, ids: Sequence[str] | None = None, progress: Progress | None = None) -> Iterator[Finding]:
        """What is wrong with these sessions (None: all).

        Raises: SessionNotFoundError for an id without a file, OSError when the folder cannot be read.
        """
        names = self._names() if ids is None else [self._name(session_id) for session_id in ids]
        references = References(self._place)
        for done, name in enumerate(names):
            if progress is not None:
                self._tick = lambda done=done: progress(done, len(names), self.messages)
            self._tick()
            yield from self._file(name, references)
        yield from references.lost()

    def _names(self) -> list[str]:
        try:
            return sorted(name for name in os.listdir(self._place.folder) if name.endswith(SUFFIX) and name[0] != ".")
        except FileNotFoundError:
            return []

    def _name(self, session_id: str) -> str:
        path = self._place.find(check_id(session_id))
        if not os.path.lexists(path):
            raise SessionNotFoundError(session_id)
        return os.path.basename(path)

    def _file(self, name: str, references: References) -> Iterator[Finding]:
        path, stem = self._place.path(name), name[: -len(SUFFIX)]
        called = decode_id(stem) or stem
        self.sessions += 1
        try:
            handle = open_file(self._disk, path, called, os.O_RDONLY)
        except SessionNotFoundError:  # deleted or renamed just now
            return
        except SessionCorruptedError as error:
            reason, delete = str(error).partition("cannot be read: ")[2].partition(f", {path}")[0], _delete(called)
            yield _problem("no file", reason, path, called, advice=delete)
            return
        except OSError as error:
            yield _problem("unreadable", f"cannot be opened: {error.strerror}", path, called)
            return
        try:
            there = os.fstat(handle)
            self.size += there.st_size
            if not WINDOWS and stat.S_IMODE(there.st_mode) & 0o077:
                loose = f"others may use its file (mode {stat.S_IMODE(there.st_mode):o})"
                yield _problem("mode", loose, path, called, advice="`scratchy doctor --fix` makes it private.")
            with naming(path):
                yield from self._content(handle, name, references)
        except OSError as error:
            yield _problem("unreadable", f"cannot be read: {error.strerror}", path, called)
        finally:
            self._disk.close(handle)

    def _content(self, handle: int, name: str, references: References) -> Iterator[Finding]:
        path, stem = self._place.path(name), name[: -len(SUFFIX)]
        called = decode_id(stem) or stem
        try:
            header, messages, head = self._read(handle)
            session_id = owner(self._place, name, header.session_id)
            if session_id is None:
                text = f"its header names another session, '{header.session_id}'; nothing uses the file"
                advice = f"`scratchy session import {shell_word(path)}` makes it a session of its own."
                yield Finding("foreign", text, path, called, advice=advice)
                return
            references.begin(session_id, path, header)
            for message in messages:
                references.add(message)
                self.messages += 1
            yield from references.end(holding(self._place.lock_path(session_id)) is not None)
            yield from self._tail(handle, head, path, session_id)
        except FutureError as error:
            yield Finding("future", f"{error.reason}; skipped", path, called, advice="Update Scratchy to read it.")
        except DamageError as error:
            yield self._damage(handle, name, error)

    def _read(self, handle: int) -> tuple[Header, Iterator[Message], Head | None]:
        head = read_head(self._disk, handle)
        if head is not None:
            start = self._disk.read(handle, head.body, 0)
            decode_document(start[: start.rfind(b"\nmessages[")] + b"\nmessages[0]:\n")  # strictly, as with its items
            if not head.header.session_id:
                raise DamageError("its header names no session")
            return head.header, self._messages(handle, head), head
        there = os.fstat(handle)
        if there.st_size > FOREIGN_MOST:
            raise DamageError(f"it is not in Scratchy's form, and larger than {FOREIGN_MOST >> 20} MB")
        header, messages = decode_foreign(self._disk.read(handle, there.st_size, 0), there.st_mtime)
        return header, iter(messages), None  # type: ignore[return-value]

    def _messages(self, handle: int, head: Head) -> Iterator[Message]:
        for part in slices(self._disk, handle, head, (0, head.total), self._clean_end(handle, head)):
            self._tick()
            yield from part

    def _clean_end(self, handle: int, head: Head) -> int | None:
        """Where its last writer says that the last message ends: a tail behind it may look like anything."""
        try:
            clean = look(self._place.lock_path(check_id(head.header.session_id)))[1]
        except ValueError:
            return None
        there = os.fstat(handle)
        if clean is None or (clean.inode, clean.total) != (there.st_ino, head.total) or clean.end > there.st_size:
            return None
        if clean.end == there.st_size and clean.changed == there.st_mtime_ns:
            return clean.end
        with suppress(DamageError):  # the file may have been written by another program since
            list(slices(self._disk, handle, head, (max(head.total - 1, 0), head.total), clean.end))
            return clean.end
        return None

    def _tail(self, handle: int, head: Head | None, path: str, session_id: str) -> Iterator[Finding]:
        if head is None or holding(self._place.lock_path(session_id)) is not None:
            return
        size = os.fstat(handle).st_size
        end = self._clean_end(handle, head)
        end = item_at(self._disk, handle, head, head.total, None) if end is None else end
        if size > end:
            text = f"{size - end:,} bytes of an unfinished save follow its last message"
            yield Finding(
                "tail", text, path, session_id, end, "The next opening cuts them off and keeps them beside it."
            )

    def _damage(self, handle: int, name: str, error: DamageError) -> Finding:
        path, stem = self._place.path(name), name[: -len(SUFFIX)]
        called = decode_id(stem) or stem
        try:
            saved = salvage(self._disk, handle)
        except FutureError as future:
            return Finding("future", f"{future.reason}; skipped", path, called, advice="Update Scratchy to read it.")
        session_id = owner(self._place, name, saved.header.session_id)
        holder = holding(self._place.lock_path(session_id)) if session_id is not None else None
        if session_id is None or not saved.kept:
            why = "no message in it is readable" if session_id else "which session it was is not known"
            advice = f"Nothing to repair: {why}. {_delete(called)}"
        elif holder is not None:
            advice = f"It is held by {holder}, so it is left alone.{holder.advice}"
        else:
            advice = (
                "`scratchy doctor --fix` moves the file to the trash, whole, and makes a copy of what is readable: "
                f"{_kept(saved)}."
            )
        mendable = session_id is not None and saved.kept > 0 and holder is None
        text = f"cannot be read: {error.reason}"
        return _problem("damaged", text, path, session_id or called, error.offset, advice, mendable=mendable)

    # --- Repair

    def mend(self, finding: Finding) -> Finding:
        """The finding with what was done about it. Raises: SessionLockedError when another process, or this one, has
        the session open; SessionNotFoundError when it is gone; OSError."""
        session_id = finding.session_id
        with locked(self._disk, self._place.lock_path(session_id), session_id, self._place.now()) as lock:
            path = self._place.find(session_id)
            if path != finding.path:
                raise SessionNotFoundError(session_id)
            if lock.file is not None:
                text = f"Session '{session_id}' is open in this window; leave it, then check again."
                raise SessionLockedError(session_id, text, pid=os.getpid())
            handle = open_file(self._disk, path, session_id, os.O_RDONLY)
            try:
                with naming(path):
                    return finding._replace(mended=self._repair(handle, path, session_id, lock))
            finally:
                self._disk.close(handle)

    def _repair(self, handle: int, path: str, session_id: str, lock: Lock) -> str:
        again = Doctor(self._place)._content(handle, os.path.basename(path), References(self._place))
        if not any(found.kind == "damaged" for found in again):
            return "it is whole by now"
        saved = salvage(self._disk, handle)
        if not saved.kept:
            raise SessionCorruptedError(session_id, f"No message of session '{session_id}' is readable.")
        temporary = self._place.temporary(session_id)
        with suppress(FileNotFoundError):
            self._disk.unlink(temporary)
        copy = self._disk.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            end = self._write(handle, copy, saved, session_id)
            self._disk.sync(copy)
            entry = self._trash.keep(path, session_id, "repaired")
            try:
                self._disk.rename(temporary, path)
            except OSError:
                self._trash.drop(entry)
                raise
            self._disk.sync_folder(self._place.folder)
            there = os.fstat(copy)
            lock.note(Clean(there.st_ino, end, saved.kept, there.st_mtime_ns))
        except OSError:
            with suppress(OSError):
                self._disk.unlink(temporary)
            raise
        finally:
            self._disk.close(copy)
        return f"kept {_kept(saved)}; the file as it was is in the trash (`scratchy session trash restore {entry}`)"

    def _write(self, source: int, copy: int, saved: Saved, session_id: str) -> int:
        """The copy, read back strictly; its size."""
        header = saved.header._replace(session_id=session_id)
        if not is_stamp(header.updated_at):
            header = header._replace(updated_at=self._place.now())
        at = write_all(self._disk, copy, encode_header(header, saved.kept), 0)
        at = write_all(self._disk, copy, encode_items(saved.messages, strict=False), at)
        for run in saved.runs:
            at = copy_all(self._disk, source, copy, run.start, run.end - run.start, at)
        head = read_head(self._disk, copy)
        with suppress(DamageError):
            if head and sum(map(len, slices(self._disk, copy, head, (0, head.total), at))) == saved.kept:
                return at
        raise OSError(errno.EIO, "The copy could not be read back")


def owner(place: Place, name: str, named: str) -> str | None:
    """The id of the session that this file name and this header's id stand for; None when they do not agree."""
    stem = name[: -len(SUFFIX)]
    own = decode_id(stem)
    if own is not None and named in ("", own):
        return own
    if own is None and named and _file_of(named) == name:  # longer than a name: only the header tells it
        return named
    free = named in ("", stem) and is_plain(stem) and not os.path.lexists(place.path(file_name(stem)))
    return stem if free else None


def _file_of(named: str) -> str:
    try:
        return file_name(check_id(named))
    except ValueError:
        return ""


def _problem(
    kind: str,
    text: str,
    path: str,
    session_id: str,
    offset: int | None = None,
    advice: str = "",
    *,
    mendable: bool = False,
) -> Finding:
    return Finding(kind, text, path, session_id, offset, advice, problem=True, mendable=mendable)


def _delete(called: str) -> str:
    return f"`scratchy session delete {shell_id(called)}` moves it to the trash."


def _kept(saved: Saved) -> str:
    """`27 of 30 messages; gone: after message 4, bytes 5,000 to 9,096 …`"""
    of = f" of {saved.counted:,}" if saved.counted is not None else ""
    gone = [f"bytes {gap.start:,} to {gap.end:,} after message {gap.after:,}" for gap in saved.gaps[:5]]
    gone += [f"and {len(saved.gaps) - 5:,} more places"] if len(saved.gaps) > 5 else []
    noun = "message" if saved.kept == 1 and not of else "messages"
    return f"{saved.kept:,}{of} {noun}" + (f"; gone: {', '.join(gone)}" if gone else "")
