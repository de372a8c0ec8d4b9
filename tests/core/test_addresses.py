"""Addresses as text: where a password is in one, and what may be shown."""

import pytest

from scratchy.core.addresses import passwords_in, without_password


@pytest.mark.parametrize(
    ("address", "passwords", "shown"),
    [
        ("http://host:8080/v1", (), "http://host:8080/v1"),
        ("http://me:PASSWORDX@host/v1", ("PASSWORDX",), "http://…@host/v1"),
        ("me:p%40ss@[::1]:80", ("p%40ss", "p@ss"), "…@[::1]:80"),
        ("http://me:one@two@host", ("one@two",), "http://…@host"),
        ("http://me@host/@org?a=b:c@d", (), "http://…@host/@org?a=b:c@d"),
        ("http://host/@org:name@x", (), "http://host/@org:name@x"),
        ("http://me:pw@[bad", ("pw",), "http://…@[bad"),
        ("", (), ""),
    ],
)
def test_a_password_is_found_and_not_shown(address, passwords, shown):
    assert passwords_in(address) == passwords and without_password(address) == shown
