"""What a picture's own bytes tell: its format, its size in pixels, whether it is all there. Nothing is decoded.

PNG, JPEG, GIF and WebP, which are what models take. Not here: files, names, what is sent.
"""

import zlib
from collections.abc import Iterator
from typing import NamedTuple

_STARTS = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
_STANDALONE = {0x01, *range(0xD0, 0xD8)}  # JPEG markers without a length
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # SOF0 … SOF15
_PNG_SAMPLES = {2: 3, 4: 2, 6: 4}  # of a pixel, by the header's colour type; else one
_DEFLATE = 1032  # no byte of it can stand for more


class Picture(NamedTuple):
    """`kind` as in `image/<kind>`; sizes in pixels."""

    kind: str
    width: int
    height: int


def kind_of(data: bytes) -> str:
    """The format that the first bytes tell; empty when it is none of ours."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((kind for start, kind in _STARTS if data.startswith(start)), "")


def picture_of(data: bytes) -> Picture:
    """Raises: ValueError that completes "x is …": no picture of these formats, or one that is cut off or damaged."""
    kind = kind_of(data)
    if not kind:
        raise ValueError("no PNG, JPEG, GIF or WebP image")
    try:
        width, height = {"png": _png, "jpeg": _jpeg, "gif": _gif, "webp": _webp}[kind](data)
    except (IndexError, StopIteration, RuntimeError):
        raise ValueError(f"a {kind.upper()} image that is cut off") from None
    if not (width and height):
        raise ValueError(f"a damaged {kind.upper()} image (it tells no size)")
    return Picture(kind, width, height)


def _png(data: bytes) -> tuple[int, int]:
    at, packed, last = 8, 0, b""
    while last != b"IEND":
        length, last = _number(data, at, 4), data[at + 4 : at + 8]
        if at == 8 and (last != b"IHDR" or length != 13):
            raise ValueError("a damaged PNG image (its header does not add up)")
        end = at + 8 + length
        if last[:1].isupper() and zlib.crc32(data[at + 4 : end]) != _number(data, end, 4):  # what must be understood
            raise ValueError(f"a damaged PNG image (its {'header' if at == 8 else 'content'} does not add up)")
        packed += length if last == b"IDAT" else 0
        at = end + 4
    width, height = _number(data, 16, 4), _number(data, 20, 4)
    bits = max(data[24], 1) * _PNG_SAMPLES.get(data[25], 1)
    if width * height * bits // 8 > packed * _DEFLATE:
        raise ValueError(f"a damaged PNG image (it holds less than its {width}×{height} pixels)")
    return width, height


def _jpeg(data: bytes) -> tuple[int, int]:
    size = next(_jpeg_sizes(data))
    if data.rfind(b"\xff\xd9") < 0:
        raise IndexError
    return size


def _jpeg_sizes(data: bytes) -> Iterator[tuple[int, int]]:
    at = 2
    while True:
        while data[at] == 0xFF and data[at + 1] == 0xFF:  # padding
            at += 1
        if data[at] != 0xFF:
            raise ValueError("a damaged JPEG image (a marker is missing)")
        marker = data[at + 1]
        if marker in _STANDALONE:
            at += 2
            continue
        if marker in _FRAMES:
            yield _number(data, at + 7, 2), _number(data, at + 5, 2)
        if marker in (0xD9, 0xDA):  # the pixels begin, or the end: no frame was told
            raise ValueError("a damaged JPEG image (it tells no size)")
        at += 2 + max(_number(data, at + 2, 2), 2)


def _gif(data: bytes) -> tuple[int, int]:
    if not data.rstrip(b"\0").endswith(b";"):
        raise IndexError
    return _number(data[6:8][::-1], 0, 2), _number(data[8:10][::-1], 0, 2)


def _webp(data: bytes) -> tuple[int, int]:
    if int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise IndexError
    match data[12:16]:
        case b"VP8X":
            return 1 + _small(data, 24, 3), 1 + _small(data, 27, 3)
        case b"VP8L":
            packed = _small(data, 21, 4)
            return 1 + (packed & 0x3FFF), 1 + (packed >> 14 & 0x3FFF)
        case b"VP8 ":
            return _small(data, 26, 2) & 0x3FFF, _small(data, 28, 2) & 0x3FFF
        case _:
            raise ValueError("a damaged WEBP image (its first part is unknown)")


def _number(data: bytes, at: int, length: int) -> int:
    """Big-endian. Raises: IndexError beyond the end."""
    if at + length > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + length], "big")


def _small(data: bytes, at: int, length: int) -> int:
    """Little-endian, else as `_number`."""
    if at + length > len(data):
        raise IndexError
    return int.from_bytes(data[at : at + length], "little")
