"""The trash: `.trash/<time>-<encoded id>/` holds what was deleted, cleared or replaced, and a note why and when.

An entry exists once its session file is in it. Nothing empties by itself.
"""

import errno
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, cast

from scratchy.core.errors import SessionError, SessionNotFoundError
from scratchy.core.stored import TrashEntry
from scratchy.store.disk import Disk, copy_all, write_all
from scratchy.store.ids import SUFFIX, check_id, decode_id, encode_id
from scratchy.store.lock import Clean, look
from scratchy.store.place import LISTED_MOST, Place, read_header

FOLDER = ".trash"
NOTE = "note.json"

_STAMP = "%Y%m%dT%H%M%S.%f"
_NO_LINKS = (errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EXDEV, errno.EACCES)


class Trash:
    def __init__(self, place: Place) -> None:
        self._place = place
        self._disk = place.disk
        self.folder = place.path(FOLDER)

    def keep(self, path: str, session_id: str, reason: str, name: str | None = None) -> str:
        """A second name for the file at `path`, before another takes its place; the name of the entry (`name`: the one
        that `next_name` told)."""
        name = self._new(session_id, reason, name=name)
        entry = os.path.join(self.folder, name)
        try:
            link_or_copy(self._disk, path, os.path.join(entry, os.path.basename(path)))
            self._disk.sync_folder(entry)
        except OSError:
            self.drop(name)
            raise
        return name

    def move(
        self, path: str, session_id: str, reason: str, beside: bool = True, note: Mapping[str, str] | None = None
    ) -> TrashEntry:
        """Whatever stands at `path`, by rename: the session first, then what lies beside it. `note`: more to note."""
        name = self._new(session_id, reason, note or {})
        entry = os.path.join(self.folder, name)
        try:
            self._disk.rename(path, os.path.join(entry, os.path.basename(path)))
        except OSError:  # of anything else (Ctrl-C) nobody knows whether the session is in the entry already
            self.drop(name)
            raise
        if beside:
            self.add(name, session_id)
        self._disk.sync_folder(entry)
        self._disk.sync_folder(self._place.folder)
        found = self._read(name)
        if found is None:
            raise SessionNotFoundError(session_id, f"The trash entry {name} vanished.")
        return found

    def add(self, name: str, session_id: str, older: bool = False) -> None:
        """What still lies beside a deleted session follows it. `older`: only what was written before it went."""
        entry = os.path.join(self.folder, name)
        went = os.stat(os.path.join(entry, NOTE)).st_mtime_ns if older else None
        for stray, _ in self._place.beside(session_id):
            path = self._place.path(stray)
            if went is None or os.lstat(path).st_mtime_ns <= went:
                self._disk.rename(path, os.path.join(entry, stray))

    def give_back(self, name: str, session_id: str, new_id: str, displaced: str | None) -> None:
        """What lay beside the session lies beside it again, under its new id. What is in its place there goes into the
        entry `displaced`; what is not stays beside whatever version of the session is current."""
        entry = os.path.join(self.folder, name)
        for stray, shape in self._place.beside(session_id, entry):
            target = self._place.path(shape.replace("\0", encode_id(new_id)))
            if displaced is not None and os.path.lexists(target):
                self._disk.rename(target, os.path.join(self.folder, displaced, os.path.basename(target)))
            self._disk.rename(os.path.join(entry, stray), target)

    def purge(self, name: str) -> None:
        """Gone for good, the session's file last: until then it is an entry. Raises SessionNotFoundError, OSError."""
        session_file = self.file_of(name)
        entry = os.path.join(self.folder, name)
        inside = [os.path.join(entry, stray) for stray in os.listdir(entry) if stray != NOTE]
        for path in sorted(inside, key=lambda path: path == session_file):
            self._remove(path)
        with suppress(FileNotFoundError):
            self._disk.unlink(os.path.join(entry, NOTE))
        self._disk.remove_folder(entry)
        self._disk.sync_folder(self.folder)

    def _remove(self, path: str) -> None:
        """A file, or a folder that stood in a session's place, with what is in it."""
        if os.path.isdir(path) and not os.path.islink(path):
            for inside in os.listdir(path):
                self._remove(os.path.join(path, inside))
            self._disk.remove_folder(path)
        else:
            self._disk.unlink(path)

    def drop(self, name: str) -> None:
        """Take an entry back that its maker could not finish, as far as that goes."""
        entry = os.path.join(self.folder, name)
        with suppress(OSError):
            for inside in os.listdir(entry):
                self._disk.unlink(os.path.join(entry, inside))
            self._disk.remove_folder(entry)

    def entries(self) -> list[TrashEntry]:
        """Newest first."""
        found = [self._read(name) for name in sorted(self._names(), reverse=True)]
        return [entry for entry in found if entry is not None]

    def file_of(self, name: str) -> str:
        """The session file of an entry. Raises SessionNotFoundError."""
        entry = os.path.join(self.folder, name)
        with suppress(OSError):
            if name in self._names():
                for inside in os.listdir(entry):
                    if inside.endswith(SUFFIX):
                        return os.path.join(entry, inside)
        raise SessionNotFoundError(name, f"The trash has no entry '{name}'.")

    def find(self, name: str) -> TrashEntry:
        self.file_of(name)
        entry = self._read(name)
        if entry is None:
            raise SessionNotFoundError(name, f"The trash has no entry '{name}'.")
        return entry

    def _names(self) -> list[str]:
        """The folders in it. Where a link leads nothing is ours: neither is it looked at nor removed."""
        try:
            self._must_be_ours()
            with os.scandir(self.folder) as entries:
                return [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                raise
            return []

    def _must_be_ours(self) -> None:
        if stat.S_ISLNK(os.lstat(self.folder).st_mode):
            raise OSError(errno.ELOOP, "The trash is a link; nothing is moved where it leads", self.folder)

    def next_name(self, session_id: str) -> str:
        """The name of the session's next entry, while its lock is held. Later ones sort later, whatever the clock
        does."""
        encoded = encode_id(session_id)
        name = f"{_compact(self._place.now())}-{encoded}"
        newest = max((name for name in self._names() if name.partition("-")[2] == encoded), default="")
        return f"{_after(newest)}-{encoded}" if newest >= name else name

    def _new(self, session_id: str, reason: str, more: Mapping[str, str] | None = None, name: str | None = None) -> str:
        """An empty entry with its note."""
        when, name = self._place.now(), name or self.next_name(session_id)
        entry = os.path.join(self.folder, name)
        self._disk.make_folder(self.folder)
        self._must_be_ours()
        self._disk.make_folder(entry)
        try:
            clean = look(self._place.lock_path(session_id))[1]
            known = {"id": session_id, "when": when, "reason": reason} | ({"clean": clean} if clean else {})
            note = json.dumps({**(more or {}), **known}).encode()
            handle = self._disk.open(os.path.join(entry, NOTE), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
            try:
                write_all(self._disk, handle, note, 0)
                self._disk.sync(handle)
            finally:
                self._disk.close(handle)
            self._disk.sync_folder(entry)
            self._disk.sync_folder(self.folder)
        except OSError:
            self.drop(name)
            raise
        return name

    def _read(self, name: str) -> TrashEntry | None:
        try:
            path = self.file_of(name)
        except SessionError:
            return None
        note = {key: value for key, value in self._note(name).items() if isinstance(value, str)}
        session_id = _id_of(name, note.pop("id", ""))
        count = 0
        with suppress(OSError, SessionError):
            count = read_header(self._disk, path, session_id, LISTED_MOST)[1]
        when, reason = note.pop("when", ""), note.pop("reason", "")
        return TrashEntry(name, session_id, when, reason, count, _size(os.path.dirname(path)), note)

    def clean_of(self, name: str) -> Clean | None:
        """Where the entry's file ended when it went, if that was known: it needs no reading when it comes back."""
        numbers = self._note(name).get("clean")
        numbers = cast("list[Any]", numbers) if isinstance(numbers, list) else []
        return Clean(*numbers) if len(numbers) == 4 and all(type(number) is int for number in numbers) else None

    def _note(self, name: str) -> dict[str, Any]:
        try:
            handle = self._disk.open(os.path.join(self.folder, name, NOTE), os.O_RDONLY)
        except OSError:
            return {}
        try:
            note: Any = json.loads(self._disk.read(handle, 1 << 16, 0))
        except (OSError, ValueError, RecursionError):
            return {}
        finally:
            self._disk.close(handle)
        return cast("dict[str, Any]", note) if isinstance(note, dict) else {}


def _id_of(name: str, noted: str) -> str:
    """Whose the entry is: its name says it, and a long id, of which a name has a part only, is noted."""
    encoded = name.partition("-")[2]
    with suppress(ValueError):
        if encode_id(check_id(noted)) == encoded:
            return noted
    return decode_id(encoded) or name


def name_anew(disk: Disk, source: str, target: str) -> None:
    """`target` becomes the name of what `source` names, which may keep its own. Raises FileExistsError: it is taken."""
    try:
        disk.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        disk.rename(source, target)


def link_or_copy(disk: Disk, source: str, target: str) -> None:
    """A second name for `source`, or where the file system has none, a synced copy, which appears whole."""
    try:
        disk.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        copy_file(disk, source, target + ".part")
        disk.rename(target + ".part", target)


def copy_file(disk: Disk, source: str, target: str) -> None:
    read = disk.open(source, os.O_RDONLY)
    try:
        write = disk.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            copy_all(disk, read, write, 0, os.fstat(read).st_size, 0)
            disk.sync(write)
        finally:
            disk.close(write)
    finally:
        disk.close(read)


def _size(folder: str) -> int:
    """Bytes of all that is in it."""
    total = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            inside = entry.is_dir(follow_symlinks=False)
            total += _size(entry.path) if inside else entry.stat(follow_symlinks=False).st_size
    return total


def _compact(when: str) -> str:
    return when.replace("-", "").replace(":", "")


def _after(newest: str) -> str:
    """The time of an entry's name, and a millisecond."""
    stamp = newest.partition("-")[0]
    try:
        later = datetime.strptime(stamp.removesuffix("Z"), _STAMP) + timedelta(milliseconds=1)
    except (ValueError, OverflowError):
        return stamp + "0"
    return _compact(later.isoformat(timespec="milliseconds")) + "Z"
