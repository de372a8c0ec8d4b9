"""A session's messages with the places of their bytes, read in pieces from any place on: what the index is made from.

Places are counted from the first message's, so that a new header moves none. Not here: the index.
"""

import os
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple
from zlib import crc32

from scratchy.core.errors import SessionError
from scratchy.core.messages import Message
from scratchy.core.stored import Header
from scratchy.store.disk import Disk
from scratchy.store.place import FOREIGN_MOST, Place, open_file, read_head
from scratchy.store.toonfile import DamageError, Head, decode_items, encode_items, item_end, item_starts

_PIECE = 1 << 18  # bytes read and decoded at once; more where one message is larger
_BEHIND = 4096  # so many bytes behind an item show that it ends there


class Item(NamedTuple):
    """`start` is -1 in a file of another form; `message` is None where the item cannot be read."""

    start: int
    size: int
    check: int
    message: Message | None


class Source:
    """One session's file, open for reading; closed by `close`. `head` is None in a file of another form, whose messages
    are in `foreign`. Raises SessionError and OSError."""

    def __init__(self, place: Place, path: str, session_id: str) -> None:
        self.disk: Disk = place.disk
        self.foreign: list[Message] = []
        self.handle = open_file(place.disk, path, session_id, os.O_RDONLY)
        try:
            self.size = os.fstat(self.handle).st_size
            self.head: Head | None = read_head(place.disk, self.handle)
            if self.head is None:
                if self.size > FOREIGN_MOST:
                    raise DamageError("it is too large to be read whole")
                content = place.read_stored(self.handle, session_id)
                self.header: Header = content.header
                self.foreign = content.messages
            else:
                self.header = self.head.header
        except DamageError as error:
            self.close()
            raise SessionError(session_id, error.reason) from None
        except BaseException:
            self.close()
            raise

    @property
    def total(self) -> int:
        return self.head.total if self.head is not None else len(self.foreign)

    @property
    def body(self) -> int:
        """Where the first message begins, in bytes from the start of the file."""
        return self.head.body if self.head is not None else 0

    def close(self) -> None:
        self.disk.close(self.handle)

    def check_of(self, start: int, size: int, check: int = 0) -> int:
        """The checksum of bytes, going on from `check`."""
        end = start + size
        while start < end:
            data = self.disk.read(self.handle, min(end - start, 1 << 20), self.body + start)
            if not data:
                return -1
            check = crc32(data, check)
            start += len(data)
        return check

    def item(self, number: int, start: int, size: int, check: int) -> Message | None:
        """The message there, if it still is the one that `check` tells."""
        if start < 0:
            message = self.foreign[number] if number < len(self.foreign) else None
            return message if message is not None and check_of_message(message) == check else None
        if size > self.size:
            return None
        data = self.disk.read(self.handle, size, self.body + start)
        if len(data) != size or crc32(data) != check:
            return None
        return _decoded(data, 1)[0]

    def pieces(self, number: int, start: int) -> Iterator[tuple[list[Item], bytes]]:
        """The items from `number` on, which begins at `start`, and their bytes. Ends where counted items end, or
        what is there is none."""
        if self.head is None:
            yield [Item(-1, 0, check_of_message(message), message) for message in self.foreign[number:]], b""
            return
        while number < self.total:
            data, bounds = self._piece(start, self.total - number)
            count = len(bounds) - 1
            if count <= 0:
                return
            whole = data[bounds[0] : bounds[-1]]
            messages = _decoded(whole, count)
            if None in messages:  # one of them is damaged: the others can be found
                messages = [_decoded(data[a:b], 1)[0] for a, b in pairwise(bounds)]
            yield (
                [
                    Item(start + a, b - a, crc32(data[a:b]), message)
                    for a, b, message in zip(bounds, bounds[1:], messages, strict=False)
                ],
                whole,
            )
            number, start = number + count, start + len(whole)

    def _piece(self, start: int, wanted: int) -> tuple[bytes, list[int]]:
        """Bytes from `start` on, and in them the bounds of the whole items, at most `wanted`."""
        size = _PIECE
        while True:
            data = self.disk.read(self.handle, size, self.body + start)
            starts = item_starts(data, 0, wanted)
            if len(starts) < wanted and len(starts) > 1 and len(data) == size:
                return data, starts  # the last one's end is not in it, and waits
            if starts and (len(data) < size or len(starts) == wanted):
                end = _end(data, starts[-1])
                if len(data) < size or (end and len(data) - end >= _BEHIND):
                    return data, [*starts, end] if end else starts
            if len(data) < size:
                return data, starts
            size *= 4


def _end(data: bytes, start: int) -> int:
    try:
        return item_end(data, start)
    except DamageError:
        return 0


def _decoded(data: bytes, count: int) -> list[Message | None]:
    try:
        return [*decode_items(data, count)]  # type: ignore[list-item]
    except DamageError:
        return [None] * count


def check_of_message(message: Message) -> int:
    return crc32(encode_items([message], strict=False))
