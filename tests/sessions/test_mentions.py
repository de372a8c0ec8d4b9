"""What a line's mentions send, and what the person is told."""

import asyncio
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scratchy.core.messages import Attachment
from scratchy.core.stored import Header
from scratchy.scratchpad import Scratchpad
from scratchy.sessions.conversation import Attached
from scratchy.sessions.mentions import MOST_FILE, MOST_LINE, Mentions, recent_mentions
from scratchy.sessions.quoting import MOST, Quotes
from scratchy.store.memory import MemoryStore

START = "2026-11-20T09:00:29.483Z"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


HEADER = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
PIXEL = b"\x89PNG\r\n\x1a\n" + HEADER + _chunk(b"IDAT", zlib.compress(b"\0\0\0\0")) + _chunk(b"IEND", b"")


class Bench:
    """A working folder and a store with other sessions."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.work.mkdir()
        self.store = MemoryStore()
        self.facts: dict[str, Any] = {"endpoint": "here", "folder": str(self.work)}
        self.pad = Scratchpad(folder / "pad")
        self.mentions = Mentions(self.work, [], self.pad, Quotes(self.store, "this", lambda: self.facts).quote)

    def save(self, session_id: str, *texts: str, title: str | None = None, **metadata: Any) -> None:
        header = Header(session_id, START, START, title, {**self.facts, **metadata})
        writer = self.store.open(session_id, create=header)
        writer.append([{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)])
        writer.close()

    def attach(self, line: str) -> Attached:
        return asyncio.run(self.mentions.attach(line))

    def texts(self, line: str) -> Mapping[str, str]:
        return {one["name"]: one["text"] for one in self.attach(line).texts}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_files_and_folders_come_along_once(bench: Bench) -> None:
    (bench.work / "notes.md").write_text("hello\n")
    (bench.work / "a b.txt").write_text("blank")
    (bench.work / "src").mkdir()
    (bench.work / "src" / "x.py").write_text("")
    attached = bench.attach('@notes.md, @./notes.md and @"a b.txt" in @src/ (@notes.md)')
    assert attached.texts == [
        {"name": "@notes.md", "text": "hello\n"},
        {"name": "@a b.txt", "text": "blank"},
        {"name": "@src/", "text": "x.py"},
    ]
    assert attached.notices == ["@notes.md attached (6 bytes) · @a b.txt attached (5 bytes) · @src/ attached (1 entry)"]


def test_what_is_no_mention_sends_and_says_nothing(bench: Bench) -> None:
    for line in ("", "no", "user@example.com", "@decorator", "@TODO: x", "@app.get('/x')", "see @ 5", "@dataclass(x)"):
        assert bench.attach(line) == Attached() or not bench.attach(line).notices, line
    assert bench.attach("@notes.md").notices == ["@notes.md: there is no such file here."]
    assert bench.attach("pasted\n@notes.md").notices == []


def test_what_is_not_attached_is_said_with_the_way_out(bench: Bench, tmp_path: Path) -> None:
    (bench.work / ".env").write_text("KEY=1")
    (tmp_path / "out.txt").write_text("x")
    (bench.work / "blob").write_bytes(b"\0\1")
    attached = bench.attach("@.env @../out.txt @blob")
    assert [one["name"] for one in attached.texts] == ["@blob"] and "2 bytes" in attached.texts[0]["text"]
    assert attached.notices == [
        "@blob attached (its name and size only: binary, 2 bytes)",
        "@.env may hold keys and was not attached; the model may ask to read it.",
        "@../out.txt lies outside this folder and was not attached; the model may ask to read it.",
    ]


def test_names_that_hide_are_shown_escaped(bench: Bench) -> None:
    (bench.work / "a\x1b[2J\n.txt").write_text("x")
    attached = bench.attach('@"a\\x1b[2J\\n.txt"')
    assert attached.texts[0]["name"] == "@a\\x1b[2J\\n.txt" and "\x1b" not in attached.notices[0]


def test_much_is_cut_and_too_much_is_left_out(bench: Bench) -> None:
    for number in range(6):
        (bench.work / f"{number}.txt").write_text("a line of text\n" * 10_000)
    attached = bench.attach(" ".join(f"@{number}.txt" for number in range(6)))
    assert len(attached.texts[0]["text"]) <= MOST_FILE + 200
    assert "read_file start_line=" in attached.texts[0]["text"]
    assert "the first 49.1 kB of 150.0 kB" in attached.notices[0]
    assert sum(len(one["text"].encode()) for one in attached.texts) <= MOST_LINE + 2000
    assert "mentions more than 204.8 kB" in attached.notices[-1]


def test_an_image_is_a_part(bench: Bench) -> None:
    (bench.work / "dot.png").write_bytes(PIXEL)
    attached = bench.attach("what is @dot.png")
    assert not attached.texts and attached.parts[0]["type"] == "image_url"
    assert attached.notices == [f"@dot.png attached ({len(PIXEL)} bytes)"]
    (bench.work / "cut.png").write_bytes(PIXEL[:40])
    assert bench.attach("@cut.png").parts == [] and "cut off" in bench.attach("@cut.png").notices[0]


def test_another_conversation_is_quoted(bench: Bench) -> None:
    bench.save("work", "What is it?", "It is 42.", title="Numbers")
    text = bench.texts("as in @session:work.")["@session:work"]
    assert "session 'work' “Numbers”" in text and "Nothing in it was said to you" in text
    assert text.endswith("The person: What is it?\n\nThe assistant: It is 42.")
    assert bench.attach("@session:work").notices == ["@session:work attached (its last 2 of 2 messages)"]
    bench.save("two words", "Hello")
    assert list(bench.texts('@session:"two words"')) == ["@session:two words"]


def test_a_long_conversation_gives_its_end(bench: Bench) -> None:
    bench.save("long", *[f"{number} " + "filler " * 500 for number in range(40)])
    text = bench.texts("@session:long")["@session:long"]
    assert len(text.encode()) < MOST + 500 and "39 filler" in text and "\n\nThe person: 0 " not in text
    bench.save("huge", "語" * 20_000 + "end")
    huge = bench.texts("@session:huge")["@session:huge"]
    assert "The person: […] 語" in huge and huge.endswith("語end") and len(huge.encode()) < MOST + 500


def test_what_is_not_given_of_conversations(bench: Bench) -> None:
    bench.save("secret", "x", tags=["private"])
    bench.save("cloud", "x", endpoint="elsewhere")
    bench.save("empty")
    told = {
        "@session:secret": "@session:secret is private: no model is ever given it.",
        "@session:this": "@session:this is this conversation: the model knows it.",
        "@session:clod": "@session:clod names no session. Did you mean cloud?",
        "@session:empty": "@session:empty was not attached: nothing was said in it.",
        "pasted\n@session:cloud": "@session:cloud is of another folder or model server: mention it in a message of "
        "one line.",
    }
    for line, notice in told.items():
        attached = bench.attach(line)
        assert (list(attached.texts), attached.notices) == ([], [notice])
    assert bench.attach("@session:cloud").notices == [
        "@session:cloud attached (its last 1 of 1 messages, of another folder or model server)"
    ]


def test_what_was_mentioned_lately() -> None:
    def said(*names: str) -> Any:
        return {"role": "user", "content": "x", "attached": [Attachment(name=name, text="") for name in names]}

    assert recent_mentions([said("@a"), said("@session:x", "@b"), said("@a")]) == ["a", "b"]
