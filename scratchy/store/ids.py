"""Session ids and the file names that they become: a pure, injective function. No file is looked at here."""

import hashlib
import string

SUFFIX = "_chat.toon"
LONGEST = 200  # bytes of an encoded id; longer ones end in a hash and the file's header tells the rest

_LETTERS = string.ascii_lowercase + string.digits + "_-."
_SAFE = frozenset(_LETTERS.encode())
_PLAIN = frozenset(string.ascii_letters + string.digits + "_-. +=@,()[]")
_RESERVED = frozenset(["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))])
_HIDDEN = frozenset("\u00ad\u061c\u180e\ufeff") | {
    chr(code) for span in (range(0x200B, 0x2010), range(0x202A, 0x202F), range(0x2060, 0x2070)) for code in span
}


def check_id(session_id: object) -> str:
    """The id itself. Raises TypeError when it is no string, ValueError that names what is wrong with it."""
    if not isinstance(session_id, str):
        raise TypeError(f"A session id is a string, not {type(session_id).__name__}.")
    if not session_id:
        raise ValueError("A session id must not be empty.")
    if session_id.isascii() and session_id.isprintable() and len(session_id) <= 1000:
        return session_id
    for char in session_id:
        code = ord(char)
        if code < 0x20 or 0x7F <= code < 0xA0:
            name = "NUL" if code == 0 else f"the control character U+{code:04X}"
            raise ValueError(f"A session id must not contain {name}.")
        if 0xD800 <= code < 0xE000:
            raise ValueError(f"A session id must not contain a lone surrogate (U+{code:04X}).")
        if char in _HIDDEN:
            raise ValueError(f"A session id must not contain bidi or zero-width characters (U+{code:04X}).")
    if len(session_id.encode()) > 1000:
        raise ValueError("A session id must not be longer than 1,000 bytes.")
    return session_id


def encode_id(session_id: str) -> str:
    """The id as a part of file names: lower-case letters, digits and `_-.` stay, all else is `%XX`."""
    if _is_safe(session_id):
        return session_id
    raw = session_id.encode()
    parts = [chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in raw]
    if parts[0] == "." or session_id.split(".", 1)[0] in _RESERVED:
        parts[0] = f"%{raw[0]:02X}"
    encoded = "".join(parts)
    if len(encoded) <= LONGEST:
        return encoded
    kept = encoded[: LONGEST - 33]  # 33: `~`, which no other encoding has, and 128 bits in hex
    cut = kept.rfind("%", len(kept) - 2)
    return f"{kept[:cut] if cut >= 0 else kept}~{hashlib.sha256(raw).hexdigest()[:32]}"


def _is_safe(name: str) -> bool:
    """Whether an id is its own encoding. (What strips to nothing consists of those letters only.)"""
    return (
        not name.strip(_LETTERS)
        and 0 < len(name) <= LONGEST
        and name[0] != "."
        and name.split(".", 1)[0] not in _RESERVED
    )


def decode_id(encoded: str) -> str | None:
    """The id of an encoded name; None when no id encodes to it, or only the file's header can tell."""
    if _is_safe(encoded):
        return encoded
    out = bytearray()
    at = 0
    while at < len(encoded):
        if encoded[at] == "%":
            digits = encoded[at + 1 : at + 3]
            if len(digits) < 2 or not all(digit in "0123456789ABCDEF" for digit in digits):
                return None
            out.append(int(digits, 16))
            at += 3
        elif ord(encoded[at]) in _SAFE:
            out.append(ord(encoded[at]))
            at += 1
        else:
            return None
    try:
        session_id = out.decode()
        return session_id if encode_id(check_id(session_id)) == encoded else None
    except ValueError:
        return None


def is_plain(session_id: str) -> bool:
    """Whether the id is also tried as a file name as it is: older Scratchy wrote `MyProject_chat.toon`."""
    return (
        len(session_id) <= LONGEST
        and all(char in _PLAIN for char in session_id)
        and session_id[0] not in ". "
        and session_id.split(".", 1)[0].lower() not in _RESERVED
    )


def file_name(session_id: str) -> str:
    return encode_id(session_id) + SUFFIX


def shell_word(session_id: str) -> str:
    """The id as one word of a shell line."""
    return session_id if _is_safe(session_id) else "'" + session_id.replace("'", "'\\''") + "'"


def shell_id(session_id: str) -> str:
    """The same where a command takes an id: one that begins with a dash is no option."""
    return ("-- " if session_id.startswith("-") else "") + shell_word(session_id)
