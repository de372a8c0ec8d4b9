"""A session's file that was copied here: verified whole once, by the first opening for writing."""

import errno
import os
import shutil

import pytest
from store_kit import BASE, NEXT, opened_and_strict, save

from scratchy.core.errors import SessionCorruptedError
from scratchy.store.disk import Disk
from scratchy.store.files import FileStore


class Counting(Disk):
    def __init__(self) -> None:
        self.bytes = 0

    def read(self, handle: int, size: int, offset: int) -> bytes:
        data = super().read(handle, size, offset)
        self.bytes += len(data)
        return data


class Unsure(Disk):
    fails = True

    def sync(self, handle: int) -> None:
        if self.fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(handle)


def test_a_file_that_was_copied_in_is_read_whole_by_the_first_opening_only(tmp_path):
    there, disk = FileStore(tmp_path / "there"), Counting()
    save(there, "x", BASE * 2_000)
    here = FileStore(tmp_path / "here", disk=disk)
    (tmp_path / "here").mkdir()
    path = shutil.copy(tmp_path / "there" / "x_chat.toon", tmp_path / "here")
    size, writer = os.stat(path).st_size, here.last_writer("x")
    here.open("x").close()
    first, disk.bytes = disk.bytes, 0
    here.open("x").close()
    assert first >= size > 4 * disk.bytes and here.last_writer("x") == writer
    with open(path, "r+b") as file:  # changed by another program since
        file.seek(size // 2)
        file.write(b"\0")
    os.utime(path, ns=(1, 1))
    with pytest.raises(SessionCorruptedError):
        here.open("x")


def test_a_copied_file_whose_sync_fails_is_opened_and_not_believed(tmp_path):
    save(FileStore(tmp_path / "there"), "x", BASE)
    disk = Unsure()
    (tmp_path / "here").mkdir()
    path = shutil.copy(tmp_path / "there" / "x_chat.toon", tmp_path / "here")
    store, inode = FileStore(tmp_path / "here", disk=disk), os.stat(path).st_ino
    writer = store.open("x")
    disk.fails = False
    writer.append([NEXT])
    writer.close()
    assert os.stat(path).st_ino != inode and opened_and_strict(tmp_path / "here") == [*BASE, NEXT]
