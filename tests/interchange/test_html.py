"""The HTML export is safe to open: whatever a model or a tool wrote, nothing runs, loads or hides."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scratchy import MemoryStore, Scratchpad, SessionManager
from scratchy.core.stored import Header

HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</pre></details><iframe src=//evil>", "&lt;b&gt;",
    "javascript:alert(1)", "<!--", "]]>", "</title><svg onload=x>", "\x1b]52;c;aGk=\x07", "a\0b", "\u202egnp.exe",
    "' onfocus='x", "<meta http-equiv=refresh content=0>", "</style><style>*{display:none}", "<base href=//evil>",
]  # fmt: skip
TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "article", "small", "pre", "details", "summary",
    "img",
}  # fmt: skip
ATTRIBUTES = {"lang", "charset", "http-equiv", "content", "name", "class", "dir", "alt", "src"}


class Page(HTMLParser):
    """What a browser would find: tags, attributes, text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.comments = 0
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments += 1


def page_of(sm: SessionManager, session_id: str, folder: Path) -> tuple[str, Page]:
    path = folder / "x.html"
    path.unlink(missing_ok=True)
    sm.export_session(session_id, path)
    text = path.read_text()
    return text, Page(text)


def check(text: str, page: Page) -> None:
    assert set(page.tags) <= TAGS and page.open == [] and page.comments == 0
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    assert all(value.startswith("data:image/") for name, value in page.attributes if name == "src")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def conversation(words: str) -> list[dict]:
    call = {"id": words, "type": "function", "function": {"name": words, "arguments": words}}
    return [
        {"role": "system", "content": words, "ts": words},
        {"role": words or "user", "content": words},
        {
            "role": "user",
            "content": [{"type": "text", "text": words}, {"type": "image_url", "image_url": {"url": words}}],
        },
        {"role": "assistant", "content": words, "tool_calls": [call], "ts": words},
        {"role": "tool", "name": words, "tool_call_id": words, "content": words, "is_error": True},
    ]


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_are_shown_not_obeyed(tmp_path, words):
    sm = SessionManager(store=MemoryStore())
    created = "2026-01-01T00:00:00.000Z"
    writer = sm.store.open("one", create=Header("one", words, created, words, {"folder": words}))
    writer.append(conversation(words))
    writer.close()
    text, page = page_of(sm, "one", tmp_path)
    check(text, page)
    if words.isprintable():
        assert page.text.count(words) >= 8 or "\u202e" in words
    assert page.tags.count("img") == 0


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(words=st.text(st.characters() | st.sampled_from("<>&\"'=/ -!"), max_size=40))
def test_any_words_are_shown_not_obeyed(tmp_path, words):
    sm = SessionManager(store=MemoryStore())
    sm.save_session("one", conversation(words))
    check(*page_of(sm, "one", tmp_path))


def test_the_page_stands_alone_and_says_so_to_the_browser(tmp_path):
    sm = SessionManager(store=MemoryStore())
    sm.save_session("one", conversation("Hi"))
    text, page = page_of(sm, "one", tmp_path)
    assert "default-src 'none'" in text and "script" not in text and "http://" not in text and "https://" not in text
    assert page.tags.count("details") == 2 and "color-scheme: light dark" in text


def test_pictures_in_the_file_are_shown_others_only_named(tmp_path):
    sm = SessionManager(store=MemoryStore())
    urls = [
        "data:image/png;base64,aGk=",
        "data:image/svg+xml;base64,aGk=",
        "http://evil.example/x.png",
        "data:text/html,x",
    ]
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    sm.save_session("one", [{"role": "user", "content": parts}])
    text, page = page_of(sm, "one", tmp_path)
    check(text, page)
    assert [value for name, value in page.attributes if name == "src"] == urls[:1]
    assert "http://evil.example/x.png" in page.text


def test_blobs_are_folded_at_the_end(tmp_path):
    sm = SessionManager(tmp_path / "s")
    pad = Scratchpad(tmp_path / "s" / ".blobs")
    text = "<b>" + "long line\n" * 3000
    reference = pad.maybe_store("execute_command", text)
    binary = pad.keep(b"\xff\xfe<b>", "edit_file")
    pad.maybe_store("execute_command", "nobody refers to this\n" * 3000)
    sm.save_session("one", [{"role": "tool", "content": reference}, {"role": "user", "content": binary}])
    shown, page = page_of(sm, "one", tmp_path)
    check(shown, page)
    assert text in page.text and "5 bytes that are no text" in page.text and "nobody refers" not in page.text
