"""Fetching from a real server of our own: redirects, sizes, hostile pages, addresses that are refused."""

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from toolbench import call, failure, output

from scratchy.core.ports import Ask, Refuse, Run
from scratchy.permissions import Permissions
from scratchy.tools.toolset import Tools
from scratchy.tools.web import UrlFetch, WebSearch
from scratchy.tools.web_child import is_public, markdown

PAGES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/": (200, {"Content-Type": "text/html"}, b"<title>T</title><script>evil()</script><h2>Hi</h2><p>a <b>c</b></p>"),
    "/text": (200, {"Content-Type": "text/plain; charset=latin-1"}, b"gr\xfc\xdfe <b>"),
    "/deep": (200, {"Content-Type": "text/html"}, b"<div>" * 20_000 + b"bottom"),
    "/big": (200, {"Content-Type": "text/plain"}, b"x" * (4 << 20)),
    "/bomb": (200, {"Content-Type": "text/plain", "Content-Encoding": "gzip"}, gzip.compress(b"0" * (64 << 20))),
    "/twice": (200, {"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(b"0"))),
    "/image": (200, {"Content-Type": "image/png"}, b"\x89PNG"),
    "/missing": (404, {}, b""),
    "/there": (302, {"Location": "/text"}, b""),
    "/loop": (302, {"Location": "/loop"}, b""),
    "/metadata": (302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b""),
    "/mapped": (302, {"Location": "http://[::ffff:169.254.169.254]/"}, b""),
    "/file": (302, {"Location": "file:///etc/hostname"}, b""),
}


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        place = f"http://127.0.0.1:{self.server.server_address[1]}"
        pages = PAGES | {
            "/own": (302, {"Location": f"{place}/text"}, b""),
            "/host": (200, {"Content-Type": "text/plain"}, str(self.headers["Host"]).encode()),
        }
        status, headers, body = pages[self.path]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def make(*allowed: str) -> Tools:
    return Tools([WebSearch(), UrlFetch(allowed)], permissions=Permissions(Path("/")))


def test_a_page_becomes_markdown(port: int):
    tools = make(f"localhost:{port}")
    told = output(tools, "url_fetch", url=f"http://localhost:{port}/")
    assert "## Hi" in told and "a **c**" in told and "evil" not in told and "# T" in told
    assert output(tools, "url_fetch", url=f"http://localhost:{port}/text") == "grüße <b>"
    assert output(tools, "url_fetch", url=f"http://localhost:{port}/there") == "grüße <b>"
    assert output(tools, "url_fetch", url=f"http://localhost:{port}/host") == f"localhost:{port}"


def test_big_and_hostile_pages_are_bounded(port: int):
    tools = make(f"localhost:{port}")
    for page in ("big", "bomb"):
        assert "cut after" in output(tools, "url_fetch", url=f"http://localhost:{port}/{page}")
    assert "bottom" in output(tools, "url_fetch", url=f"http://localhost:{port}/deep")


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("missing", "answered 404"),
        ("image", "image/png, not text"),
        ("twice", "compressed more than once"),
        ("loop", "More than 6 redirects"),
        ("own", "127.0.0.1 belongs to this machine"),
        ("metadata", "169.254.169.254 belongs to this machine or to a private network"),
        ("mapped", "belongs to this machine or to a private network"),
        ("file", "not an http or https address"),
    ],
)
def test_what_is_refused_also_through_redirects(port: int, page: str, told: str):
    assert told in failure(make(f"localhost:{port}"), "url_fetch", url=f"http://localhost:{port}/{page}")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.1.2.3",
        "100.100.100.200",
    ],
)
def test_addresses_of_this_machine_and_private_networks_are_refused(port: int, host: str):
    assert "is refused" in failure(make(), "url_fetch", url=f"http://{host}:{port}/")


def test_wrapped_addresses_are_seen_through():
    for inside in (
        "fe80::1",
        "fc00::1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::7f00:1",
        "224.0.0.1",
        "fe80::1%eth0",
        "x",
    ):
        assert not is_public(inside), inside
    for outside in ("93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"):
        assert is_public(outside), outside


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/", "x", "http://", "http://u:p@x/", "http://x:99999/", "http://a b/"]
)
def test_what_is_no_web_address_is_refused_at_once(url: str):
    assert isinstance(make().check(call("url_fetch", url=url)), Refuse)


def test_asking_shows_the_address_and_always_covers_the_host():
    tools = make()
    asked = tools.check(call("url_fetch", url="https://example.com/a?b=c"))
    assert isinstance(asked, Ask) and "https://example.com/a?b=c" in asked.preview
    assert asked.scope == "this host: example.com"
    tools.remember(call("url_fetch", url="https://example.com/a?b=c"))
    assert isinstance(tools.check(call("url_fetch", url="https://EXAMPLE.com:443/other")), Run)
    others = {
        "http://example.com/": "http://example.com",
        "https://www.example.com/": "www.example.com",
        "https://example.com:8443/": "example.com:8443",
    }
    for other, shown in others.items():
        asked = tools.check(call("url_fetch", url=other))
        assert isinstance(asked, Ask) and asked.scope == f"this host: {shown}"
    asked = tools.check(call("web_search", query="x"))
    assert isinstance(asked, Ask) and "x" in asked.preview


def test_a_server_that_is_not_there_is_a_result(port: int):
    assert "cannot be reached" in failure(make("localhost:1"), "url_fetch", url="http://localhost:1/")
    assert "is not known" in failure(make(), "url_fetch", url="http://no-such-host.invalid/")


def test_a_search_that_cannot_reach_anything_is_a_result(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "DDGS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    told = failure(make(), "web_search", query="scratchy")
    assert told.startswith(("The web search failed", "Nothing was found", "No answer within"))


def test_pictures_inside_a_page_are_left_out():
    assert "base64" not in markdown("<p>x<img src='data:image/png;base64,AAAA'></p>")
