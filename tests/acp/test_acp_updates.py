"""Messages and events as an editor is told them, without an editor."""

import asyncio
import json
from pathlib import Path
from typing import Any, cast

import pytest
from acp import RequestError, resource_link_block, text_block
from editors import texts_of

from scratchy.acp.calls import fenced, locations_of, passage_diff
from scratchy.acp.failures import as_request_error, failed_turn
from scratchy.acp.prompts import mention, read
from scratchy.acp.replay import Replay
from scratchy.acp.updates import Ids, Telling
from scratchy.core.errors import ProviderUnavailableError, SessionNotFoundError
from scratchy.core.events import (
    Event,
    MessageAdded,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
)
from scratchy.core.messages import Message, ToolCall
from scratchy.core.text import Flow

FOLDER = Path("/home/me/work")


def a_call(call_id: str, name: str, arguments: str) -> ToolCall:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def replayed(*messages: dict[str, Any]) -> list[Any]:
    replay = Replay(FOLDER, Ids())
    return [*replay.told(cast("list[Message]", messages)), *replay.unanswered()]


def test_a_transcript_of_somebody_else_is_told_as_far_as_it_makes_sense() -> None:
    calls = [a_call("1", "edit_file", "no json"), a_call("1", "list_files", "[1]"), {"id": 5}]
    told = replayed(
        {"role": "system", "content": "be nice"},
        {"role": "tool", "tool_call_id": "0", "content": "an orphan"},
        {"role": "user", "content": None},
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "strange"}]},
        {"role": "assistant", "content": "Half", "stop_reason": "aborted", "tool_calls": calls},
        {"role": "user", "content": "Again"},
        {"role": "assistant", "content": "", "tool_calls": [a_call("1", "read_file", '{"file_path": "a"}')]},
        {"role": "tool", "tool_call_id": "1", "content": "text \x1b[31mred", "is_error": False},
    )
    assert [one.session_update for one in told] == [
        "user_message_chunk", "agent_message_chunk", "tool_call", "tool_call", "agent_message_chunk",
        "tool_call_update", "user_message_chunk", "tool_call", "tool_call_update",
    ]  # fmt: skip
    ids = [one.tool_call_id for one in told if one.session_update == "tool_call"]
    assert len(set(ids)) == 3 and told[2].raw_input == "no json"
    assert told[5].status == "failed" and told[-1].status == "completed"
    assert texts_of(told[-1].content) == "```\ntext red\n```"


def test_output_of_a_running_tool_is_told_seldom_and_its_end_only() -> None:
    call = a_call("1", "execute_command", '{"command": "yes"}')
    finished = ToolFinished(call, "execute_command", "yes", True, "out", "shown", False, 5)
    events: list[Event] = [
        StepStarted(1),
        MessageAdded({"role": "assistant", "content": "All at once.", "tool_calls": [call]}),
        ToolStarted(call, "execute_command", {"command": "yes"}, "yes"),
        *(ToolOutput("1", f"{number} " + "x" * 100) for number in range(5000)),
        ToolOutput("unknown", "x"),
        finished,
        MessageAdded({"role": "tool", "tool_call_id": "1", "content": "out"}),
    ]

    async def run() -> list[Any]:
        telling = Telling(FOLDER, lambda change: None, Ids())
        told = [update for event in events for update in await telling.told(event)]
        assert telling.cut_off() == []
        return told

    told = asyncio.run(run())
    assert [one.session_update for one in told[:2]] == ["agent_message_chunk", "tool_call"]
    assert all(len(texts_of(one.content or [])) < 4100 for one in told[2:])
    assert len(told) < 200 and texts_of(told[-1].content) == "```\nshown\n```" and told[-1].status == "completed"


def test_text_that_streamed_is_not_told_twice_and_what_is_cut_off_has_failed() -> None:
    call = a_call("1", "list_files", "{}")

    async def run() -> list[Any]:
        telling = Telling(FOLDER, lambda change: None, Ids())
        message: Message = {"role": "assistant", "content": "Hi", "tool_calls": [call]}
        events: list[Event] = [StepStarted(1), TextDelta("H"), TextDelta("i"), MessageAdded(message)]
        return [update for event in events for update in await telling.told(event)] + telling.cut_off()

    *said, begun, ended = asyncio.run(run())
    assert [one.content.text for one in said] == ["H", "i"]
    assert (begun.status, ended.status, ended.tool_call_id) == ("pending", "failed", begun.tool_call_id)


EVIL = "\x1b]0;title\x07a\x1b[2J\u202eb"


def test_no_title_and_no_text_brings_a_control_sequence_to_the_editor() -> None:
    """A title also no sign that hides or reorders, nor a row of its own: by it a person knows what runs."""
    call = a_call("1", "execute_command", json.dumps({"command": EVIL + "\nls"}))
    message: Message = {"role": "assistant", "content": EVIL, "tool_calls": [call]}
    deltas = [TextDelta(char) for char in EVIL] + [ThinkingDelta(char) for char in EVIL]

    async def run(events: list[Event]) -> list[Any]:
        telling = Telling(FOLDER, lambda change: None, Ids())
        return [update for event in events for update in await telling.told(event)]

    begun = ToolStarted(call, "execute_command", {"command": EVIL}, EVIL)
    told = asyncio.run(run([StepStarted(1), *deltas, MessageAdded(message), begun]))
    told += asyncio.run(run([StepStarted(1), MessageAdded(message), begun]))
    told += replayed({"role": "user", "content": EVIL}, cast("dict[str, Any]", message))
    said = "".join(one.content.text for one in told if one.session_update.endswith("chunk"))
    titles = [one.title for one in told if one.session_update.startswith("tool_call") and one.title]
    assert said == "a\u202eb" * 5 and len(titles) == 5
    assert all(title.startswith("execute_command: \\x1b]0;title") and title.isprintable() for title in titles)


def test_text_that_streams_is_told_as_it_comes() -> None:
    flow = Flow()
    assert [flow.feed(piece) for piece in ("Hi \x1b", "[3", "1mred", " one\x1b]8;;", "x", "\x07!")] == [
        "Hi ", "", "red", " one", "", "!",
    ]  # fmt: skip
    assert flow.feed("end\x1b[") == "end" and flow.rest() == "" and flow.rest() == ""
    assert "".join(flow.feed("x" * 100) for _ in range(100)) == "x" * 10_000
    assert len("".join([flow.feed("\x1b]"), *(flow.feed("x" * 100) for _ in range(2000)), flow.rest()])) > 190_000
    assert Flow().feed("\x9d" * 100_000 + "\x07y") == "y"


def test_a_block_holds_whatever_is_in_it() -> None:
    assert fenced("a ``` b ```` c", "diff") == "`````diff\na ``` b ```` c\n`````"


def test_places_are_absolute_and_only_edits_have_a_passage() -> None:
    places = locations_of({"file_path": "../a.py", "directory": "/x", "start_line": True}, FOLDER)
    assert [(one.path, one.line) for one in places] == [("/home/me/a.py", None), ("/x", None)]
    assert locations_of({"file_path": "", "directory": 5}, FOLDER) == locations_of(None, FOLDER) == []
    assert passage_diff("edit_file", {"file_path": "a", "new_text": "x"}, FOLDER) == []
    assert passage_diff("read_file", {"file_path": "a"}, FOLDER) == []
    (made,) = passage_diff("create_file", {"file_path": "a", "content": "x"}, FOLDER)
    assert made.type == "diff" and (made.path, made.old_text, made.new_text) == ("/home/me/work/a", None, "x")


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("file:///home/me/work/a.py", "@a.py"),
        ("file:///home/me/work/a.py#L3:9", "@a.py:3-9"),
        ("file:///home/me/work/a%20b.py#L3", '@"a b.py"'),
        ("file:///etc/hosts", "@/etc/hosts"),
        ("https://example.com/a.py", "https://example.com/a.py"),
    ],
)
def test_what_an_editor_links_to_is_a_mention(uri: str, told: str) -> None:
    assert mention(uri, FOLDER) == told
    said = read([text_block("See "), resource_link_block("x", uri)], FOLDER, lambda data, name: "")
    assert said.line == said.own == f"See {told}" and said.texts == []


def test_every_failure_is_a_sentence() -> None:
    assert as_request_error(SessionNotFoundError("x")).code == -32002
    assert str(as_request_error(OSError(28, "No space left on device", "/x"))) == "The disk refused: no space (/x)."
    assert as_request_error(ValueError("a bad id")).code == -32602
    assert "ZeroDivisionError" in str(as_request_error(ZeroDivisionError("by zero")))
    error = failed_turn(ProviderUnavailableError("no connection"), kept=True)
    assert isinstance(error, RequestError) and str(error) == (
        "no connection. Your message is kept; send it again to retry."
    )
