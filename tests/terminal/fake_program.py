"""A terminal program whose session, model and tools are made up: what the screen is tried with, on a real pty.

`python fake_program.py [key=value …]`; what a line says decides what the made-up model does (see `_TURNS`).
"""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scratchy.config import Config
from scratchy.core.errors import ProviderUnavailableError
from scratchy.core.events import (
    ApprovalRequested,
    Event,
    MessageAdded,
    Notice,
    RetryScheduled,
    SaveFailed,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
    ToolOutput,
    ToolStarted,
    TurnFinished,
)
from scratchy.core.messages import Message, ToolCall
from scratchy.sessions.drafts import Content, Draft
from scratchy.sessions.paths import Paths
from scratchy.sessions.spending import Spending
from scratchy.terminal.boot import Boot, Commands
from scratchy.terminal.repl import run

OPTIONS = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
EVIL = "\x1b]0;owned\x07\x1b[31mred\x9b32m\x1bPq\x1b\\\x07\x08\r\x7f"

MARKDOWN = """# Title

A paragraph with **bold** and `code`.

- one
- two

```python
def f():

    return 1
```

| a | b |
|---|---|
| 1 | 2 |

The end.
"""


def call(name: str, arguments: str = "{}", number: int = 1) -> ToolCall:
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


@dataclass(frozen=True)
class Outcome:
    text: str = ""
    markdown: bool = False
    copy: str | None = None
    quit: bool = False
    switched: bool = False
    choose: Any = None
    pick: bool = False
    theme: str | None = None
    edit: str | None = None


class Drafts:
    """Nothing was left last time, nothing is kept."""

    parting = None

    async def load(self) -> Draft:
        return Draft()

    async def keep(self, content: Content) -> None:
        pass


class Conversation:
    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self.drafts = Drafts()
        self.unsaved = ""
        self.approve = None
        self.messages: list[Message] = []
        self.stored_on_cancel = ""

    @property
    def count(self) -> int:
        return len(self.messages)

    def recent(self, count: int) -> list[Message]:
        return self.messages[-count:]

    async def settle(self) -> None:
        if self.unsaved and Path(OPTIONS["full"]).exists():
            raise OSError(28, "No space left on device")
        self.unsaved = ""

    async def turn(self, line: str) -> AsyncGenerator[Event, None]:
        word, _, rest = line.partition(" ")
        if word == "unstorable":
            raise OSError(28, "No space left on device")
        self.messages.append({"role": "user", "content": line})
        yield StepStarted(1)
        try:
            async for event in _TURNS[word](self, rest) if word in _TURNS else _say(self, line):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            with open(OPTIONS.get("log", "/dev/null"), "a", encoding="utf-8") as log:
                log.write(f"cancelled {line}\n")
            raise
        yield TurnFinished("stop")


def _answer(self: Conversation, text: str) -> Event:
    message: Message = {"role": "assistant", "content": text}
    self.messages.append(message)
    return MessageAdded(message)


async def _say(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    for piece in ["You ", "said: ", text]:
        yield TextDelta(piece)
        await asyncio.sleep(0)
    yield _answer(self, f"You said: {text}")


async def _markdown(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    for at in range(0, len(MARKDOWN), 3):
        yield TextDelta(MARKDOWN[at : at + 3])
        await asyncio.sleep(0.002)
    yield _answer(self, MARKDOWN)


async def _slow(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    for number in range(1, 2000):
        yield TextDelta(f"word{number} " + ("\n\n" if number % 10 == 0 else ""))
        await asyncio.sleep(0.02)


async def _stream(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    """`stream FILE [TOKENS_PER_SECOND]`, four characters a token."""
    path, _, rate = text.partition(" ")
    with open(path, encoding="utf-8") as file:
        answer = file.read()
    start = time.monotonic()
    for index, at in enumerate(range(0, len(answer), 4)):
        yield TextDelta(answer[at : at + 4])
        if rate:
            await asyncio.sleep(max(0.0, start + index / float(rate) - time.monotonic()))
        elif index % 50 == 0:
            await asyncio.sleep(0)
    yield _answer(self, answer)


async def _flood(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    """`flood MEGABYTES [PIECE] [whole]`: no line ever ends; `whole`: all of it in one delta."""
    megabytes, piece, how = [*text.split(), "", ""][:3]
    piece = (piece or "abc") + " "
    count = int(megabytes) * 1_000_000 // len(piece)
    if how == "whole":
        yield TextDelta(piece * count)
    for _ in range(0 if how == "whole" else count // 100):
        yield TextDelta(piece * 100)
    yield _answer(self, "")


async def _tool(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    it = call("read_file", '{"file_path": "notes.txt"}')
    yield TextDelta("Let me look.")
    yield _answer(self, "Let me look.")
    yield ToolStarted(it, "read_file", {"file_path": "notes.txt"}, "notes.txt")
    yield ToolOutput("call_1", "line 1\nline 2\n")
    await asyncio.sleep(0.3)
    yield ToolFinished(it, "read_file", "notes.txt", True, "the output of the tool", "", False, 12)
    yield StepStarted(2)
    yield TextDelta("Done.")
    yield _answer(self, "Done.")


async def _think(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    """`think [N]`: so many thoughts, then an answer; the last thought is said after it."""
    for number in range(1, int(text or "30") + 1):
        yield ThinkingDelta(f"thought{number}{EVIL if number == 2 else ''} " + ("\n" if number % 10 == 0 else ""))
        await asyncio.sleep(0.05)
    yield TextDelta("So it is.")
    yield _answer(self, "So it is.")


DIFF = "--- /f/a.py\n+++ /f/a.py\n@@ -1,3 +1,30 @@\n one\n-two\x1b[31m\n+\ttwo 漢字\u202e\n"


async def _edit(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    """`edit`: unasked; `edit asked`: asked for."""
    it = call("edit_file", '{"file_path": "a.py"}', 7)
    diff = DIFF + "".join(f"+line {number}\n" for number in range(1, 28)) + "\\ No newline at end of file\n"
    if text:
        request = ApprovalRequested(it, "edit_file", {}, f"/f/a.py\n{diff}", "this folder")
        yield request
        assert self.approve is not None
        await self.approve(request)
    yield ToolStarted(it, "edit_file", {}, "a.py")
    yield ToolFinished(it, "edit_file", "a.py", True, "Edited /f/a.py.", diff, False, 3)
    yield TextDelta("Edited.")
    yield _answer(self, "Edited.")


async def _many(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    """`many N FILE`: so many calls side by side until the file is there, one of them with a bar that moves."""
    count, _, path = text.partition(" ")
    calls = [call("execute_command", "{}", number) for number in range(int(count))]
    for number, it in enumerate(calls):
        yield ToolStarted(it, "execute_command", {}, f"job {number} " + "very long " * 40)
    percent = 0
    while not Path(path).exists():
        percent += 1
        yield ToolOutput("call_0", f"\x1b[32m{percent} %\x1b[0m\r")
        await asyncio.sleep(0.02)
    for number, it in enumerate(calls):
        long = "x\n" * 20_000 if number == 0 else ""
        output = f"{long}output {number}\n1 %\r2 %\r100 %\ndone {number}\n"
        yield ToolFinished(it, "execute_command", f"job {number} " + "very long " * 40, True, output, "", False, 5)
    yield _answer(self, "")


async def _ask(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    it = call("execute_command", text)
    request = ApprovalRequested(it, "execute_command", {"command": text}, text, "this command")
    yield request
    assert self.approve is not None
    answer = await self.approve(request)
    said = f"allowed={answer.allowed} always={answer.always} message={answer.message!r}"
    yield TextDelta(said)
    yield _answer(self, said)


async def _later(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    """`later FILE`: asks once the file is there."""
    while not Path(text).exists():
        await asyncio.sleep(0.02)
    async for event in _ask(self, "rm"):
        yield event


async def _fail(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    yield RetryScheduled("the server does not answer", 0.2, 1)
    await asyncio.sleep(0.4)
    raise ProviderUnavailableError("The model at http://localhost:1 could not be reached.")


async def _unsaved(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    yield TextDelta("An answer.")
    yield _answer(self, "An answer.")
    self.unsaved = "no space"
    yield SaveFailed("no space")


async def _crash(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    yield TextDelta("partly")
    raise RuntimeError(f"a bug {EVIL}")


async def _evil(self: Conversation, text: str) -> AsyncGenerator[Event, None]:
    it = call(f"na{EVIL}me", f'{{"x": "{EVIL}"}}')
    for (
        char
    ) in f"start {EVIL} split\n\n```{EVIL}\n{EVIL}code\n```\n\n<http://x/%1b[31m> &#27;[1m [a](http://x/{EVIL})\n":
        yield TextDelta(char)
        await asyncio.sleep(0.005)
    yield _answer(self, "")
    yield RetryScheduled(f"reason {EVIL}", 0.1, 1)
    await asyncio.sleep(0.2)
    yield Notice(f"notice {EVIL}")
    request = ApprovalRequested(it, f"na{EVIL}me", {}, f"preview {EVIL}", f"scope {EVIL}")
    yield request
    assert self.approve is not None
    await self.approve(request)
    yield ToolStarted(it, f"na{EVIL}me", {}, f"summary {EVIL}")
    yield ToolOutput("call_1", f"live {EVIL}")
    await asyncio.sleep(0.3)
    yield ToolFinished(it, f"na{EVIL}me", f"sum{EVIL}mary", True, f"output {EVIL}", f"display {EVIL}", True, 5)
    yield SaveFailed(f"reason {EVIL}")
    raise ProviderUnavailableError(f"error {EVIL}")


_TURNS = {
    "markdown": _markdown,
    "slow": _slow,
    "stream": _stream,
    "flood": _flood,
    "tool": _tool,
    "think": _think,
    "edit": _edit,
    "many": _many,
    "ask": _ask,
    "later": _later,
    "fail": _fail,
    "unsaved": _unsaved,
    "crash": _crash,
    "evil": _evil,
}


class Desk:
    def __init__(self, session_id: str) -> None:
        self.conversation = Conversation(session_id)
        self.provider = self.window = None
        self.spending = Spending(None, lambda: None)
        self.config = Config(Path(OPTIONS.get("folder", ".")).absolute(), Path("sessions"))
        self.paths = Paths(self.config.folder)
        self.mode = OPTIONS.get("mode", "ask")
        self.modes = ("ask", "accept-edits", "plan", *(["yolo"] if self.mode == "yolo" else []))

    def session_ids(self) -> list[str]:
        return ["alpha", "beta one", "böse"]

    async def model_names(self) -> list[str]:
        return ["tiny", "large"]

    async def close(self) -> None:
        with open(OPTIONS.get("log", "/dev/null"), "a", encoding="utf-8") as log:
            log.write("closed\n")


async def dispatch(desk: Desk, line: str, *, busy: bool = False) -> Outcome:  # noqa: PLR0911 - a line a command
    word, _, rest = line.removeprefix("/").partition(" ")
    match word:
        case "exit":
            return Outcome(quit=True)
        case "status":
            return Outcome(f"Session ID: {desk.conversation.session_id}\nbusy={busy}")
        case "resume":
            desk.conversation = Conversation(rest)
            desk.conversation.messages += _history()
            return Outcome(f"Resumed session: '{rest}' ({desk.conversation.count} messages)", switched=True)
        case "wait":
            await asyncio.sleep(float(rest))
            return Outcome("waited")
        case "choose":
            from scratchy.commands.outcome import Choose, Row  # too heavy for the way to the first prompt

            rows = [Row("the first", "/status", "told about it\nin two lines"), Row("the second", "/copy x")]
            return Outcome("Some text.", choose=Choose("Which one?", rows))
        case "theme":
            return Outcome(f"Theme: {rest}", theme=rest)
        case "copy":
            return Outcome("Copied.", copy=rest)
        case "editor":
            return Outcome(edit=rest)
        case _:
            return Outcome(f"Unknown command {line}")


def _history() -> list[Message]:
    return [
        {"role": "system", "content": "secret system"},
        {"role": "user", "content": f"old question {EVIL}"},
        {"role": "assistant", "content": f"old answer {EVIL}", "tool_calls": [call("list_files", EVIL)]},
        {"role": "tool", "tool_call_id": "call_1", "content": f"old result {EVIL}", "is_error": True},
    ]


async def make_desk(say) -> Desk:
    await asyncio.sleep(float(OPTIONS.get("delay", "0")))
    if "broken" in OPTIONS:
        raise ProviderUnavailableError("no desk today")
    if "bug" in OPTIONS:
        raise RuntimeError("a bug of ours")
    desk = Desk("default")
    if "resumed" in OPTIONS:
        desk.conversation.messages += _history()
    say("Model: made up")
    return desk


if __name__ == "__main__":
    names = ["/exit", "/status", "/resume", "/model", "/wait"]
    sys.exit(
        run(
            Boot(
                session_id="default",
                make_desk=make_desk,
                greeting=["Started new session: 'default'"],
                history_file=OPTIONS.get("history"),
                mode=OPTIONS.get("mode", "ask"),
                edit_mode=OPTIONS.get("keys", "emacs"),
                theme=OPTIONS.get("theme", "auto"),
                notify=OPTIONS.get("notify", "bell"),
                first_line=OPTIONS.get("first"),
                resume_line=lambda session_id: f"python run_agent.py --session {session_id}",
                commands=Commands(dispatch, lambda: names),
            )
        )
    )
