"""Formats without sockets: bytes in, lines or SSE data out, all bounded. Not here: connections, errors for people.

Lines end at LF or CRLF and at nothing else: U+2028, U+0085, VT and FF are text, and stand inside of deltas.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

LINE_LIMIT = 4 * 2**20  # bytes of one line or one event; a tool call with a whole file in it fits
BODY_LIMIT = 64 * 2**20  # bytes of one answer, inflated
JSON_LIMIT = 8 * 2**20  # bytes of one document that is parsed at once: objects take some twenty times their text
_PIECE = 64 * 2**10


class WireError(ValueError):
    """The bytes are not what they were announced to be, or too many. The text completes "the server sent …"."""


class Decoder(Protocol):
    def feed(self, chunk: bytes) -> Iterator[str]: ...
    def end(self) -> Iterator[str]: ...


class Lines:
    """NDJSON and plain lines. `end` gives a last line that no newline closed."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._pending = bytearray()

    @property
    def is_empty(self) -> bool:
        """Whether no line is begun."""
        return not self._pending

    def feed(self, chunk: bytes) -> Iterator[str]:
        start = 0
        while (stop := chunk.find(b"\n", start)) >= 0:
            self._pending += chunk[start:stop]
            start = stop + 1
            yield self._take()
        self._pending += chunk[start:]
        if len(self._pending) > self._limit:
            raise WireError(f"a line of over {self._limit} bytes")

    def end(self) -> Iterator[str]:
        if self._pending:
            yield self._take()

    def _take(self) -> str:
        if len(self._pending) > self._limit:
            raise WireError(f"a line of over {self._limit} bytes")
        line = self._pending.removesuffix(b"\r").decode("utf-8", "replace")
        self._pending.clear()
        return line


class ServerSentEvents:
    """The `data` of each event; comments and other fields are dropped. `end` gives an unclosed last event."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._lines = Lines(limit)
        self._limit = limit
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[str]:
        if self._is_one_event(chunk):
            yield chunk[6:-2].decode("utf-8", "replace")
            return
        for line in self._lines.feed(chunk):
            yield from self._line(line)

    def _is_one_event(self, chunk: bytes) -> bool:
        """Servers send most events so, one a chunk: these need no look at each line."""
        end = len(chunk) - 2
        alone = self._lines.is_empty and not self._data and len(chunk) <= self._limit
        return (
            alone
            and chunk[:6] == b"data: "
            and chunk.find(b"\n") == end
            and chunk[end:] == b"\n\n"
            and b"\r" not in chunk
        )

    def end(self) -> Iterator[str]:
        for line in self._lines.end():
            yield from self._line(line)
        yield from self._line("")

    def _line(self, line: str) -> Iterator[str]:
        if line:
            field, _, value = line.partition(":")
            if field == "data":
                self._size += len(value) + 1
                if self._size > self._limit:
                    raise WireError(f"an event of over {self._limit} bytes")
                self._data.append(value.removeprefix(" "))
        elif self._data:
            event = "\n".join(self._data)
            self._data.clear()
            self._size = 0
            yield event


class Inflater:
    """Undoes Content-Encoding in small pieces. We ask for identity; some servers compress all the same."""

    def __init__(self, encoding: str) -> None:
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise WireError(f"the encoding {encoding[:40]!r}, which was not asked for")
        self._zlib = None if encoding in ("", "identity") else zlib.decompressobj(wbits=47)  # zlib's or gzip's header

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._zlib is None:
            yield data
            return
        while not self._zlib.eof:
            try:
                piece = self._zlib.decompress(data, _PIECE)
            except zlib.error as error:
                raise WireError(f"compressed bytes that do not unpack ({error})") from None
            data = self._zlib.unconsumed_tail
            if piece:
                yield piece
            if not data and len(piece) < _PIECE:
                return
