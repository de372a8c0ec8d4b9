"""The one place that makes httpx clients: TLS, proxies, timeouts, redirects. Not here: requests, errors for people."""

import ipaddress
import ssl
import sys
from collections.abc import Mapping

sys.modules.setdefault("httpx._main", None)  # pyright: ignore[reportArgumentType] - its command line brings click and rich
import httpx  # noqa: E402

CONNECT_SECONDS = 10.0
IDLE_SECONDS = 300.0  # a model may think that long without a byte; Ctrl-C ends every wait at once


def client(
    base_url: str,
    *,
    headers: Mapping[str, str] | None = None,
    connect: float = CONNECT_SECONDS,
    idle: float = IDLE_SECONDS,
) -> httpx.AsyncClient:
    """An AsyncClient for one server; `connect` and `idle` (between bytes) in seconds.

    Redirects are never followed: a key or a conversation goes to the host that was named and to no other. Proxies and
    SSL_CERT_FILE are taken from the environment, but a loopback address is always reached directly. The TLS context,
    which costs more than a local request, is made for https only.
    Raises: httpx.InvalidURL, ValueError, ImportError or OSError where address, proxy or TLS settings are unusable.
    """
    url = httpx.URL(base_url)
    verify: ssl.SSLContext | bool = httpx.create_ssl_context() if url.scheme == "https" else False
    return httpx.AsyncClient(
        base_url=url,
        headers=headers,
        verify=verify,
        trust_env=not is_loopback(url.host),
        follow_redirects=False,
        timeout=httpx.Timeout(idle, connect=connect, pool=None),
        limits=httpx.Limits(max_keepalive_connections=8, keepalive_expiry=60.0),
    )


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address, IPv6 without brackets) is this machine by its spelling alone."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
