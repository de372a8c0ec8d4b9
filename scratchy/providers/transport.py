"""HTTP to a model server: one connection pool a server, requests whose bodies are read bounded, retries.

Here, and for its own requests in tools/web.py, httpx's exceptions end. Not here: formats (wire), what an error body
means (failures), what is asked (the adapters).
"""

import asyncio
import os
import random
import re
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast
from urllib.parse import unquote
from urllib.request import getproxies, proxy_bypass

import httpx

from scratchy import http
from scratchy.core.errors import (
    BadRequestError,
    ConfigError,
    ProviderError,
    ProviderUnavailableError,
    RateLimitedError,
)
from scratchy.core.events import ProviderEvent, RetryScheduled
from scratchy.core.ports import Reply
from scratchy.providers.failures import Server, refused, span
from scratchy.providers.shapes import encode, parse
from scratchy.providers.wire import BODY_LIMIT, JSON_LIMIT, Decoder, Inflater, WireError

TRIES = 5
RETRY_SECONDS = 45.0  # no try starts later than that, so that with its connect timeout it ends within a minute
FIRST_DELAY = 0.5
PACE = 0.05  # seconds between two reads of a long stream that comes in drops: waking for each costs more than the text
_PACE_AFTER = 0.5  # seconds after which an answer is a long one
_DROP = 0.001  # a read that waited so long found nothing ready
_LONGEST_REASON = 120  # characters that are told at each try; the error at the end tells more
_ERROR_BODY_LIMIT = 64 * 2**10
_ERROR_BODY_SECONDS = 10.0
_HOST = re.compile(rb"[A-Za-z0-9._~-]+")  # as it goes to the resolver: what else stands there was escaped by httpx

Attempt = Callable[[], AsyncGenerator[ProviderEvent | Reply, None]]


class Answer:
    """The answer to one request, its body not read yet. `idle` is how long a silence may last, in seconds."""

    def __init__(self, response: httpx.Response, server: Server, idle: float) -> None:
        self._response = response
        self._server = server
        self._refusal: str | None = None
        self.idle = self._client_idle = idle
        self.status = response.status_code
        self.content_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()

    async def chunks(self, limit: int = BODY_LIMIT) -> AsyncGenerator[bytes, None]:
        """The body as it comes, inflated, in pieces. Raises: ProviderUnavailableError."""
        host = self._server.host
        size = 0
        clock = asyncio.get_running_loop().time
        started = clock()
        raw = cast("AsyncGenerator[bytes, None]", self._response.aiter_raw())
        try:
            inflater = Inflater(self._response.headers.get("content-encoding", ""))
            async with aclosing(raw):
                while True:
                    asked = clock()
                    received = await self._next(raw)
                    if received is None:
                        break
                    waited = clock() - asked
                    for piece in inflater.feed(received):
                        size += len(piece)
                        if size > limit:
                            raise WireError(f"more than {limit} bytes")
                        yield piece
                    if waited > _DROP and asked - started > _PACE_AFTER:
                        await asyncio.sleep(PACE)
        except (TimeoutError, httpx.TimeoutException):
            raise ProviderUnavailableError(f"{host} fell silent for {span(self.idle)}.") from None
        except httpx.HTTPError as error:
            raise ProviderUnavailableError(f"{host} cut the answer off ({_cause(error)}).") from error
        except WireError as error:
            raise unreadable(self._server, str(error)) from None

    async def _next(self, raw: AsyncGenerator[bytes, None]) -> bytes | None:
        if self.idle >= self._client_idle:  # the client's own timeout holds, and costs nothing where data lies ready
            return await anext(raw, None)
        async with asyncio.timeout(self.idle):
            return await anext(raw, None)

    async def decoded(self, decoder: Decoder) -> AsyncGenerator[str, None]:
        """The body's lines or events."""
        try:
            async with aclosing(self.chunks()) as chunks:
                async for chunk in chunks:
                    for item in decoder.feed(chunk):
                        yield item
            for item in decoder.end():
                yield item
        except WireError as error:
            raise unreadable(self._server, str(error)) from None

    async def body(self, limit: int = JSON_LIMIT) -> bytes:
        async with aclosing(self.chunks(limit)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    async def refusal(self) -> str:
        """The beginning of an error's body, as text; never raises for what the server does."""
        if self._refusal is None:
            self._refusal = ""
            read = bytearray()
            self.idle = min(self.idle, _ERROR_BODY_SECONDS)
            try:
                async with aclosing(self.chunks(_ERROR_BODY_LIMIT)) as chunks:
                    async for chunk in chunks:
                        read += chunk
            except ProviderError:
                pass  # what came before is all there is to say
            self._refusal = read.decode("utf-8", "replace")
        return self._refusal

    async def check(self, model: str) -> None:
        """Raises: the ProviderError that an answer other than 200 means."""
        if self.status == 200:
            if self.content_type == "text/html":
                raise BadRequestError(f"{self._server.host} answered with a web page: is the base URL an API's?")
            return
        location = self._response.headers.get("location")
        if 300 <= self.status < 400 and location:
            target = _host_of(location) or self._server.host
            raise BadRequestError(
                f"{self._server.host} redirects to {target} ({self.status}), and redirects are not followed "
                "with a conversation: set the base URL to where the API is."
            )
        wait = self._response.headers.get("retry-after")
        raise refused(self._server, self.status, await self.refusal(), model=model, retry_after=wait)


class Connection:
    """A server and its pooled connections. Clients belong to an event loop: a new loop gets a new one."""

    def __init__(
        self, base_url: str, *, key: str = "", key_variable: str = "", absent: str = "", idle: float = http.IDLE_SECONDS
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.server = Server(_checked_host(self.base_url), key, key_variable, absent)
        self._idle = idle
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @asynccontextmanager
    async def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> AsyncGenerator[Answer, None]:
        """Send and hand out the answer; leaving the block frees the connection. Raises: ProviderError."""
        response = await self._send(method, path, None if body is None else encode(body))
        try:
            yield Answer(response, self.server, self._idle)
        finally:
            await response.aclose()

    async def json(self, method: str, path: str, body: dict[str, Any] | None = None, *, model: str = "") -> Any:
        """One request, its answer parsed. Raises: ProviderError."""
        async with self.request(method, path, body) as answer:
            await answer.check(model)
            value = parse(await answer.body())
        if value is None:
            raise unreadable(self.server, "something that is not JSON")
        return value

    async def _send(self, method: str, path: str, content: bytes | None) -> httpx.Response:
        client = self._current()
        url = path if "://" in path else self.base_url + path
        headers = {"content-type": "application/json"} if content is not None else {}
        for stale in (True, False):
            try:
                request = client.build_request(method, url, content=content, headers=headers)
                return await client.send(request, stream=True)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError) as error:
                # A server may close a pooled connection that it announced to keep: ask once more, at once.
                if not stale:
                    raise self._unreachable(error) from error
            except httpx.LocalProtocolError as error:
                raise BadRequestError(f"The request to {self.server.host} cannot be sent ({_cause(error)}).") from error
            except httpx.HTTPError as error:
                raise self._unreachable(error) from error
        raise AssertionError("unreachable")

    def _current(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            headers = {"accept-encoding": "identity", "user-agent": "scratchy"}
            if self.server.key:
                headers["authorization"] = f"Bearer {self.server.key}"
            try:
                self._client = http.client(self.base_url, headers=headers, idle=self._idle)
            except (httpx.InvalidURL, ValueError, ImportError, OSError) as error:
                raise BadRequestError(f"The proxy or TLS settings cannot be used ({type(error).__name__}).") from error
            self._loop = loop
        return self._client

    def _unreachable(self, error: httpx.HTTPError) -> ProviderUnavailableError:
        host = self.server.host
        if isinstance(error, httpx.ConnectTimeout):
            return ProviderUnavailableError(f"{host} did not take the connection in time.")
        if isinstance(error, httpx.TimeoutException):
            return ProviderUnavailableError(f"{host} did not answer for {span(self._idle)}.")
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
            return ProviderUnavailableError(f"{host} closed the connection without an answer ({_cause(error)}).")
        proxy = _proxy_to(httpx.URL(self.base_url))
        through = f" through the proxy {proxy[0]}" if proxy else ""
        todo = f"{proxy[1]} names that proxy, NO_PROXY what is reached without one." if proxy else self.server.absent
        unavailable = ProviderUnavailableError(
            f"Cannot reach {host}{through}: {_cause(error).rstrip('.')}. {todo}".rstrip()
        )
        unavailable.retryable = not any(isinstance(one, ssl.SSLCertVerificationError) for one in _chain(error))
        return unavailable

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()


async def answers(base_url: str, seconds: float) -> bool:
    """Whether something takes a bare connection there within that time."""
    url = httpx.URL(base_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(url.host, port)
            writer.close()
            await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return True


async def with_retries(attempt: Attempt, *, tries: int = TRIES) -> AsyncGenerator[ProviderEvent | Reply, None]:
    """Run `attempt` until it comes to its Reply: again only before its first delta, and only where that may help.

    A Retry-After is honoured; one that is longer than we would wait is an error that tells it.
    """
    clock = asyncio.get_running_loop().time
    last_start = clock() + RETRY_SECONDS
    for count in range(1, tries + 1):
        shown = False
        try:
            async with aclosing(attempt()) as events:
                async for event in events:
                    shown = True
                    yield event
            return
        except ProviderError as error:
            delay = _delay(error, count)
            if shown or not error.retryable or count == tries or clock() + delay > last_start:
                raise
            reason = _shortened(str(error).partition(". ")[0].rstrip("."))  # what to do is for when no try is left
        yield RetryScheduled(reason, delay, count)
        await asyncio.sleep(delay)


def _shortened(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}…"


def _delay(error: ProviderError, count: int) -> float:
    if isinstance(error, RateLimitedError | ProviderUnavailableError) and error.retry_after is not None:
        return error.retry_after
    return FIRST_DELAY * 2 ** (count - 1) * random.uniform(0.8, 1.2)


def unreadable(server: Server, what: str) -> ProviderUnavailableError:
    """The server sent `what`, which no second try would mend."""
    error = ProviderUnavailableError(f"{server.host} sent {server.clean(what)}.")
    error.retryable = False
    return error


def _checked_host(base_url: str) -> str:
    """host[:port] of an http(s) URL. Raises: ConfigError."""
    try:
        url = httpx.URL(base_url)
        host = url.host
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: a name that IDNA does not know
        raise ConfigError(f"The base URL cannot be read ({error}).") from None
    if url.scheme not in ("http", "https") or not host:
        raise ConfigError("The base URL must begin with http:// or https:// and name a host.")
    port = 80 if url.port is None else url.port
    if not (":" in host or _HOST.fullmatch(url.raw_host)) or not 0 < port < 2**16:
        raise ConfigError(f"The base URL cannot be read ('{unquote(host)}', port {port}, is no server's address).")
    return _with_port(url)


def _proxy_to(url: httpx.URL) -> tuple[str, str] | None:
    """The proxy between us and there, as httpx takes it from the environment: its host, and the variable."""
    proxies = getproxies()
    kind = url.scheme if proxies.get(url.scheme) else "all"
    if not proxies.get(kind) or http.is_loopback(url.host) or proxy_bypass(url.host):
        return None
    proxy = proxies[kind]
    return _host_of(proxy if "://" in proxy else f"http://{proxy}"), f"{kind.upper()}_PROXY"


def _host_of(location: str) -> str:
    try:
        return _with_port(httpx.URL(location))
    except (httpx.InvalidURL, ValueError):
        return ""


def _with_port(url: httpx.URL) -> str:
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{host}:{url.port}" if url.port else host


def _cause(error: BaseException) -> str:
    """The system's own words below httpx's, which are often none."""
    for one in _chain(error):
        if isinstance(one, ssl.SSLError):
            return str(getattr(one, "verify_message", "") or one.reason or "TLS failed")
        if isinstance(one, OSError) and one.errno:  # asyncio's own words name the address once more
            return os.strerror(one.errno).lower() if one.errno > 0 else one.strerror or str(one)
    return str(error).rstrip(".") or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    pending: list[BaseException] = [error]
    seen: set[int] = set()
    while pending:
        one = pending.pop(0)
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, BaseExceptionGroup):
            pending.extend(one.exceptions)  # type: ignore[reportUnknownMemberType]
        pending.extend(linked for linked in (one.__cause__, one.__context__) if linked is not None)
