"""A turn and the disk: what is stored when, what a failing store changes, what a resumed session sends."""

import asyncio
import errno
import time
from datetime import datetime
from pathlib import Path

import pytest
from sessionbench import (
    SYSTEM,
    FullDisk,
    answer,
    calling,
    converse,
    desk_in,
    files,
    run,
    script,
    scripted,
    take,
    texts,
    user,
)  # fmt: skip

from scratchy import MemoryStore, compose
from scratchy.core.errors import (
    ConfigError,
    ContextOverflowError,
    ProviderError,
    ProviderUnavailableError,
    SessionLockedError,
)
from scratchy.core.events import ContextTrimmed, MessageAdded, Notice, Saved, SaveFailed, TurnFinished
from scratchy.core.stored import Header


def names(events) -> list[str]:
    return [type(event).__name__ for event in events]


def save(store, session_id: str, messages, **metadata) -> None:
    writer = store.open(session_id, create=Header(session_id, "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"))
    writer.append(messages)
    if metadata:
        writer.edit(metadata=metadata)
    writer.close()


def test_the_users_line_is_on_disk_before_the_model_is_asked(tmp_path):
    store = files(tmp_path)
    seen = []

    def look(messages, tools):
        seen.extend(store.load("s")[1])
        return "Hi"

    conversation = converse(store, scripted(look))
    assert not conversation.saved and not store.exists("s")
    run(take(conversation, "Hello"))
    assert texts(seen) == ["Be brief.", "Hello"]
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello", "Hi"] and conversation.saved


def test_each_finished_message_is_on_disk_before_the_next_tool_runs(tmp_path):
    store = files(tmp_path)
    seen = []

    def look() -> str:
        seen.append([message["role"] for message in store.load("s")[1]])
        return "looked"

    two = calling("look", {})
    two["tool_calls"] = [{**two["tool_calls"][0], "id": call_id} for call_id in ("a", "b")]
    run(take(converse(store, scripted(two, "Done."), look), "Go"))
    begin = ["system", "user", "assistant"]
    assert seen == [begin, [*begin, "tool"]]
    assert [m["role"] for m in store.load("s")[1]] == [*begin, "tool", "tool", "assistant"]


def test_stamps_and_what_an_answer_tells_are_stored(tmp_path):
    store = files(tmp_path)
    reply = {"role": "assistant", "content": "Hi", "usage": {"total_tokens": 7}}
    run(take(converse(store, scripted(reply, model="m1")), "Hello"))
    line, said = store.load("s")[1][1:]
    assert line["ts"].endswith("Z") and said["ts"] >= line["ts"]
    assert (said["model"], said["stop_reason"], said["usage"]) == ("m1", "stop", {"total_tokens": 7})
    assert isinstance(said["duration_ms"], int)


def test_a_session_that_was_opened_and_left_is_not_stored(tmp_path):
    store = files(tmp_path)
    run(converse(store, scripted()).close())
    assert not store.exists("s") and store.list() == []


def test_a_cancelled_turn_stores_the_partial_answer_and_is_whole(tmp_path):
    store = files(tmp_path)

    async def main():
        conversation = converse(store, scripted("one two three", delay=0.2))
        turn = asyncio.ensure_future(take(conversation, "Count"))
        await asyncio.sleep(0.35)
        turn.cancel()
        with pytest.raises(asyncio.CancelledError):
            await turn
        await conversation.close()

    run(main())
    said = store.load("s")[1][-1]
    assert said["content"] == "one " and said["stop_reason"] == "aborted"


def test_a_turn_cancelled_in_a_tool_answers_its_calls_on_disk(tmp_path):
    store = files(tmp_path)

    async def wait() -> str:
        await asyncio.sleep(60)
        return "never"

    two = calling("wait", {})
    two["tool_calls"] = [{**two["tool_calls"][0], "id": call_id} for call_id in ("a", "b")]

    async def main():
        conversation = converse(store, scripted(two), wait)
        turn = asyncio.ensure_future(take(conversation, "Go"))
        await asyncio.sleep(0.3)
        turn.cancel()
        await asyncio.wait([turn])
        await conversation.close()

    run(main())
    first, second = store.load("s")[1][-2:]
    assert (first["tool_call_id"], first["content"]) == ("a", "interrupted; it may have run")
    assert (second["tool_call_id"], second["content"]) == ("b", "not run: the turn was interrupted")


def test_a_turn_closed_before_its_end_stores_what_came(tmp_path):
    store = files(tmp_path)

    async def main():
        conversation = converse(store, scripted("one two"))
        turn = conversation.turn("Count")
        async for event in turn:
            if type(event).__name__ == "TextDelta":
                break
        await turn.aclose()
        await conversation.close()

    run(main())
    assert store.load("s")[1][-1]["stop_reason"] == "aborted"


def test_a_failed_turn_keeps_the_line_once_and_the_same_text_reuses_it(tmp_path):
    store = files(tmp_path)
    provider = scripted(ProviderUnavailableError("no"), ProviderUnavailableError("no"), "Hi")
    conversation = converse(store, provider)
    for _ in range(2):
        with pytest.raises(ProviderError):
            run(take(conversation, "Hello"))
        assert texts(store.load("s")[1]) == ["Be brief.", "Hello"]
    run(take(conversation, "Hello"))
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello", "Hi"]


def test_other_text_after_a_failed_turn_follows_it_and_both_are_sent(tmp_path):
    store = files(tmp_path)
    provider = scripted(ProviderUnavailableError("no"), "Hi")
    conversation = converse(store, provider)
    with pytest.raises(ProviderError):
        run(take(conversation, "Hello"))
    run(take(conversation, "Are you there?"))
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello", "Are you there?", "Hi"]
    assert texts(provider.requests[1]["messages"]) == ["Be brief.", "Hello\n\nAre you there?"]


def test_no_provider_keeps_the_line_and_the_folder_it_was_said_in(tmp_path):
    store = files(tmp_path)
    conversation = converse(store, ProviderUnavailableError("none"), facts=lambda: {"folder": "/here"})
    with pytest.raises(ProviderUnavailableError):
        run(take(conversation, "Hello"))
    header, messages = store.load("s")
    assert texts(messages) == ["Be brief.", "Hello"] and header.metadata == {"folder": "/here"}


def test_a_line_that_waits_for_the_persons_choice_is_not_stored(tmp_path):
    store = files(tmp_path)
    conversation = converse(store, ConfigError("held with another server: choose"))
    with pytest.raises(ConfigError):
        run(take(conversation, "Hello"))
    assert not store.exists("s") and texts(conversation.session.messages) == ["Be brief."]


# -- a store that fails


def failing(tmp_path, *answers, functions=()):
    disk = FullDisk()
    store = files(tmp_path, disk)
    return disk, store, converse(store, scripted(*answers), *functions)


def test_a_line_that_cannot_be_stored_is_not_sent_and_goes_back(tmp_path):
    disk, store, conversation = failing(tmp_path, "Hi", "Yes")
    run(take(conversation, "Hello"))
    disk.full = True
    with pytest.raises(OSError) as refused:
        run(take(conversation, "More"))
    assert refused.value.errno == errno.ENOSPC and conversation.unsaved == "no space"
    assert texts(conversation.session.messages) == ["Be brief.", "Hello", "Hi"]
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello", "Hi"]
    disk.full = False
    events = run(take(conversation, "More"))
    assert isinstance(events[0], Saved) and conversation.unsaved == ""
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello", "Hi", "More", "Yes"]


def test_the_first_line_on_a_full_disk_makes_no_session(tmp_path):
    disk, store, conversation = failing(tmp_path, "Hi")
    disk.full = True
    with pytest.raises(OSError):
        run(take(conversation, "Hello"))
    run(conversation.close())
    assert not store.exists("s") and texts(conversation.session.messages) == ["Be brief."]


def test_an_answer_that_cannot_be_stored_is_told_kept_and_written_first_by_the_next_save(tmp_path):
    disk = FullDisk()
    store = files(tmp_path, disk)

    def full(messages, tools):
        disk.full = True
        return "Hi"

    conversation = converse(store, scripted(full, "Yes"))
    events = run(take(conversation, "Hello"))
    assert SaveFailed("no space") in events and events[-1] == TurnFinished("stop")
    assert texts(conversation.session.messages)[-1] == "Hi" and not conversation.saved
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello"]
    with pytest.raises(OSError):
        run(take(conversation, "More"))
    assert texts(conversation.session.messages) == ["Be brief.", "Hello", "Hi"]
    disk.full = False
    events = run(take(conversation, "More"))
    assert Saved() in events
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello", "Hi", "More", "Yes"]


def test_what_is_unsaved_is_written_when_the_conversation_closes(tmp_path):
    disk = FullDisk()
    store = files(tmp_path, disk)

    def full(messages, tools):
        disk.full = True
        return "Hi"

    conversation = converse(store, scripted(full))
    run(take(conversation, "Hello"))
    disk.full = False
    run(conversation.close())
    assert texts(store.load("s")[1])[-1] == "Hi"


def test_a_call_that_cannot_be_stored_does_not_run(tmp_path):
    disk = FullDisk()
    store = files(tmp_path, disk)
    ran = []

    def touch() -> str:
        ran.append(1)
        return "done"

    def full(messages, tools):
        disk.full = True
        return calling("touch", {})

    conversation = converse(store, scripted(full, "Done"), touch)
    events = run(take(conversation, "Go"))
    assert not ran and events[-2:] == [SaveFailed("no space"), TurnFinished("error")]
    assert conversation.session.messages[-1]["role"] == "tool"  # the call is answered: what goes out next is sendable
    assert texts(store.load("s")[1]) == ["Be brief.", "Go"]
    disk.full = False
    run(take(conversation, "Again"))
    assert [m["role"] for m in store.load("s")[1]] == ["system", "user", "assistant", "tool", "user", "assistant"]


def test_a_result_that_cannot_be_stored_ends_the_turn(tmp_path):
    disk = FullDisk()
    store = files(tmp_path, disk)
    ran = []

    def touch() -> str:
        ran.append(1)
        disk.full = True
        return "done"

    provider = scripted(calling("touch", {}), "Done")
    conversation = converse(store, provider, touch)
    events = run(take(conversation, "Go"))
    assert ran == [1] and events[-1] == TurnFinished("error") and len(provider.requests) == 1
    assert conversation.session.messages[-1]["content"] == "done"


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space"), (errno.EDQUOT, "no space"), (errno.EIO, "I/O error"), (errno.EROFS, "permission"),
        (errno.EACCES, "permission"), (errno.EFBIG, "no space"),
    ],
)  # fmt: skip
def test_why_a_save_failed_in_the_words_that_scripts_know(tmp_path, number, words):
    disk, _, conversation = failing(tmp_path, "Hi")
    run(take(conversation, "Hello"))
    disk.full, disk.error = True, number
    with pytest.raises(OSError):
        run(take(conversation, "More"))
    assert words in conversation.unsaved


def test_a_folder_that_is_gone_is_told_at_the_next_message_and_nothing_is_made(tmp_path):
    store = files(tmp_path / "s")
    conversation = converse(store, scripted("Hi", "Yes"))
    run(take(conversation, "Hello"))
    (tmp_path / "s").rename(tmp_path / "moved")
    with pytest.raises(OSError):
        run(take(conversation, "More"))
    assert conversation.unsaved == "folder missing" and not (tmp_path / "s").exists()
    (tmp_path / "moved").rename(tmp_path / "s")
    run(take(conversation, "More"))
    assert texts(store.load("s")[1])[-2:] == ["More", "Yes"]


def test_clear_on_a_full_disk_changes_nothing_here_or_there(tmp_path):
    disk, store, conversation = failing(tmp_path, "Hi", "Yes")
    run(take(conversation, "Hello"))
    disk.full = True
    for edit in (conversation.clear, lambda: conversation.set_system("Other.")):
        with pytest.raises(OSError):
            run(edit())
    assert texts(conversation.session.messages) == texts(store.load("s")[1]) == ["Be brief.", "Hello", "Hi"]
    disk.full = False
    run(take(conversation, "More"))
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello", "Hi", "More", "Yes"]


# -- edits


@pytest.mark.parametrize("make", [files, lambda folder: MemoryStore()])
def test_clear_keeps_the_system_message_and_the_old_version_in_the_trash(tmp_path, make):
    store = make(tmp_path)
    conversation = converse(store, scripted("Hi", "Yes"))
    run(take(conversation, "Hello"))
    run(conversation.clear())
    assert store.load("s")[1] == [SYSTEM] and [(e.reason, e.count) for e in store.trash()] == [("cleared", 3)]
    run(take(conversation, "More"))
    assert texts(store.load("s")[1]) == ["Be brief.", "More", "Yes"]


def test_the_system_message_can_be_replaced(tmp_path):
    store = files(tmp_path)
    provider = scripted("Hi", "Yes")
    conversation = converse(store, provider)
    run(take(conversation, "Hello"))
    run(conversation.set_system("Be long."))
    run(take(conversation, "More"))
    assert texts(store.load("s")[1])[0] == "Be long." and provider.requests[1]["messages"][0]["content"] == "Be long."


class SlowDisk(FullDisk):
    def sync(self, handle: int) -> None:
        time.sleep(0.1)
        super().sync(handle)


@pytest.mark.parametrize("after", [0.02, 0.15, 0.3])
def test_an_edit_that_is_cancelled_is_done_here_and_there_or_nowhere(tmp_path, after):
    store = files(tmp_path, SlowDisk())

    async def main():
        conversation = converse(store, scripted("Hi", "Yes"))
        await take(conversation, "Hello")
        clearing = asyncio.ensure_future(conversation.clear())
        await asyncio.sleep(after)
        clearing.cancel()
        await asyncio.wait([clearing])
        assert texts(conversation.session.messages) == texts(store.load("s")[1])
        await take(conversation, "More")
        assert texts(conversation.session.messages) == texts(store.load("s")[1])
        await conversation.close()

    run(main())


class Hanging:
    seconds = 0.0

    @classmethod
    async def chat(cls, messages, tools=None):
        await asyncio.sleep(cls.seconds)
        return {"content": "Hi"}


@pytest.mark.parametrize("after", [0.0, 0.05, 0.15, 0.25, 0.35])
def test_a_line_that_is_cancelled_while_it_is_stored_is_there_once_or_not_at_all(tmp_path, after):
    store = files(tmp_path, SlowDisk())

    async def main():
        conversation = converse(store, compose.wrap_provider(Hanging))
        await take(conversation, "Hello")
        Hanging.seconds = 60.0
        turn = asyncio.ensure_future(take(conversation, "More"))
        await asyncio.sleep(after)
        turn.cancel()
        await asyncio.wait([turn])
        Hanging.seconds = 0.0
        assert texts(conversation.session.messages) == texts(store.load("s")[1])
        await take(conversation, "More")
        stored = [m["content"] for m in store.load("s")[1] if m["role"] == "user"]
        assert stored == ["Hello", "More"]
        await conversation.close()

    run(main())


# -- resuming


def long(count: int) -> list:
    pairs = [pair for number in range(count // 2) for pair in (user(f"question {number}"), answer(f"answer {number}"))]
    return [dict(SYSTEM), *pairs]


def test_a_long_session_is_resumed_by_its_end_and_sent_whole_at_the_first_turn(tmp_path):
    store = files(tmp_path)
    save(store, "s", long(700))
    provider = scripted("Yes")
    conversation = converse(store, provider)
    assert len(conversation.session.messages) == 50 and conversation.count == 701
    assert texts(conversation.recent(2)) == ["question 349", "answer 349"] and conversation.recent(0) == []
    run(take(conversation, "More"))
    sent = texts(provider.requests[0]["messages"])
    assert len(sent) == 702 and sent[:2] == ["Be brief.", "question 0"] and sent[-1] == "More"
    assert conversation.count == store.header("s")[1] == 703


def test_only_what_fits_is_read_and_the_system_message_is_sent_in_any_case(tmp_path):
    store = files(tmp_path)
    save(store, "s", [SYSTEM, *(user("x" * 1000) if n % 2 else answer("y" * 1000) for n in range(1, 2001))])
    provider = scripted("Yes", "Yes", window=1000)
    conversation = converse(store, provider)
    run(take(conversation, "More"))
    assert conversation.count == 2003 and len(conversation.session.messages) < 400
    sent = texts(provider.requests[0]["messages"])
    assert sent[0] == "Be brief." and sent[-1] == "More"
    run(take(conversation, "Again"))
    assert texts(store.load("s")[1])[-4:] == ["More", "Yes", "Again", "Yes"]
    whole = run(conversation.load_whole())
    assert len(whole) == 2005 and whole[0]["content"] == "Be brief."


def test_two_who_read_earlier_messages_at_once_read_them_once(tmp_path):
    store = files(tmp_path)
    save(store, "s", long(700))
    conversation = converse(store, scripted())

    async def main():
        await asyncio.gather(conversation.load_whole(), conversation.load_whole())

    run(main())
    assert conversation.session.messages == store.load("s")[1]


def test_an_overflow_leaves_out_the_oldest_turns_and_says_so(tmp_path):
    store = files(tmp_path)
    save(store, "s", long(20))
    overflow = ContextOverflowError("too long", prompt_tokens=2000, window=1000)
    provider = scripted(overflow, "Yes", "Again")
    conversation = converse(store, provider)
    events = run(take(conversation, "More"))
    assert any(isinstance(event, ContextTrimmed) for event in events)
    sent = texts(provider.requests[1]["messages"])
    assert sent[0] == "Be brief." and sent[-1] == "More" and len(sent) < 20 and sent[1].startswith("question")
    assert len(store.load("s")[1]) == 23
    run(take(conversation, "Next"))
    assert texts(provider.requests[2]["messages"])[1] == sent[1]


def test_an_overflow_of_the_last_turn_alone_is_an_error_and_the_session_stays_usable(tmp_path):
    store = files(tmp_path)
    conversation = converse(store, scripted(ContextOverflowError("too long"), "Yes"))
    with pytest.raises(ContextOverflowError):
        run(take(conversation, "x" * 1000))
    run(take(conversation, "short"))
    assert texts(store.load("s")[1])[-1] == "Yes"


def test_a_transcript_that_was_cut_anywhere_is_answered_on_disk_before_the_line(tmp_path):
    store = files(tmp_path)
    save(store, "s", [SYSTEM, user("Go"), calling("look", {})])
    provider = scripted("Yes")
    run(take(converse(store, provider), "More"))
    stored = store.load("s")[1]
    assert [m["role"] for m in stored] == ["system", "user", "assistant", "tool", "user", "assistant"]
    assert stored[3]["is_error"] and provider.requests[0]["messages"][3]["tool_call_id"] == "c1"


def test_a_transcript_without_a_system_message_gets_the_prompt_in_requests_only(tmp_path):
    store = files(tmp_path)
    save(store, "s", [user("Hello"), answer("Hi")])
    provider = scripted("Yes")
    run(take(converse(store, provider, system_prompt="The role."), "More"))
    assert texts(provider.requests[0]["messages"]) == ["The role.", "Hello", "Hi", "More"]
    assert store.load("s")[1][0]["role"] == "user"


# -- context and header


def test_the_context_rides_with_the_line_and_is_stored_only_when_it_is_news(tmp_path):
    store = files(tmp_path)
    now = ["monday"]
    provider = scripted("a", "b", "c")
    conversation = converse(store, provider, context=lambda: now[0])
    run(take(conversation, "1"))
    run(take(conversation, "2"))
    now[0] = "tuesday"
    run(take(conversation, "3"))
    stored = [message.get("context") for message in store.load("s")[1] if message["role"] == "user"]
    assert stored == ["monday", None, "tuesday"]
    sent = [m["content"] for m in provider.requests[2]["messages"] if m["role"] == "user"]
    assert sent == ["monday\n\n1", "2", "tuesday\n\n3"]
    first = provider.requests[0]["messages"]
    assert provider.requests[2]["messages"][: len(first)] == first  # the prefix stays the same


def test_facts_are_written_once_and_again_only_when_they_change(tmp_path):
    store = files(tmp_path)
    facts = {"folder": "/here", "model": "a", "none": None}
    conversation = converse(store, scripted("a", "b", "c"), facts=lambda: dict(facts))
    run(take(conversation, "1"))
    assert store.header("s")[0].metadata == {"folder": "/here", "model": "a"} == conversation.session.metadata
    inode = (tmp_path / "s_chat.toon").stat().st_ino
    run(take(conversation, "2"))
    assert (tmp_path / "s_chat.toon").stat().st_ino == inode
    facts["model"] = "b"
    run(take(conversation, "3"))
    assert store.header("s")[0].metadata["model"] == "b" and len(store.load("s")[1]) == 7
    assert conversation.session.last_activity > datetime(2026, 1, 1)


def test_keys_that_users_put_into_metadata_are_stored(tmp_path):
    store = files(tmp_path)
    conversation = converse(store, scripted("a", "b"), facts=lambda: {"folder": "/here"})
    run(take(conversation, "1"))
    conversation.session.metadata["project"] = "x"
    run(take(conversation, "2"))
    assert store.header("s")[0].metadata == {"folder": "/here", "project": "x"}


def test_a_conversation_holds_its_lock_until_it_is_closed(tmp_path):
    store = files(tmp_path)
    conversation = converse(store, scripted("Hi"))
    run(take(conversation, "Hello"))
    writer = conversation.writer
    run(conversation.close())
    run(conversation.close())
    with pytest.raises(SessionLockedError):
        writer.append([user("late")])
    assert conversation.saved


def test_events_come_in_order(tmp_path):
    events = run(take(converse(files(tmp_path), scripted("Hi")), "Hello"))
    assert names(events) == ["StepStarted", "TextDelta", "MessageAdded", "TurnFinished"]
    assert isinstance(events[2], MessageAdded)


def test_where_nothing_can_be_written_a_session_is_read_and_its_lines_go_back(tmp_path):
    class ReadOnly(FullDisk):
        def open(self, path: str, flags: int) -> int:
            if self.full and flags & 0o3:
                raise OSError(errno.EROFS, "Read-only file system", path)
            return super().open(path, flags)

    disk = ReadOnly()
    store = files(tmp_path, disk)
    save(store, "s", [SYSTEM, user("Hello"), answer("Hi")])
    disk.full = True
    conversation = converse(store, scripted("Yes"))
    assert conversation.writer is None and texts(conversation.recent(1)) == ["Hi"] and conversation.saved
    with pytest.raises(OSError):
        run(take(conversation, "More"))
    assert conversation.unsaved == "permission"
    assert conversation.count == 3
    disk.full = False
    run(take(conversation, "More"))
    assert texts(store.load("s")[1]) == ["Be brief.", "Hello", "Hi", "More", "Yes"]


def test_the_scripted_provider_can_be_named_by_a_desk(tmp_path):
    desk, said = desk_in(tmp_path, **script(tmp_path, "Hi"))
    run(take(desk.conversation, "Hello"))
    run(desk.close())
    assert Path(tmp_path / "sessions" / "default_chat.toon").exists() and not said


@pytest.mark.parametrize("spoil", [b"", b"session_id: s\nversion: 1\n", b"garbage\n" * 40])
def test_a_file_spoilt_by_another_program_is_written_anew_from_memory(tmp_path, spoil):
    store = files(tmp_path)
    conversation = converse(store, scripted("one", "two"))
    run(take(conversation, "a"))
    path = next(tmp_path.rglob("s_chat.toon"))
    path.write_bytes(spoil)
    events = run(take(conversation, "b"))
    assert any(isinstance(event, Notice) and "written anew" in event.text for event in events)
    assert texts(store.load("s")[1])[-4:] == ["a", "one", "b", "two"] and not conversation.unsaved
    assert [entry.reason for entry in store.trash()] == ["replaced"]
