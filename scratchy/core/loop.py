"""The turn: ask the model, run the tools it asks for, until it answers without any. Told as events, pulled by others.

Not here: storing (whoever iterates stores each `MessageAdded` before asking for more), showing, choosing a provider.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from scratchy.core.context import Context
from scratchy.core.errors import ContextOverflowError, ProviderError
from scratchy.core.events import (
    ApprovalRequested,
    ContextTrimmed,
    Event,
    MessageAdded,
    Notice,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    TurnFinished,
)
from scratchy.core.messages import Message, StopReason, ToolCall, ToolSpec, calls_of, text_of
from scratchy.core.ports import (
    Approval,
    Approve,
    Ask,
    Clock,
    Provider,
    Refuse,
    Reply,
    Run,
    ToolResult,
    Toolset,
    Verdict,
)
from scratchy.core.session import AgentSession, missing_results, result

Affordable = Callable[[Sequence[Message], Sequence[ToolSpec]], bool]
CUT_SHORT = "not run: the answer was cut by the token limit before the call was complete; ask again in smaller pieces"

ONLY_THOUGHT = "The model thought and ended without an answer. Ask again, or tell it to answer."
NO_ANSWER = "The model ended without an answer. Ask again, or tell it to answer."


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """`approve` None runs unasked what would ask. `new_id` makes ids for calls that came without one. `affordable` is
    asked before each request: False ends the turn (`budget`). `spent` is told each answer, one cut off too."""

    clock: Clock
    new_id: "NewId"
    approve: Approve | None = None
    max_steps: int = 20
    affordable: Affordable = lambda messages, tools: True
    spent: Callable[[Message], None] = lambda answer: None


class NewId:
    """Call ids out of a prefix and a counter: unique within a process when the prefix is."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._count = 0

    def __call__(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"


async def run_turn(
    session: AgentSession, provider: Provider, tools: Toolset, context: Context, settings: TurnSettings
) -> AsyncGenerator[Event, None]:
    """One turn over `session.messages`, which end with the user's message; `context` already holds them.

    Each finished message is appended to `session.messages`, then told as `MessageAdded`. Cancelled or closed early, it
    appends the partial answer (`aborted`) and an answer for each open call, and lets the cancellation pass.
    Raises: ProviderError, after keeping what had come of the answer (`error`).
    """
    turn = _Turn(session, provider, tools, context, settings)
    try:
        for step in range(1, settings.max_steps + 1):
            if not turn.affordable():
                yield TurnFinished("budget")
                return
            yield StepStarted(step)
            async with aclosing(turn.ask()) as events:
                async for event in events:
                    yield event
            answer = session.messages[-1]
            calls = calls_of(answer)
            if not calls:
                yield TurnFinished("length" if answer.get("stop_reason") == "length" else "stop")
                return
            for call in calls:
                async with aclosing(turn.handle(call, cut_short=answer.get("stop_reason") == "length")) as events:
                    async for event in events:
                        yield event
        yield TurnFinished("steps")
    except BaseException:
        turn.answer_open_calls()
        raise


class _Turn:
    def __init__(
        self, session: AgentSession, provider: Provider, tools: Toolset, context: Context, settings: TurnSettings
    ) -> None:
        self._session = session
        self._provider = provider
        self._tools = tools
        self._context = context
        self._settings = settings
        self._clock = settings.clock
        self._running: str | None = None  # id of the call that runs now

    def affordable(self) -> bool:
        return self._settings.affordable(self._context.request(), self._specs())

    def _specs(self) -> Sequence[ToolSpec]:
        return self._tools.specs() if self._provider.supports_tools else []

    async def ask(self) -> AsyncGenerator[Event, None]:
        """One step's request; the answer is the last message of the session when this ends."""
        specs = self._specs()
        while True:
            text: list[str] = []
            thought = False
            started = self._clock.monotonic()
            try:
                async with aclosing(self._request(specs)) as events:
                    async for event in events:
                        if isinstance(event, Reply):
                            yield self._finish_answer(event.message, started)
                            if not (text_of(event.message).strip() or calls_of(event.message)):
                                yield Notice(ONLY_THOUGHT if thought else NO_ANSWER)
                            return
                        if isinstance(event, TextDelta):
                            text.append(event.text)
                        thought = thought or isinstance(event, ThinkingDelta)
                        yield event
                raise ProviderError(f"{self._provider.name} ended its answer without finishing it")
            except ContextOverflowError as overflow:
                dropped, start = (0, 0) if text or thought else self._context.trim(overflow)
                if not dropped:
                    raise
                self._session.context_start = start
                yield ContextTrimmed(dropped)
            except ProviderError:
                if self._keep_partial(text, "error", started):
                    yield MessageAdded(self._session.messages[-1])
                raise
            except BaseException:
                self._keep_partial(text, "aborted", started)
                raise

    async def _request(self, specs: Sequence[ToolSpec]) -> AsyncGenerator[Event | Reply, None]:
        async with aclosing(self._provider.stream(self._context.request(), specs)) as stream:
            async for item in stream:
                yield item

    async def handle(self, call: ToolCall, *, cut_short: bool) -> AsyncGenerator[Event, None]:
        """Check one call, ask for approval where needed, run it, put its result into the session."""
        verdict = Refuse(ToolResult(CUT_SHORT, is_error=True)) if cut_short else await self._tools.checked(call)
        started, name = self._clock.monotonic(), call["function"]["name"]
        summary = verdict.summary or (call["function"]["arguments"] if isinstance(verdict, Refuse) else "")
        if isinstance(verdict, Ask) and self._settings.approve is not None:
            request = ApprovalRequested(call, name, verdict.arguments, verdict.preview, verdict.scope)
            yield request
            verdict = self._judge(call, verdict, await self._settings.approve(request))
            started = self._clock.monotonic()
        elif isinstance(verdict, Ask) and not verdict.scope:
            verdict = Refuse(ToolResult("not run: this asks each time, and nobody can be asked here", is_error=True))
        outcome = ToolResult("the tool gave no result", is_error=True)
        if isinstance(verdict, Refuse):
            outcome = verdict.result
        else:
            self._running = call["id"]
            yield ToolStarted(call, name, verdict.arguments, summary)
            async with aclosing(self._tools.run(call)) as items:
                async for item in items:
                    if isinstance(item, ToolOutput):
                        yield item
                    else:
                        outcome = item
            self._running = None
        answer = result(call["id"], name, outcome.output, is_error=outcome.is_error)
        if outcome.files:
            answer["files"] = list(outcome.files)
        added = self._add(answer, None)
        display, ran = outcome.display or outcome.output, not isinstance(verdict, Refuse)
        took = self._since(started)
        yield ToolFinished(call, name, summary, ran, outcome.output, display, outcome.is_error, took)
        yield added

    def _judge(self, call: ToolCall, verdict: Ask, approval: Approval) -> Verdict:
        if not approval.allowed:
            said = f": {approval.message}" if approval.message else ""
            return Refuse(ToolResult(f"not run: the user said no{said}", is_error=True))
        if approval.always:
            self._tools.remember(call)
        return Run(verdict.arguments, verdict.summary)

    def _finish_answer(self, reply: Message, started: float) -> MessageAdded:
        message: Message = {**reply, "role": "assistant"}
        calls = self._with_unique_ids(calls_of(reply))
        message.pop("tool_calls", None)
        if calls:
            message["tool_calls"] = calls
        stop_reason: StopReason = reply.get("stop_reason", "stop")
        message["stop_reason"] = "tool_calls" if calls and stop_reason == "stop" else stop_reason
        message.setdefault("model", self._provider.model)
        return self._add(message, started)

    def _with_unique_ids(self, calls: Sequence[ToolCall]) -> list[ToolCall]:
        seen: set[str] = set()
        unique: list[ToolCall] = []
        for call in calls:
            call_id = call["id"] if call["id"] and call["id"] not in seen else self._settings.new_id()
            seen.add(call_id)
            unique.append({**call, "id": call_id})
        return unique

    def _keep_partial(self, text: list[str], reason: StopReason, started: float) -> bool:
        if not text:
            return False
        self._add(
            {"role": "assistant", "content": "".join(text), "stop_reason": reason, "model": self._provider.model},
            started,
        )
        return True

    def _add(self, message: Message, started: float | None) -> MessageAdded:
        message["ts"] = _stamp(self._clock)
        if started is not None:
            message["duration_ms"] = self._since(started)
            self._settings.spent(message)
        self._session.messages.append(message)
        self._context.extend([message])
        return MessageAdded(message)

    def _since(self, started: float) -> int:
        return round(1000 * (self._clock.monotonic() - started))

    def answer_open_calls(self) -> None:
        for message in missing_results(self._session.messages):
            if message.get("tool_call_id") != self._running:
                message["content"] = "not run: the turn was interrupted"
            self._add(message, None)


def _stamp(clock: Clock) -> str:
    return clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def last_text(messages: Sequence[Message]) -> str:
    """The text of the last assistant message, empty when there is none."""
    return next((text_of(message) for message in reversed(messages) if message.get("role") == "assistant"), "")
