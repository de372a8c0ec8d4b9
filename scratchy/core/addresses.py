"""Addresses of servers, as text: a password in one is a key. Not here: whether it is an address, connecting."""

from urllib.parse import unquote


def passwords_in(address: str) -> tuple[str, ...]:
    """The password that it holds, as it is written and as it is meant; nothing where there is none."""
    password = _named(address)[1].partition(":")[2]
    return tuple(dict.fromkeys((password, unquote(password)))) if password else ()


def without_password(address: str) -> str:
    """As it may be shown: `http://…@host/v1`; the user's name goes too, which may be all the key there is."""
    scheme, user, rest = _named(address)
    return f"{scheme}…@{rest}" if user else address


def _named(address: str) -> tuple[str, str, str]:
    """`scheme://`, the user's name with the password, what stands behind their `@`; each may be empty."""
    scheme, slashes, rest = address.partition("://") if "://" in address else ("", "", address)
    end = next((at for at, char in enumerate(rest) if char in "/?#"), len(rest))
    user, _, host = rest[:end].rpartition("@")
    return scheme + slashes, user, host + rest[end:]
