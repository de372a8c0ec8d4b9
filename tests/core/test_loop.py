"""The turn: events in order, tools, approvals, limits, cancellation at every await. No sockets, no disk."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest

from scratchy.core.context import context_of
from scratchy.core.errors import ContextOverflowError, ProviderUnavailableError
from scratchy.core.events import (
    ApprovalRequested,
    ContextTrimmed,
    Event,
    MessageAdded,
    Notice,
    TextDelta,
    ToolFinished,
    ToolOutput,
    TurnFinished,
)
from scratchy.core.loop import NO_ANSWER, NewId, TurnSettings, run_turn
from scratchy.core.messages import FileChange, Message, ToolCall, ToolSpec, files_of
from scratchy.core.ports import Approval, Ask, Refuse, Reply, Run, ToolResult, Verdict
from scratchy.core.session import AgentSession
from scratchy.providers.scripted import ScriptedProvider


class Clock:
    def __init__(self) -> None:
        self.ticks = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        self.ticks += 0.5
        return self.ticks


class Echo:
    """A toolset with one tool that asks, one that runs and one that never ends."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.remembered: list[str] = []

    def specs(self) -> list[ToolSpec]:
        return [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("free", "ask", "slow")]

    async def checked(self, call: ToolCall) -> Verdict:
        match call["function"]["name"]:
            case "free" | "slow":
                return Run({}, "echo")
            case "ask":
                return Ask({}, "echo", "echo it", "this echo")
            case "planned":
                return Refuse(ToolResult("not now", is_error=True), "echo it")
            case name:
                return Refuse(ToolResult(f"no tool {name}", is_error=True))

    def remember(self, call: ToolCall) -> None:
        self.remembered.append(call["id"])

    async def run(self, call: ToolCall) -> AsyncGenerator[ToolOutput | ToolResult, None]:
        self.ran.append(call["id"])
        yield ToolOutput(call["id"], "live")
        if call["function"]["name"] == "slow":
            await asyncio.sleep(3600)
        yield ToolResult(f"ran {call['id']}")


def calling(*calls: tuple[str, str], stop_reason: str = "tool_calls") -> Any:
    made = [{"id": i, "type": "function", "function": {"name": n, "arguments": "{}"}} for i, n in calls]
    return {"role": "assistant", "content": "", "tool_calls": made, "stop_reason": stop_reason}


def settings(approve: Any = None, max_steps: int = 20) -> TurnSettings:
    return TurnSettings(Clock(), NewId("new"), approve, max_steps)


async def collect(session: AgentSession, provider: Any, tools: Any, chosen: TurnSettings) -> list[Event]:
    async with aclosing(run_turn(session, provider, tools, context_of(session), chosen)) as events:
        return [event async for event in events]


def turn(
    replies: Sequence[Any], *, approve: Any = None, max_steps: int = 20
) -> tuple[AgentSession, list[Event], ScriptedProvider, Echo]:
    session = AgentSession("s", [{"role": "user", "content": "hi"}])
    provider, tools = ScriptedProvider(list(replies)), Echo()
    return session, asyncio.run(collect(session, provider, tools, settings(approve, max_steps))), provider, tools


@pytest.mark.parametrize("nothing", ["", " \n"])
def test_an_answer_without_a_word_is_said(nothing: str) -> None:
    session, events, _, _ = turn([nothing])
    assert events[-2:] == [Notice(NO_ANSWER), TurnFinished("stop")] and len(session.messages) == 2
    _, events, _, _ = turn([calling(("1", "echo")), nothing])
    assert events[-2:] == [Notice(NO_ANSWER), TurnFinished("stop")]


def test_a_plain_answer() -> None:
    session, events, _, _ = turn(["Hello there"])
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "Hello there"
    assert events[-1] == TurnFinished("stop")
    last = session.messages[-1]
    assert last.get("content") == "Hello there" and last.get("stop_reason") == "stop"
    assert last.get("ts") == "2026-01-01T00:00:00.000Z" and last.get("duration_ms", 0) > 0 and last.get("model")


def test_tools_run_one_after_the_other_and_their_results_are_sent() -> None:
    session, events, provider, tools = turn([calling(("a", "free"), ("b", "free")), "done"])
    assert tools.ran == ["a", "b"]
    assert [m["role"] for m in session.messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert [m.get("content") for m in provider.requests[1]["messages"][-2:]] == ["ran a", "ran b"]
    added = [e.message for e in events if isinstance(e, MessageAdded)]
    assert added == session.messages[1:]


def test_what_a_tool_changed_rides_on_its_result() -> None:
    change: FileChange = {"path": "/a", "before": None, "after": "0" * 32, "mode": None}

    class Writing(Echo):
        async def run(self, call: ToolCall) -> AsyncGenerator[ToolOutput | ToolResult, None]:
            yield ToolResult("wrote", files=[change] if call["id"] == "a" else ())

    session = AgentSession("s", [{"role": "user", "content": "hi"}])
    provider = ScriptedProvider([calling(("a", "free"), ("b", "free")), "done"])
    asyncio.run(collect(session, provider, Writing(), settings()))
    assert [message.get("files") for message in session.messages] == [None, None, [change], None, None]
    assert files_of(session.messages[2]) == [change] and files_of({"files": [{**change, "mode": "x"}, 3]}) == []


@pytest.mark.parametrize(
    ("answer", "runs", "result"),
    [
        (Approval(True), ["a"], "ran a"),
        (Approval(True, always=True), ["a"], "ran a"),
        (Approval(False), [], "not run: the user said no"),
        (Approval(False, message="use grep"), [], "not run: the user said no: use grep"),
    ],
)
def test_approvals(answer: Approval, runs: list[str], result: str) -> None:
    asked: list[ApprovalRequested] = []

    async def approve(request: ApprovalRequested) -> Approval:
        asked.append(request)
        return answer

    session, _, _, tools = turn([calling(("a", "ask")), "done"], approve=approve)
    assert tools.ran == runs and session.messages[2].get("content") == result
    assert [(r.preview, r.scope) for r in asked] == [("echo it", "this echo")]
    assert tools.remembered == (["a"] if answer.always else [])


def test_without_an_approver_what_asks_runs() -> None:
    assert turn([calling(("a", "ask")), "done"])[3].ran == ["a"]


def test_a_call_cut_by_the_token_limit_never_runs() -> None:
    session, _, _, tools = turn([calling(("a", "free"), stop_reason="length"), "done"])
    assert tools.ran == [] and "token limit" in str(session.messages[2].get("content"))


def test_missing_and_doubled_call_ids_are_made_unique() -> None:
    session, _, _, tools = turn([calling(("", "free"), ("x", "free"), ("x", "free")), "done"])
    assert len(set(tools.ran)) == 3 and "x" in tools.ran
    assert [m.get("tool_call_id") for m in session.messages if m["role"] == "tool"] == tools.ran


def test_an_unknown_tool_is_a_result_not_an_exception() -> None:
    session, events, _, _ = turn([calling(("a", "nope")), "done"])
    assert session.messages[2].get("is_error") and any(isinstance(e, ToolFinished) and e.is_error for e in events)


def test_a_refused_call_is_told_as_the_tool_tells_it_where_it_can() -> None:
    _, events, _, _ = turn([calling(("c1", "planned"), ("c2", "unknown")), "Done"])
    assert [event.summary for event in events if isinstance(event, ToolFinished)] == ["echo it", "{}"]


def test_the_step_limit_runs_the_last_tools_and_says_so() -> None:
    session, events, _, tools = turn([calling(("a", "free")), calling(("b", "free"))], max_steps=2)
    assert tools.ran == ["a", "b"] and events[-1] == TurnFinished("steps")
    assert session.messages[-1]["role"] == "tool"


def test_an_overflow_drops_old_turns_from_the_context_only() -> None:
    session = AgentSession("s", [{"role": "system", "content": "s"}])
    for n in range(4):
        session.messages += [{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": f"a{n}"}]
    session.messages.append({"role": "user", "content": "now"})
    provider = ScriptedProvider([ContextOverflowError("too long"), "fine"])
    events = asyncio.run(collect(session, provider, Echo(), settings()))
    assert any(isinstance(e, ContextTrimmed) for e in events)
    sent = [m.get("content") for m in provider.requests[1]["messages"]]
    assert sent[0] == "s" and sent[-1] == "now" and "q0" not in sent
    assert len(session.messages) == 11
    assert context_of(session).request()[1].get("content") == sent[1]


def test_an_overflow_of_the_last_turn_alone_is_told() -> None:
    with pytest.raises(ContextOverflowError):
        turn([ContextOverflowError("too long")])


class Broken(ScriptedProvider):
    """Sends a piece of text, then fails or hangs."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__([])
        self._error = error

    async def stream(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> AsyncGenerator[Any | Reply, None]:
        yield TextDelta("partial")
        if self._error:
            raise self._error
        await asyncio.sleep(3600)


def test_a_cut_answer_is_kept_and_marked() -> None:
    session = AgentSession("s", [{"role": "user", "content": "hi"}])
    with pytest.raises(ProviderUnavailableError):
        asyncio.run(collect(session, Broken(ProviderUnavailableError("cut")), Echo(), settings()))
    assert session.messages[-1].get("content") == "partial" and session.messages[-1].get("stop_reason") == "error"


def interrupt(session: AgentSession, provider: Any, tools: Any, approve: Any = None, seconds: float = 0.05) -> None:
    async def go() -> None:
        task = asyncio.ensure_future(collect(session, provider, tools, settings(approve)))
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


def test_cancelled_in_mid_answer_the_partial_text_is_kept() -> None:
    session = AgentSession("s", [{"role": "user", "content": "hi"}])
    interrupt(session, Broken(None), Echo())
    assert session.messages[-1].get("content") == "partial" and session.messages[-1].get("stop_reason") == "aborted"


def test_cancelled_in_a_tool_every_call_is_answered() -> None:
    session = AgentSession("s", [{"role": "user", "content": "hi"}])
    interrupt(session, ScriptedProvider([calling(("a", "free"), ("b", "slow"), ("c", "free"))]), Echo())
    results = {m.get("tool_call_id"): m.get("content") for m in session.messages if m["role"] == "tool"}
    assert results == {"a": "ran a", "b": "interrupted; it may have run", "c": "not run: the turn was interrupted"}


def test_cancelled_at_an_approval_nothing_ran() -> None:
    async def never(request: ApprovalRequested) -> Approval:
        await asyncio.sleep(3600)
        return Approval(True)

    session, tools = AgentSession("s", [{"role": "user", "content": "hi"}]), Echo()
    interrupt(session, ScriptedProvider([calling(("a", "ask"))]), tools, never)
    assert tools.ran == [] and session.messages[-1].get("content") == "not run: the turn was interrupted"


def test_cancelled_before_any_text_nothing_is_kept() -> None:
    session = AgentSession("s", [{"role": "user", "content": "hi"}])
    interrupt(session, ScriptedProvider(["slow"], delay=3600), Echo())
    assert [m["role"] for m in session.messages] == ["user"]


def test_closed_after_any_number_of_events_the_session_is_whole() -> None:
    """The consumer may stop at every event; what is there then is sendable and nothing is doubled."""

    async def stop_after(count: int) -> tuple[AgentSession, int]:
        session = AgentSession("s", [{"role": "user", "content": "hi"}])
        provider = ScriptedProvider([calling(("a", "free"), ("b", "free")), "done"])
        seen = 0
        async with aclosing(run_turn(session, provider, Echo(), context_of(session), settings())) as events:
            async for _ in events:
                seen += 1
                if seen == count:
                    break
        return session, seen

    count = 0
    while True:
        count += 1
        session, seen = asyncio.run(stop_after(count))
        calls = [c["id"] for m in session.messages for c in m.get("tool_calls", [])]
        results = [m.get("tool_call_id") for m in session.messages if m["role"] == "tool"]
        assert calls == results
        if seen < count:
            break
    assert count > 8
