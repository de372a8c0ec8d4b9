"""A program: fetches a page or asks the search engines, asked by one JSON object on stdin; the last line of its stdout
is `{"ok": bool, "text": str}`. Not here: whether it may (the person was asked before).

Request: `{"do": "fetch", "url", "allowed": ["host:port"]}` or `{"do": "search", "query"}`.
"""

import asyncio
import ipaddress
import json
import socket
import sys
from typing import Any

import httpx
from bs4 import BeautifulSoup
from ddgs import DDGS  # pyright: ignore[reportUnknownVariableType]
from ddgs.exceptions import DDGSException
from markdownify import MarkdownConverter

from scratchy import http

_MOST_BYTES = 3 << 20
_MOST_HOPS = 6
_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 15.0
_READ_SECONDS = 30.0
_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript", "application/x-yaml")
_NOISE = ["script", "style", "noscript", "template", "svg", "iframe", "title"]


class _Refused(Exception):
    """Its text is for the model."""


def main() -> int:
    request: dict[str, Any] = json.load(sys.stdin)
    try:
        text = _search(request["query"]) if request["do"] == "search" else asyncio.run(_fetch(request))
        answer = {"ok": True, "text": text}
    except _Refused as error:
        answer = {"ok": False, "text": str(error)}
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        answer = {"ok": False, "text": f"It could not be fetched: {type(error).__name__}: {error}"}
    except DDGSException as error:
        answer = {"ok": False, "text": f"The web search failed: {error}. Try again later, or other words."}
    print("\n" + json.dumps(answer))
    return 0


def _search(query: str) -> str:
    rows = DDGS(timeout=10).text(query, max_results=8)
    if not rows:
        raise _Refused("Nothing was found.")
    return "\n\n".join(f"{row.get('title', '')}\n{row.get('href', '')}\n{row.get('body', '')}" for row in rows)


async def _fetch(request: dict[str, Any]) -> str:
    url = httpx.URL(request["url"])
    for _ in range(_MOST_HOPS):
        answer = await _hop(url, frozenset(request["allowed"]))
        if isinstance(answer, str):
            return answer
        url = answer
    raise _Refused(f"More than {_MOST_HOPS} redirects.")


async def _hop(url: httpx.URL, allowed: frozenset[str]) -> str | httpx.URL:
    """The page's text, or where it sends us. The address that was checked is the one that is connected to."""
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise _Refused(f"{url} is not an http or https address that can be fetched.")
    problem: Exception | None = None
    for address in (await _addresses(url, allowed))[:3]:
        try:
            return await _get(url, address)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            problem = error
    raise _Refused(f"{url.host} cannot be reached: {problem}")


async def _addresses(url: httpx.URL, allowed: frozenset[str]) -> list[str]:
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _Refused(f"{url.host} is not known: {error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not is_public(address) and f"{url.host}:{port}" not in allowed:
            raise _Refused(f"{url} is refused: its address {address} belongs to this machine or to a private network.")
    return addresses


def is_public(address: str) -> bool:
    """An address of the open internet, also when it is wrapped in an IPv6 one (mapped, 6to4, Teredo, NAT64)."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if int(ip) >> 32 == 0:  # ::/96, once IPv4-compatible
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


async def _get(url: httpx.URL, address: str) -> str | httpx.URL:
    """One request to exactly this address; TLS and the server still see the name."""
    place = url.copy_with(host=address)
    headers = {"Host": url.netloc.decode("ascii"), "Accept": "text/html, text/*;q=0.9, */*;q=0.5"}
    headers |= {"User-Agent": "Mozilla/5.0 (compatible; Scratchy)", "Accept-Encoding": "gzip"}
    async with (
        asyncio.timeout(_READ_SECONDS),
        http.client(str(place.copy_with(path="/", query=None)), connect=_CONNECT_SECONDS, idle=_IDLE_SECONDS) as client,
        client.stream("GET", place, headers=headers, extensions={"sni_hostname": url.host}) as response,
    ):
        if response.is_redirect and "location" in response.headers:
            return url.join(response.headers["location"])
        if response.is_error:
            raise _Refused(f"{url} answered {response.status_code} {response.reason_phrase}.")
        kind = response.headers.get("content-type", "text/plain").partition(";")[0].strip().lower()
        if not kind.startswith(_TEXT_TYPES) and not kind.endswith(("+xml", "+json")):
            raise _Refused(f"{url} is {kind}, not text.")
        data, whole = await _body(response)
    text = data.decode(response.charset_encoding or _guess(data), "replace")
    page = markdown(text) if "html" in kind else text
    return page + ("" if whole else f"\n[cut after {_MOST_BYTES} bytes]")


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """At most `_MOST_BYTES`, and whether that is all. One layer of compression: a stack of them is a bomb."""
    if "," in response.headers.get("content-encoding", ""):
        raise _Refused("The page is compressed more than once.")
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            return b"".join(parts)[:_MOST_BYTES], False
    return b"".join(parts), True


def _guess(data: bytes) -> str:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut in two at the size limit is still UTF-8.
        return "utf-8" if error.start > len(data) - 4 else "latin-1"
    return "utf-8"


def markdown(html: str) -> str:
    """The page as Markdown; its bare text where it is nested too deep for that."""
    soup = BeautifulSoup(html, "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    for element in soup.find_all(_NOISE):
        element.decompose()
    for image in soup.find_all("img", src=lambda source: bool(source) and source.startswith("data:")):
        image.decompose()
    try:
        text = MarkdownConverter(heading_style="ATX").convert_soup(soup)
    except RecursionError:
        text = soup.get_text("\n")
    lines = [line.rstrip() for line in text.splitlines()]
    body = "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before).strip()
    return f"# {title}\n\n{body}" if title and title not in body[:500] else body


if __name__ == "__main__":
    sys.exit(main())
