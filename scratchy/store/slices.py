"""Parts of a session file, read without the rest: where a message begins, and messages as a stream of slices.

Not here: what an item looks like (toonfile.py), which file it is (place.py).
"""

from collections.abc import Iterator

from scratchy.core.messages import Message
from scratchy.store.disk import Disk
from scratchy.store.toonfile import DamageError, Head, decode_items, item_end, item_starts, last_items

_BACK = 1 << 16
_FORTH = 1 << 18


def read_slice(disk: Disk, handle: int, head: Head, span: tuple[int, int], end: int | None) -> list[Message]:
    """The messages `span[0]` to `span[1]`. `end`: of the last item, if known."""
    return [message for piece in slices(disk, handle, head, span, end) for message in piece]


def slices(disk: Disk, handle: int, head: Head, span: tuple[int, int], end: int | None) -> Iterator[list[Message]]:
    """The same, some at a time: no more of the file is in memory than those, however long it is."""
    first, last = span
    if first >= last:
        return
    at, size = item_at(disk, handle, head, first, end), _FORTH
    while first < last:
        data = disk.read(handle, size if end is None else min(size, end - at), at)
        ended = len(data) < size or (end is not None and at + len(data) == end)
        final = last == head.total
        starts = item_starts(data, 0, last - first + (not final))
        stop, count = starts[-1] if starts else 0, len(starts) - 1
        if final and len(starts) == last - first:
            behind = _end_in(data, stop, ended)
            if behind is not None and end is not None and behind != len(data):
                raise DamageError("its last message is cut off", end)
            stop, count = (stop, count) if behind is None else (behind, count + 1)
        if count > 0:
            yield decode_items(data[:stop], count, at)  # type: ignore[misc]
            at, first, size = at + stop, first + count, _FORTH
        elif ended or not starts or b"\0" in data:  # a page that was lost may go on for ever
            raise _missing(head, first + len(starts), at + len(data))
        else:
            size *= 4


def item_at(disk: Disk, handle: int, head: Head, index: int, end: int | None) -> int:
    """The offset where message `index` begins (for the total: where the last one ends), looked for from the nearer
    side. `end`: of the last item, if known."""
    if index == 0:
        return head.body
    if index == head.total:
        return end if end is not None else _end_of(disk, handle, head, _forward(disk, handle, head, index - 1))
    if end is not None and index > head.total // 2:
        return _backward(disk, handle, head, index, end)
    return _forward(disk, handle, head, index)


def _forward(disk: Disk, handle: int, head: Head, index: int) -> int:
    at, left, size = head.body, index, _FORTH
    while True:
        data = disk.read(handle, size, at)
        starts = item_starts(data, 0, left + 1)
        if len(starts) > left:
            return at + starts[left]
        if len(data) < size or not starts or (len(starts) == 1 and b"\0" in data):
            raise _missing(head, index - left + len(starts), at + len(data))
        if len(starts) > 1:
            at, left, size = at + starts[-1], left - len(starts) + 1, _FORTH
        else:
            size *= 4


def _backward(disk: Disk, handle: int, head: Head, index: int, end: int) -> int:
    left, size = head.total - index, _BACK
    while True:
        start = max(head.body - 1, end - size)  # the newline before the first item shows that it begins there
        data = disk.read(handle, end - start, start)
        starts = last_items(data, left)
        if len(starts) == left:
            return start + starts[0]
        if start == head.body - 1:
            raise _missing(head, head.total - index - left + len(starts), end)
        if starts:
            end, left, size = start + starts[0], left - len(starts), _BACK * 4
        else:
            size *= 4


def _end_of(disk: Disk, handle: int, head: Head, start: int) -> int:
    """The offset behind the item that begins at `start`, whatever follows it."""
    size = _FORTH
    while True:
        data = disk.read(handle, size, start)
        stop = _end_in(data, 0, len(data) < size)
        if stop is not None:
            return start + stop
        size *= 4


def _end_in(data: bytes, start: int, ended: bool) -> int | None:
    """`item_end`, or None when only more of the file can tell."""
    try:
        stop = item_end(data, start)
    except DamageError:
        if ended or b"\0" in data[start:]:
            raise
        return None
    return stop if ended or stop < len(data) else None


def _missing(head: Head, there: int, at: int) -> DamageError:
    return DamageError(f"{head.total} messages are counted, {there} are there", at)
