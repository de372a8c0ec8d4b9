"""`/help`: the topics on one screen, one topic, one command. Text only, short lines: it is read at 40 columns too.

Not here: which commands there are (dispatch.py), what each says of itself (its docstring).
"""

from collections.abc import Sequence
from typing import NamedTuple

from scratchy.commands.outcome import Entry


class Topic(NamedTuple):
    """`commands` by name; `more`: what else belongs to it, beside them on the first screen; `lines`: below them on its
    own."""

    name: str
    commands: tuple[str, ...] = ()
    more: str = ""
    lines: tuple[str, ...] = ()


TOPICS = (
    Topic("talking", ("help", "status", "history", "copy", "editor", "exit")),
    Topic("sessions", ("sessions", "new", "resume", "clear", "rename", "title", "tag", "delete")),
    Topic("finding", ("search",), "@session:ID", ("@session:ID in a message refers to another session.",)),
    Topic("back", ("rewind", "redo", "undo", "fork", "tree", "trash", "restore")),
    Topic("models", ("model", "cost", "system"), "", (
        "To connect one, any of:",
        "- a key: OPENAI_API_KEY, or `scratchy config set keys.OPENAI_API_KEY`",
        "- another server: OPENAI_BASE_URL, or --base-url",
        "- Ollama: `ollama serve`, then `ollama pull qwen3`",
        "- a file: --model FILE.gguf",
        "`scratchy models` lists them, with prices.",
    )),
    Topic("files", ("export", "import"), "@path", ("@path in a message mentions a file; Tab completes it.",)),
    Topic("tools", ("tools", "permissions"), "Shift-Tab", ("Shift-Tab: ask, accept edits, plan.",)),
    Topic("program", ("theme", "doctor")),
    Topic("keys", (), "Enter, Esc, Ctrl-C, Ctrl-R …", (
        "Enter: send; while an answer is written: queue",
        "Ctrl-J, Alt-Enter, or \\ before Enter: a new line",
        "Esc: interrupt; Esc Esc on an empty line: /rewind",
        "Ctrl-C: interrupt, or clear the line; twice: leave",
        "Ctrl-D on an empty line: leave",
        "Up, Down: in the text, then in the history",
        "Ctrl-R: search the history",
        "Ctrl-G, Ctrl-X Ctrl-E: write in your editor",
        "Ctrl-V: the image in the clipboard",
        "Ctrl-O: the last tool output in full",
        "Shift-Tab: change the mode",
        "Tab: complete commands, sessions, models, @files",
        "Ctrl-L: redraw. Ctrl-Z: suspend",
    )),
    Topic("shell", (), "!command, scratchy -c …", (
        "!command as the first key: run it, the model sees it",
        "!!command: run it unseen by the model",
        "scratchy -c: go on with this folder's last session",
        "scratchy -r: pick a session",
        'scratchy -p "…" < notes.txt: answer once',
        "scratchy session list, models, config, doctor",
        "scratchy --help: all flags",
        'eval "$(scratchy completion bash)": Tab in the shell',
    )),
)  # fmt: skip


def overview(entries: Sequence[Entry]) -> str:
    """The first screen: what to do, and what there is."""
    there = {entry.name for entry in entries}
    rows = [
        " ".join([f"{topic.name}:", *(f"/{name}" for name in topic.commands if name in there), topic.more])
        for topic in TOPICS
    ]
    return "\n".join(
        [
            "Type a message and press Enter. A line that begins with / is a command; Tab completes it.",
            "",
            *(row.strip() for row in rows),
            "",
            "`/help back` tells more of that topic, `/help /rewind` of that command.",
        ]
    )


def topic_of(wanted: str) -> Topic | None:
    """By its name, or the beginning of one alone."""
    fits = [topic for topic in TOPICS if topic.name.startswith(wanted)]
    return next((topic for topic in TOPICS if topic.name == wanted), fits[0] if len(fits) == 1 else None)


def unknown(wanted: str) -> str:
    return f"/help knows no topic and no command '{wanted}'. The topics: {', '.join(topic.name for topic in TOPICS)}."


def topic_text(topic: Topic, entries: Sequence[Entry]) -> str:
    by_name = {entry.name: entry for entry in entries}
    return "\n".join([*(line(by_name[name]) for name in topic.commands if name in by_name), *topic.lines])


def line(entry: Entry) -> str:
    called = f"/{entry.name} {entry.argument}".strip()
    also = f" ({', '.join(f'/{name}' for name in entry.aliases)})" if entry.aliases else ""
    return f"{called}{also}: {entry.help}{' Full name needed.' if entry.removes else ''}"
