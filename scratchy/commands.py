"""The slash commands: a function each, its docstring is its help. They return data and print nothing.

Not here: how an outcome is shown (the faces), what moving between sessions takes (sessions/desk.py).
"""

import difflib
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scratchy.core.errors import ScratchyError
from scratchy.core.messages import Message, calls_of, text_of
from scratchy.core.stored import SessionInfo
from scratchy.sessions.desk import Desk
from scratchy.sessions.times import local_time
from scratchy.sessions.worker import finished


@dataclass(frozen=True)
class Outcome:
    """What to show. `copy`: text for the clipboard. `switched`: another session is current, show its last exchanges."""

    text: str = ""
    markdown: bool = False
    copy: str | None = None
    quit: bool = False
    switched: bool = False


Command = Callable[[Desk, str], Awaitable[Outcome]]


@dataclass(frozen=True)
class Entry:
    """`reads`: it changes nothing, so it runs in mid-turn too. `removes`: its whole name must be typed."""

    name: str
    run: Command
    aliases: tuple[str, ...] = ()
    argument: str = ""
    reads: bool = False
    removes: bool = False

    @property
    def help(self) -> str:
        return " ".join((self.run.__doc__ or "").split())


async def help_(desk: Desk, argument: str) -> Outcome:
    """Show all commands, or one of them."""
    wanted = argument.lstrip("/").lower()
    entries = [entry for entry in COMMANDS if not wanted or entry.name.startswith(wanted) or wanted in entry.aliases]
    lines = [_help_line(entry) for entry in entries]
    keys = ["", *KEYS] if not wanted else []
    return Outcome("\n".join(lines + keys) if entries else str(_find(wanted)))


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


async def sessions(desk: Desk, argument: str) -> Outcome:
    """List all sessions, newest activity first."""
    infos = desk.manager.infos()
    if not infos:
        return Outcome(f"No sessions in {desk.place} yet.")
    current = desk.conversation.session_id
    return Outcome("\n".join(session_line(info, current=info.session_id == current) for info in infos))


async def new(desk: Desk, argument: str) -> Outcome:
    """Start a new session; without an id one is made."""
    await desk.new(argument or None)
    return Outcome(f"Created new session: '{desk.conversation.session_id}'", switched=True)


async def resume(desk: Desk, argument: str) -> Outcome:
    """Go on with a stored session; without an id, show the newest ten."""
    if not argument:
        newest = desk.manager.infos()[:10]
        lines = [session_line(info) for info in newest]
        return Outcome("\n".join([*lines, "Type `/resume ID` to open one."]) if lines else "No sessions to resume yet.")
    await desk.resume(argument)
    return Outcome(f"Resumed session: '{argument}' ({desk.conversation.count} messages)", switched=True)


async def clear(desk: Desk, argument: str) -> Outcome:
    """Forget this session's messages, all but the system message. `/restore` brings them back."""
    await desk.conversation.clear()
    return Outcome(f"Cleared session: '{desk.conversation.session_id}'")


async def rename(desk: Desk, argument: str) -> Outcome:
    """Give this session another id."""
    if not argument:
        return Outcome("Name the new id: `/rename ID`.")
    old = desk.conversation.session_id
    await desk.rename(argument)
    return Outcome(f"Renamed session: '{old}' is now '{argument}'")


async def delete(desk: Desk, argument: str) -> Outcome:
    """Move a session (this one, without an id) to the trash. `/restore ID` brings it back."""
    session_id = argument or desk.conversation.session_id
    current = desk.conversation.session_id == session_id
    if not await desk.delete(session_id):
        return Outcome(f"Session '{session_id}' not found.")
    text = f"Deleted session: '{session_id}' (it is in the trash; `/restore {session_id}` brings it back)"
    return Outcome(
        f"{text}\nCreated new session: '{desk.conversation.session_id}'" if current else text, switched=current
    )


async def trash(desk: Desk, argument: str) -> Outcome:
    """List what was deleted, cleared or replaced. Nothing empties it by itself."""
    entries = desk.manager.trash()
    lines = [
        f"{_when(entry.when)}  {entry.session_id}  {entry.count} messages, {entry.reason}  (`/restore {entry.name}`)"
        for entry in entries
    ]
    total = sum(entry.size for entry in entries)
    return Outcome("\n".join([*lines, f"{len(entries)} entries, {_size(total)}"]) if entries else "The trash is empty.")


async def restore(desk: Desk, argument: str) -> Outcome:
    """Bring back a session's newest version from the trash (this one's, without an id), or the entry that you name."""
    await desk.restore(argument or desk.conversation.session_id)
    current = desk.conversation
    return Outcome(f"Restored session: '{current.session_id}' ({current.count} messages)", switched=True)


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


async def export(desk: Desk, argument: str) -> Outcome:
    """Write this session to a new file, JSON or Markdown by its suffix (ID.json without a path)."""
    name = argument or f"{''.join(c if c.isalnum() or c in '-_.' else '_' for c in desk.conversation.session_id)}.json"
    path = Path(desk.config.folder) / os.path.expanduser(name)
    try:
        count = await desk.export(path)
    except FileExistsError:
        return Outcome(f"{path} exists already; nothing was written. Name another file: `/export PATH`.")
    return Outcome(f"Exported {count} messages to {path}")


async def system(desk: Desk, argument: str) -> Outcome:
    """Show the system message."""
    messages = (await desk.conversation.load_whole())[:1]
    stored = text_of(messages[0]) if messages and messages[0].get("role") == "system" else ""
    return Outcome(stored or f"{desk.conversation.engine.system_prompt}\n(sent with each request, not stored)")


async def exit_(desk: Desk, argument: str) -> Outcome:
    """Leave. What is said is saved as it is said; where it could not be, leaving is refused once."""
    return Outcome(quit=True)


COMMANDS = (
    Entry("help", help_, (), "[command]", reads=True),
    Entry("status", status, ("info",), reads=True),
    Entry("sessions", sessions, ("list",), reads=True),
    Entry("new", new, (), "[id]"),
    Entry("resume", resume, ("continue", "switch"), "[id]"),
    Entry("clear", clear, removes=True),
    Entry("rename", rename, (), "ID"),
    Entry("delete", delete, (), "[id]", removes=True),
    Entry("trash", trash, reads=True),
    Entry("restore", restore, (), "[id]"),
    Entry("history", history, (), "[n]", reads=True),
    Entry("model", model, (), "[name]"),
    Entry("tools", tools, reads=True),
    Entry("copy", copy, reads=True),
    Entry("export", export, (), "[path]", reads=True),
    Entry("system", system, reads=True),
    Entry("exit", exit_, ("quit",), reads=True),
)
KEYS = (
    "Enter sends (in mid-turn: queues) · Ctrl-J or Alt-Enter: newline · Esc interrupts · Ctrl-C twice or Ctrl-D leaves",
    "Ctrl-R searches the history · Ctrl-G opens an editor · Ctrl-O shows the last tool output in full",
)


def command_names() -> list[str]:
    """All names with their slash, aliases included."""
    return [f"/{name}" for entry in COMMANDS for name in (entry.name, *entry.aliases)]


async def dispatch(desk: Desk, line: str, *, busy: bool = False) -> Outcome:
    """Run one slash line. Never raises for bad input: what went wrong is the outcome's text."""
    word, *rests = line.strip().removeprefix("/").split(None, 1)[:2] or [""]
    rest = rests[0] if rests else ""
    entry = _find(word.lower())
    if isinstance(entry, str):
        return Outcome(entry)
    only_reads = entry.reads or (entry.run is model and not rest.strip())
    if busy and not only_reads:
        return Outcome(f"/{entry.name} was not run: not in the middle of a turn. Type it again when the turn is over.")
    try:
        work = entry.run(desk, rest.strip())
        return await (work if entry.reads or entry.run is model else finished(work))  # no change is left half done
    except (ScratchyError, ValueError, TypeError) as error:
        return Outcome(str(error))
    except OSError as error:
        return Outcome(
            f"/{entry.name} failed: {error.strerror or error}{f' ({error.filename})' if error.filename else ''}."
        )


def _find(word: str) -> Entry | str:
    """The command that a word means, or a sentence that says why it means none."""
    names = {name: entry for entry in COMMANDS for name in (entry.name, *entry.aliases)}
    if word in names:
        return names[word]
    fits = {name: entry for name, entry in names.items() if word and name.startswith(word)}
    if len({entry.name for entry in fits.values()}) == 1:
        entry = next(iter(fits.values()))
        return f"Type the whole name: /{entry.name} removes something." if entry.removes else entry
    if fits:
        return f"'/{word}' could be {', '.join(f'/{name}' for name in fits)}."
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    hint = f" Did you mean /{near[0]}?" if near else " /help lists them."
    return f"Unknown command '/{word}'.{hint}"


def session_line(info: SessionInfo, *, current: bool = False) -> str:
    """One session as a row: id, messages, age."""
    if info.error or info.header is None:
        return f"  {info.session_id}  cannot be read: {info.reason}"
    mark = "* " if current else "  "
    title = f"  {info.header.title}" if info.header.title else ""
    note = "  (foreign: its header names another id)" if info.foreign else ""
    return f"{mark}{info.session_id}  {info.count} messages, {age(local_time(info.header.updated_at))}{title}{note}"


def age(moment: datetime) -> str:
    """How long ago, in one unit; a date where that means nothing."""
    seconds = (datetime.now() - moment).total_seconds()
    if seconds < -60:
        return f"{moment:%Y-%m-%d}"
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago" if count < 10_000 else f"{moment:%Y-%m-%d}"
    return "just now"


def _help_line(entry: Entry) -> str:
    names = " ".join(f"/{name}" for name in (entry.name, *entry.aliases))
    return f"{names} {entry.argument}".strip().ljust(32) + f" {entry.help}"


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


def _when(stamp: str) -> str:
    return f"{local_time(stamp):%Y-%m-%d %H:%M:%S}"


def _size(count: int) -> str:
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} kB"
