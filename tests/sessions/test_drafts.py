"""Drafts beside a session: what comes back, what was sent meanwhile, and what no file may do to the program."""

import json
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessionbench import converse, files, run, scripted, take

from scratchy.sessions.drafts import Draft
from scratchy.store.files import FileStore
from scratchy.store.memory import MemoryStore


async def kept(conversation: Any, text: str, *queue: str) -> None:
    await conversation.drafts.keep(lambda: (text, queue))


def left(store: Any, content: str, session_id: str = "s") -> None:
    """As another process left it."""
    writer = store.open(session_id, create=None if store.exists(session_id) else header(session_id))
    with closing(writer):
        writer.keep_draft(content)


def header(session_id: str) -> Any:
    from scratchy.core.stored import Header

    return Header(session_id, "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z")


@pytest.mark.parametrize("kind", [FileStore, MemoryStore])
def test_what_was_typed_comes_back_before_the_first_message_and_after(tmp_path: Path, kind: type) -> None:
    store = files(tmp_path) if kind is FileStore else MemoryStore()

    async def main() -> None:
        conversation = converse(store, scripted("Hi", "Yes"))
        assert await conversation.drafts.load() == Draft()
        await kept(conversation, "half\na thought", "one", "two ₂")
        assert not store.exists("s")
        assert await conversation.drafts.load() == Draft("half\na thought", ("one", "two ₂"))
        await take(conversation, "Hello")
        assert await conversation.drafts.load() == Draft("half\na thought", ("one", "two ₂"))
        await kept(conversation, "")
        assert store.draft("s") == "" and await conversation.drafts.load() == Draft()
        await conversation.close()

    run(main())


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        (("", ["A", "more"]), ["A"], ("", ["more"])),
        (("A", ["more"]), ["A"], ("", ["more"])),
        (("A", ["A", "more"]), ["A"], ("A", ["more"])),
        (("x", ["A", "A", "B", "C"]), ["A"], ("x", ["A", "B", "C"])),
        (("x", ["A", "A", "B", "C"]), ["A", "A", "B"], ("x", ["C"])),
        (("x", ["A", "B"]), ["A", "B", "typed later"], ("x", [])),
        (("typed", ["A", "B"]), ["A", "B", "typed"], ("", [])),
        (("x", ["/clear", "A", "B"]), ["A"], ("x", ["B"])),
        (("A there", ["more"]), ["A"], ("A there", ["more"])),
        (("x", ["before", "B"]), [], ("x", ["before", "B"])),
        (("x", ["now", "B"]), [], ("x", ["B"])),
    ],
)
def test_a_line_that_was_stored_meanwhile_does_not_come_back(
    tmp_path: Path, before: Any, said: Any, after: Any
) -> None:
    """`before` was kept after `before` and `now` were said and before `said` was: `now` may have been on its way."""

    async def main() -> None:
        conversation = converse(files(tmp_path), scripted(*["Hi"] * 5))
        for line in ("before", "now"):
            await take(conversation, line)
        await kept(conversation, before[0], *before[1])
        for line in said:
            await take(conversation, line)
        assert await conversation.drafts.load() == Draft(after[0], tuple(after[1]))
        await conversation.close()

    run(main())


def test_what_is_the_same_is_not_written_again_and_nobody_writes_without_the_lock(tmp_path: Path) -> None:
    async def main() -> None:
        conversation = converse(files(tmp_path), scripted())
        await kept(conversation, "x")
        path = next(tmp_path.glob(".*.draft"))
        before = path.stat().st_ino
        assert path.stat().st_mode & 0o777 == 0o600
        await kept(conversation, "x")
        assert path.stat().st_ino == before
        conversation.drafts.parting = lambda: ("stays", ())
        await conversation.close()
        await kept(conversation, "too late")
        assert json.loads(path.read_text()) == {"draft": "stays", "queue": [], "at": 0}

    run(main())


def test_a_draft_that_cannot_be_written_is_no_error_and_is_tried_again(tmp_path: Path) -> None:
    async def main() -> None:
        conversation = converse(files(tmp_path), scripted("Hi"))
        path = tmp_path / ".s.draft"
        (path / "in the way").mkdir(parents=True)
        await kept(conversation, "x")
        await take(conversation, "Hello")
        (path / "in the way").rmdir()
        path.rmdir()
        await kept(conversation, "x")
        assert await conversation.drafts.load() == Draft("x")
        await conversation.close()

    run(main())


DAMAGED = [
    "{", "null", "[]", "5", '"x"', "{}", '{"draft": 5, "queue": []}', '{"draft": "x"}', '{"draft": "x", "queue": {}}',
    '{"draft": "x", "queue": [5]}', "[" * 100_000, json.dumps({"draft": "", "queue": ["x"] * 5000}), "\x00", "{\ufffd",
]  # fmt: skip


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: content[:30])
def test_damage_is_one_kind_of_error_and_the_next_draft_replaces_it(tmp_path: Path, content: str) -> None:
    store = files(tmp_path)
    left(store, content)

    async def main() -> None:
        conversation = converse(store, scripted())
        with pytest.raises(ValueError):
            await conversation.drafts.load()
        await kept(conversation, "new")
        assert await conversation.drafts.load() == Draft("new")
        await conversation.close()

    run(main())


@given(text=st.text(), queue=st.lists(st.text().filter(str.strip), max_size=5), data=st.text())
def test_any_text_comes_back_and_any_content_is_a_draft_or_a_value_error(
    text: str, queue: list[str], data: str
) -> None:
    async def main() -> None:
        store = MemoryStore()
        conversation = converse(store, scripted())
        await kept(conversation, text, *queue)
        assert await conversation.drafts.load() == Draft(text, tuple(queue))
        await conversation.close()
        left(store, data)
        conversation = converse(store, scripted())
        with suppress(ValueError):
            await conversation.drafts.load()
        await conversation.close()

    run(main())
