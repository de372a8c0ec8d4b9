"""Slash commands about the current conversation: its state, its messages, its model, leaving it."""

from scratchy.commands.outcome import Outcome
from scratchy.core.messages import Message, calls_of, text_of
from scratchy.sessions.desk import Desk


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
        f"Model: {provider.name} · {provider.model}" if provider else "Model: none chosen yet",
        f"Tokens: {_tokens(session.messages)}",
        f"Folder: {desk.config.folder}",
        f"Sessions in: {desk.place}",
    ]
    if desk.config.yolo:
        lines.append("Approvals: off (yolo)")
    return Outcome("\n".join(lines))


async def history(desk: Desk, argument: str) -> Outcome:
    """Show the last messages (10, or as many as you say)."""
    if argument and not argument.isdecimal():
        return Outcome("Say how many messages: `/history 20`.")
    count = int(argument or 10)
    messages = desk.conversation.recent(count)
    if len(messages) < min(count, desk.conversation.count):
        messages = (await desk.conversation.load_whole())[-count:] if count else []
    return Outcome("\n\n".join(_message_text(message) for message in messages) or "No messages yet.")


async def model(desk: Desk, argument: str) -> Outcome:
    """Show the model and what else there is, or choose: `/model NAME`, `/model provider/NAME`."""
    if argument:
        choice = await desk.use_model(argument)
        return Outcome(f"Model: {choice.provider.name} · {choice.provider.model}")
    choice = await desk.choice()
    await choice.provider.prepare()
    names = await desk.model_names()
    return Outcome("\n".join([f"Model: {choice.provider.name} · {choice.provider.model} ({choice.why})", *names]))


async def tools(desk: Desk, argument: str) -> Outcome:
    """List the tools that the model may ask for."""
    specs = [spec["function"] for spec in desk.conversation.engine.tools.specs()]
    return Outcome("\n".join(f"{spec['name']}: {str(spec.get('description', '')).partition('.')[0]}" for spec in specs))


async def copy(desk: Desk, argument: str) -> Outcome:
    """Copy the last answer to the clipboard."""
    answers = (text_of(m) for m in reversed(desk.conversation.session.messages) if m.get("role") == "assistant")
    answer = next((text for text in answers if text), None)
    return Outcome("Copied the last answer.", copy=answer) if answer else Outcome("There is no answer to copy yet.")


async def system(desk: Desk, argument: str) -> Outcome:
    """Show the system message."""
    messages = (await desk.conversation.load_whole())[:1]
    stored = text_of(messages[0]) if messages and messages[0].get("role") == "system" else ""
    return Outcome(stored or f"{desk.conversation.engine.system_prompt}\n(sent with each request, not stored)")


async def exit_(desk: Desk, argument: str) -> Outcome:
    """Leave. What is said is saved as it is said; where it could not be, leaving is refused once."""
    return Outcome(quit=True)


def _message_text(message: Message) -> str:
    who = {"user": "You", "assistant": "Assistant", "system": "System"}.get(
        message.get("role", ""), message.get("name", "tool")
    )
    calls = "".join(f"\n→ {call['function']['name']}({call['function']['arguments']})" for call in calls_of(message))
    text = text_of(message)
    if message.get("role") == "tool" and len(text) > 400:
        text = f"{text[:400]}…"
    return f"{who}: {text}{calls}"


def _tokens(messages: list[Message]) -> str:
    usages = [message["usage"] for message in messages if isinstance(message.get("usage"), dict)]  # pyright: ignore[reportTypedDictNotRequiredAccess]
    sent = sum(usage.get("prompt_tokens", 0) for usage in usages)
    answered = sum(usage.get("completion_tokens", 0) for usage in usages)
    return f"{sent} in, {answered} out"
