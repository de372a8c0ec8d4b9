"""Small pictures of every format that models take, made byte by byte: whole enough for whoever only reads headers."""

import struct
import zlib


def png(width: int = 640, height: int = 480, *, padding: int = 0) -> bytes:
    """A real one, of one colour; `padding`: so many bytes more."""
    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(height)), 1)
    pad = _chunk(b"prVt", bytes(padding)) if padding else b""
    start = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + pad + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def jpeg(width: int = 640, height: int = 480) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    parts = [(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"), (0xC0, frame), (0xDA, b"\x01\x01\x00\x00\x3f\x00")]
    segments = b"".join(b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data for marker, data in parts)
    return b"\xff\xd8" + segments + b"\x12\x34" + b"\xff\xd9"


def gif(width: int = 640, height: int = 480) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\0\0\0" + b"\x2c" + bytes(10) + b"\0;"


def webp(width: int = 640, height: int = 480, kind: bytes = b"VP8X") -> bytes:
    match kind:
        case b"VP8X":
            body = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        case b"VP8L":
            body = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(3)
        case _:
            body = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height)
    part = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(part) + 4) + b"WEBP" + part
