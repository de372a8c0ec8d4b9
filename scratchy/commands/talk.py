"""Slash commands about the current conversation: its state, its messages, its model, leaving it.

Not here: how a message is told (telling.py).
"""

import re
from collections.abc import Callable
from typing import Any, cast

from scratchy.commands.outcome import Outcome
from scratchy.commands.telling import counted, messages_text
from scratchy.core.messages import Message, text_of
from scratchy.core.modes import ASK, MODES, YOLO
from scratchy.core.ports import Store
from scratchy.core.stored import tags_in
from scratchy.core.text import reveal_line
from scratchy.sessions.desk import Desk
from scratchy.sessions.family import parent_of
from scratchy.sessions.project import folder_in

_PAGE = 10  # messages that /history shows unasked
_LARGEST = 1000  # … and at most
_COUNTS = ("prompt_tokens", "completion_tokens")
_AROUND = 3  # messages shown before and after the one that was looked for


async def status(desk: Desk, argument: str) -> Outcome:
    """Show the current session: messages, times, whether it is saved, which model answers."""
    conversation = desk.conversation
    session = conversation.session
    provider = desk.provider
    unsaved = f" (not saved: {conversation.unsaved})" if conversation.unsaved else ""
    lines = [
        f"Session ID: {session.session_id}",
        f"Messages: {conversation.count}",
        f"Created: {session.created_at:%Y-%m-%d %H:%M:%S}",
        f"Last Activity: {session.last_activity:%Y-%m-%d %H:%M:%S}",
        f"Saved: {'Yes' if conversation.saved and desk.keeps else 'No'}{unsaved}",
        reveal_line(f"Model: {provider.name} · {provider.model}") if provider else "Model: none chosen yet",
        f"Tokens: {_tokens(session.messages, session.metadata.get('title_usage'))}",
        f"Cost: {desk.spending.all.cost} in this run; /cost tells more",
        *_described(desk),
        f"Folder: {desk.config.folder}",
        *([f"Added folders: {', '.join(map(str, desk.config.add_dirs))}"] if desk.config.add_dirs else []),
        f"Sessions in: {desk.place}",
    ]
    if desk.mode != ASK:
        lines.append(f"Approvals: {'off (yolo)' if desk.mode == YOLO else desk.mode}")
    return Outcome("\n".join(lines))


async def history(desk: Desk, argument: str) -> Outcome:
    """Show the last messages with their numbers (10, or as many as you say), or those before a number."""
    asked = re.fullmatch(r"([0-9]*) *(?:before ([0-9]+))?", argument.lower())
    if asked is None:
        return Outcome("Say how many messages: `/history 20`, and before which: `/history 20 before 100`.")
    wanted = min(int(asked[1] or _PAGE), _LARGEST)
    first, messages = await desk.conversation.page(wanted, int(asked[2]) if asked[2] else None)
    if not messages:
        return Outcome("No messages yet." if not desk.conversation.count else "No messages there.")
    more = f"\n\n{counted(first, 'message')} before: `/history {wanted} before {first}`" if first else ""
    return Outcome(messages_text(messages, first) + more)


def around(store: Store, session_id: str, number: int) -> str:
    """Message `number` of any session and those beside it, told as /history does. Reads no more than these.

    Raises: what `Store.tail` raises.
    """
    first, messages = store.tail(session_id, 2 * _AROUND + 1, before=number + _AROUND + 1)
    if not first <= number < first + len(messages):
        return f"Session '{session_id}' has no message {number}."
    return messages_text(messages, first, marked=number)


async def model(desk: Desk, argument: str) -> Outcome:
    """Show the model and what else there is, or choose: `/model NAME`, `/model provider/NAME`."""
    if argument:
        choice = await desk.use_model(argument)
        return Outcome(reveal_line(f"Model: {choice.provider.name} · {choice.provider.model}"))
    choice = await desk.choice()
    await choice.provider.prepare()
    rows = [f"Model: {choice.provider.name} · {choice.provider.model} ({choice.why})", *await desk.model_names()]
    return Outcome("\n".join(map(reveal_line, rows)))  # a server's names: each stays in its row


async def tools(desk: Desk, argument: str) -> Outcome:
    """List the tools that the model may ask for."""
    specs = [spec["function"] for spec in desk.conversation.engine.tools.specs()]
    return Outcome("\n".join(f"{spec['name']}: {str(spec.get('description', '')).partition('.')[0]}" for spec in specs))


async def permissions(desk: Desk, argument: str) -> Outcome:
    """Show what runs unasked: the mode, and what you allowed for this session."""
    tools = desk.conversation.engine.tools
    remembered: Callable[[], list[tuple[str, str]]] = getattr(tools, "remembered", _nothing)
    allowed = [f"{tool}: {scope}" for tool, scope in remembered()]
    modes = f"Mode: {desk.mode} ({MODES[desk.mode]}). Shift-Tab goes on to the next: {', '.join(desk.modes)}."
    return Outcome("\n".join([modes, "Allowed for this session:" if allowed else "Nothing more is allowed.", *allowed]))


def _nothing() -> list[tuple[str, str]]:
    """A toolset of somebody else's remembers what it likes."""
    return []


async def copy(desk: Desk, argument: str) -> Outcome:
    """Copy the last answer to the clipboard."""
    answers = (text_of(m) for m in reversed(desk.conversation.session.messages) if m.get("role") == "assistant")
    answer = next((text for text in answers if text), None)
    return Outcome("Copied the last answer.", copy=answer) if answer else Outcome("There is no answer to copy yet.")


async def editor(desk: Desk, argument: str) -> Outcome:
    """Write the next message in your editor ($VISUAL, $EDITOR), as Ctrl-G does with what is typed."""
    return Outcome(edit=argument)


async def system(desk: Desk, argument: str) -> Outcome:
    """Show the system message."""
    _, messages = await desk.conversation.page(1, before=1)
    stored = text_of(messages[0]) if messages and messages[0].get("role") == "system" else ""
    return Outcome(stored or f"{desk.conversation.engine.system_prompt}\n(sent with each request, not stored)")


async def exit_(desk: Desk, argument: str) -> Outcome:
    """Leave. What is said is saved as it is said; where it could not be, leaving is refused once."""
    return Outcome(quit=True)


def _described(desk: Desk) -> list[str]:
    """What the session's header tells of it, where it does."""
    conversation = desk.conversation
    title = conversation.writer.header.title if conversation.writer else None
    metadata = conversation.session.metadata
    parent, held_in = parent_of(metadata), folder_in(metadata)
    lines = [f"Title: {title}"] if title else []
    if tags := tags_in(metadata):
        lines.append(f"Tags: {', '.join(tags)}")
    if parent is not None:
        lines.append(f"Parent: {parent[0]}" + (f", forked at message {parent[1]}" if parent[1] is not None else ""))
    if held_in and held_in != str(desk.config.folder):
        lines.append(f"Was held in: {held_in}")
    return lines


def _tokens(messages: list[Message], title: Any) -> str:
    """`title`: what asking for the session's title took."""
    told: list[Any] = [*(message.get("usage") for message in messages), title]
    usages = [cast("dict[str, Any]", usage) for usage in told if isinstance(usage, dict)]
    sent, answered = (sum(count for usage in usages if type(count := usage.get(key)) is int) for key in _COUNTS)
    return f"{sent} in, {answered} out"
