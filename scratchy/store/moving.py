"""A session under another id, and back from the trash: rename, fork, restore in a folder. Bodies are copied as bytes.

Not here: who may do it (files.py takes the locks), the trash's entries (trash.py).
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from scratchy.core.errors import SessionError
from scratchy.core.stored import Header, TrashEntry
from scratchy.store.disk import copy_all, naming, write_all
from scratchy.store.held import start_of
from scratchy.store.ids import encode_id, file_name
from scratchy.store.lock import Clean, Lock
from scratchy.store.place import Place, check_named, damaged, open_file, read_head, read_header
from scratchy.store.renaming import not_so_many, renamed, taken
from scratchy.store.slices import item_at, read_slice
from scratchy.store.toonfile import DamageError, OtherError, encode_items
from scratchy.store.trash import Trash, name_anew
from scratchy.store.writer import SessionFile


def rename(place: Place, trash: Trash, file: SessionFile, lock: Lock, new_id: str, reason: str) -> None:
    """The new name first, what lies beside it next, the old file to the trash last. Both ids' locks are held, `lock` is
    the new one's."""
    session_id = file.session_id
    file.append([])  # whole and as it is known here, should another program have changed it
    header = renamed(file.header, new_id)
    _appear(place, session_id, new_id, lambda temporary: file.write_copy(temporary, header))
    _known(place, lock, new_id, file.count)
    for name, shape in place.beside(session_id):
        place.disk.rename(place.path(name), place.path(shape.replace("\0", encode_id(new_id))))
    place.disk.sync_folder(place.folder)
    trash.move(file.path, session_id, reason, beside=False, note={"to": new_id})
    file.forget()


def fork(place: Place, session_id: str, header: Header, count: int | None, lock: Lock) -> None:
    """The new id's lock is held, it is `lock`; the source is only read."""
    source, new_id, copied = place.find(session_id), header.session_id, _Copied(0, False)

    def write(temporary: str) -> None:
        nonlocal copied
        copied = _copy(place, source, session_id, temporary, lambda _: header, count)

    _appear(place, new_id, new_id, write)
    if copied.sure:
        _known(place, lock, new_id, copied.total)


def restore(place: Place, trash: Trash, entry: TrashEntry, session_id: str, lock: Lock, reason: str) -> None:
    """The entry's file takes the session's place in one step; what stands there is in the trash by then, as `reason`.
    The session's lock is held."""
    source, temporary, clean = trash.file_of(entry.name), None, trash.clean_of(entry.name)
    file: SessionFile | None = lock.file
    copied = _Copied(0, False)
    if os.path.lexists(place.find(session_id)):
        _must_be_of(place, source, entry.session_id)
    if session_id != entry.session_id:
        temporary, clean = place.temporary(session_id), None
        with suppress(FileNotFoundError):
            place.disk.unlink(temporary)
        new = partial(Header._replace, session_id=session_id)
        copied = _copy(place, source, entry.session_id, temporary, new, None, trash.clean_of(entry.name))
    if file is not None and file.exists:
        with suppress(SessionError):  # another program overwrote it: what lies there goes to the trash
            file.append([])
    displaced, undo = _displace(place, trash, session_id, reason)
    try:
        place.disk.rename(temporary or source, place.path(file_name(session_id)))
    except OSError:
        if file is not None:
            file.doubt()
        undo()
        raise
    if file is not None:
        file.forget()
    if copied.sure:
        _known(place, lock, session_id, copied.total)
    elif clean is not None:
        lock.note(clean)
    trash.give_back(entry.name, entry.session_id, session_id, displaced)
    place.disk.sync_folder(place.folder)
    trash.drop(entry.name)


def _must_be_of(place: Place, path: str, session_id: str) -> None:
    """No session makes room for a file that is another's. One that cannot be read may be its own, damaged."""
    named = ""
    with suppress(SessionError):
        named = read_header(place.disk, path, session_id)[0].session_id
    if named not in ("", session_id):
        raise damaged(session_id, path, OtherError(named))


def _known(place: Place, lock: Lock, session_id: str, total: int) -> None:
    """A file that was just made whole: the next opening need not read all of it."""
    there = os.lstat(place.path(file_name(session_id)))
    lock.note(Clean(there.st_ino, there.st_size, total, there.st_mtime_ns))


def _displace(place: Place, trash: Trash, session_id: str, reason: str) -> tuple[str | None, Callable[[], None]]:
    """What stands in a session's place gets a name in the trash: the entry's name, and how to take that back. A file
    stays where it is until another takes its place; anything else moves."""
    path, target = place.find(session_id), place.path(file_name(session_id))
    if not os.path.lexists(path):
        return None, lambda: None
    if path == target and stat.S_ISREG(os.lstat(path).st_mode):
        name = trash.keep(path, session_id, reason)
        return name, lambda: trash.drop(name)
    entry = trash.move(path, session_id, reason, beside=False)

    def undo() -> None:
        with suppress(OSError):
            place.disk.rename(trash.file_of(entry.name), path)
            trash.drop(entry.name)

    return entry.name, undo


def _appear(place: Place, session_id: str, new_id: str, write: Callable[[str], None]) -> None:
    """What `write` writes to a file beside gets the new id's name, whole, in one step that replaces nothing."""
    disk, temporary = place.disk, place.temporary(session_id)  # what a kill leaves is removed when that id is opened
    with suppress(FileNotFoundError):
        disk.unlink(temporary)
    try:
        write(temporary)
        name_anew(disk, temporary, place.path(file_name(new_id)))
    except FileExistsError:
        raise taken(new_id) from None
    finally:
        with suppress(OSError):
            disk.unlink(temporary)
    disk.sync_folder(place.folder)


class _Copied(NamedTuple):
    """How many messages; `sure`: the source was known to be whole."""

    total: int
    sure: bool


def _copy(
    place: Place,
    source: str,
    session_id: str,
    target: str,
    make_header: Callable[[Header], Header],
    count: int | None,
    told: Clean | None = None,
) -> _Copied:
    """The first `count` messages of the file at `source` in a new file, synced. Raises as `open_file`; ValueError when
    there are fewer. `told`: where its last message ends, if that is known of it."""
    handle = open_file(place.disk, source, session_id, os.O_RDONLY)
    try:
        with naming(source):
            return _copy_from(place, handle, session_id, target, make_header, count, told)
    except DamageError as error:
        raise damaged(session_id, source, error) from None
    finally:
        place.disk.close(handle)


def _copy_from(
    place: Place,
    handle: int,
    session_id: str,
    target: str,
    make_header: Callable[[Header], Header],
    count: int | None,
    told: Clean | None = None,
) -> _Copied:
    disk, head, data, stop, end = place.disk, read_head(place.disk, handle), b"", 0, None
    if head is None:  # of another form
        content = place.read_stored(handle, session_id)
        old, total = content.header, _checked(session_id, count, len(content.messages))
        data = encode_items(content.messages[:total], strict=False)
    else:
        check_named(head.header, session_id)
        old, total = head.header, _checked(session_id, count, head.total)
        end = place.clean_end(handle, head, session_id, told)
        read_slice(disk, handle, head, (max(total - 1, 0), total), end)  # it decodes
        stop = item_at(disk, handle, head, total, end) - head.body
    made = disk.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        at = write_all(disk, made, start_of(make_header(old), total, place.now())[0] + data, 0)
        if head is not None:
            copy_all(disk, handle, made, head.body, stop, at)
        disk.sync(made)
    finally:
        disk.close(made)
    return _Copied(total, head is None or end is not None)


def _checked(session_id: str, count: int | None, total: int) -> int:
    if count is not None and not 0 <= count <= total:
        raise not_so_many(session_id, total, count)
    return total if count is None else count
