"""The tools that reach the web. They only ask and report: fetching, searching and turning a page into Markdown happen
in a child process (web_child.py). So the heavy libraries cost no start-up, and whatever a page does to their parsers
(depth, size, time) ends with the child.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import urlsplit

from scratchy.core.messages import ToolSpec
from scratchy.core.ports import Effect, ToolError, ToolResult
from scratchy.tools.process import finished, python_job
from scratchy.tools.specs import spec, text

_FETCH_SECONDS = 45.0
_SEARCH_SECONDS = 30.0
_MOST_OUTPUT = 16 << 20


class WebSearch:
    spec: ToolSpec = spec(
        "web_search",
        "Search the web; titles, addresses and a few words of each result.",
        ("query",),
        query=text(),
    )

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        query = arguments["query"]
        return Effect(query, f"send to web search engines:\n{query}", "this search", query, kind="reads")

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        if not arguments["query"].strip():
            raise ToolError("The query is empty.")
        yield await _asked({"do": "search", "query": arguments["query"]}, _SEARCH_SECONDS)


class UrlFetch:
    """`allowed`: `host:port` pairs that may be reached although they are private (a test's own server)."""

    spec: ToolSpec = spec(
        "url_fetch",
        "Fetch a web page (http or https) as Markdown. Addresses of this machine and of private networks are refused.",
        ("url",),
        url=text(),
    )

    def __init__(self, allowed: tuple[str, ...] = ()) -> None:
        self._allowed = allowed

    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        url = arguments["url"]
        place = _place(url)
        return Effect(url, f"fetch {url}", f"this host: {_shown(place)}", place, kind="reads")

    async def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        yield await _asked({"do": "fetch", "url": arguments["url"], "allowed": self._allowed}, _FETCH_SECONDS)


def _place(url: str) -> str:
    """Scheme, host and port. Raises: ToolError for what is no web address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ToolError(f"{url!r} is not an address: {error}") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ToolError(f"{url!r} is not an http or https address.")
    if parts.username or parts.password:
        raise ToolError("Addresses with a user name or password in them are not fetched.")
    if any(ord(character) <= 32 or ord(character) == 127 for character in url) or "\\" in url:
        raise ToolError(f"{url!r} holds characters that no address has.")
    return f"{parts.scheme}://{host}:{port or (443 if parts.scheme == 'https' else 80)}"


def _shown(place: str) -> str:
    """For people: the scheme only where it is not https, the port only where it is not the scheme's own."""
    scheme, _, rest = place.partition("://")
    return rest.removesuffix(":443") if scheme == "https" else place.removesuffix(":80")


async def _asked(request: Mapping[str, Any], seconds: float) -> ToolResult:
    ended = await finished(python_job("scratchy.tools.web_child", request, seconds, _MOST_OUTPUT))
    if ended.why == "timeout":
        return ToolResult(f"No answer within {seconds:g} seconds.", is_error=True)
    last = ended.output.rstrip("\n").rpartition("\n")[2]
    try:
        answer: Any = json.loads(last)
        return ToolResult(str(answer["text"]), is_error=not answer["ok"])
    except (ValueError, TypeError, KeyError):
        return ToolResult(f"It failed: {last[:500] or f'exit code {ended.code}'}", is_error=True)
