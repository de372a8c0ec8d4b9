"""Which slash commands there are, and running a line: `dispatch` finds the command, runs it, makes errors an outcome.

Not here: the commands themselves (a file a theme beside this one), how an outcome is shown (the faces).
"""

import difflib

from scratchy.commands import branches, cost, doctor, help, looks, moving, naming, search, sessions, talk
from scratchy.commands.advice import at_prompt
from scratchy.commands.outcome import Entry, Outcome
from scratchy.core.errors import ScratchyError
from scratchy.sessions.desk import Desk
from scratchy.sessions.worker import finished


async def help_(desk: Desk, argument: str) -> Outcome:
    """Show what there is by topic, one topic (`/help keys`), or one command (`/help /undo`)."""
    wanted = argument.lower()
    if not wanted:
        return Outcome(help.overview(COMMANDS))
    topic = None if wanted.startswith("/") else help.topic_of(wanted)
    if topic is not None:
        return Outcome(help.topic_text(topic, COMMANDS))
    word = wanted.lstrip("/")
    entries = [entry for entry in COMMANDS if word in (entry.name, *entry.aliases)]
    entries = entries or [entry for entry in COMMANDS if word and entry.name.startswith(word)]
    return Outcome("\n".join(help.line(entry) for entry in entries) or help.unknown(argument))


COMMANDS = (
    Entry("help", help_, (), "[topic]", reads=True),
    Entry("status", talk.status, ("info",), reads=True),
    Entry("sessions", sessions.sessions, ("list",), reads=True),
    Entry("new", sessions.new, (), "[id]"),
    Entry("resume", sessions.resume, ("continue", "switch"), "[id]"),
    Entry("clear", sessions.clear, removes=True),
    Entry("rename", sessions.rename, (), "ID"),
    Entry("title", naming.title, (), "[text]"),
    Entry("tag", naming.tag, (), "[+x -y]"),
    Entry("fork", branches.fork, ("branch",), "[id]"),
    Entry("rewind", branches.rewind, (), "[n]", removes=True),
    Entry("redo", branches.redo, (), "[id]"),
    Entry("undo", branches.undo),
    Entry("tree", branches.tree, reads=True),
    Entry("delete", sessions.delete, (), "[id]", removes=True),
    Entry("trash", sessions.trash, reads=True),
    Entry("restore", sessions.restore, (), "[id]"),
    Entry("search", search.search, (), "TEXT", reads=True),
    Entry("history", talk.history, (), "[n] [before N]", reads=True),
    Entry("cost", cost.cost, reads=True),
    Entry("model", talk.model, (), "[name]"),
    Entry("tools", talk.tools, reads=True),
    Entry("permissions", talk.permissions, reads=True),
    Entry("copy", talk.copy, reads=True),
    Entry("editor", talk.editor, (), "[text]", reads=True),
    Entry("export", moving.export, (), "[path]", reads=True),
    Entry("import", moving.import_, (), "path"),
    Entry("system", talk.system, reads=True),
    Entry("theme", looks.theme, (), "[name]", reads=True),
    Entry("doctor", doctor.doctor, (), "[fix]"),
    Entry("exit", talk.exit_, ("quit",), reads=True),
)

_TELL = (talk.model, doctor.doctor, naming.title, naming.tag)  # without an argument they only read


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
    only_reads = entry.reads or (entry.run in _TELL and not rest.strip())
    if busy and not only_reads:
        return Outcome(f"/{entry.name} was not run: not in the middle of a turn. Type it again when the turn is over.")
    try:
        if not only_reads:
            await desk.stands()
        work = entry.run(desk, rest.strip())
        return await (work if only_reads or entry.run is talk.model else finished(work))  # no change is left half done
    except (ScratchyError, ValueError, TypeError) as error:
        return Outcome(at_prompt(str(error)))
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
