"""What the core needs of the world, each a Protocol that fits on a screen: Provider, Toolset, Tool, Approve, Store.

Implementations live in providers/, tools/ and store/; none of them is known here.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from scratchy.core.events import ApprovalRequested, ProviderEvent, ToolOutput
from scratchy.core.messages import FileChange, Message, ToolCall, ToolSpec
from scratchy.core.stored import Header, SessionInfo, TrashEntry


class Clock(Protocol):
    """`now` is an aware UTC datetime for stamps; `monotonic` seconds for durations."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Reply:
    """The finished answer of one request: `message` has `content`, `tool_calls?`, `stop_reason`, `model`, `usage?`."""

    message: Message


class Provider(Protocol):
    """An adapter to one HTTP API and one model on it.

    `stream` yields deltas and retries as they happen and, last, exactly one `Reply`. It sends the keys it knows and
    drops the rest; it must not change the messages. Raises: ProviderError only (and CancelledError). Closing the
    iterator early frees the connection at once.
    """

    @property
    def name(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def supports_tools(self) -> bool: ...
    @property
    def window(self) -> int | None:
        """Context length in tokens, where known."""
        ...

    @property
    def sees(self) -> bool | None:
        """Whether the model takes images; None where nobody says: then they are sent. Once its server refused them
        (ImagesRefusedError): False."""
        ...

    async def prepare(self) -> None:
        """Make ready: find a model when none is named, start a server. Twice is once; `stream` does it by itself."""
        ...

    def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ToolResult:
    """`output` for the model, `display` for the person (empty: the output serves both). `files`: what the call changed,
    as far as that can be taken back."""

    output: str
    display: str = ""
    is_error: bool = False
    files: Sequence[FileChange] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """The call may run unasked. `arguments` as the tool will get them, `summary` one line for the person."""

    arguments: dict[str, Any]
    summary: str


@dataclass(frozen=True, slots=True)
class Ask:
    """The call needs the person's yes. See `ApprovalRequested` for `preview` and `scope`."""

    arguments: dict[str, Any]
    summary: str
    preview: str
    scope: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The call cannot run (unknown tool, arguments that do not fit, forbidden); the model is told why. `summary` one
    line for the person, "" where nobody knows what the call would do."""

    result: ToolResult
    summary: str = ""


Verdict = Run | Ask | Refuse


Act = Callable[[], AsyncGenerator[str | ToolResult, None]]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one call would do, told before it is done.

    `target` is exactly what "always" would cover (a command with its folder, a host, a folder) and `scope` its name
    for the person, e.g. "this command"; "" where nothing covers it: it asks each time, whatever else runs unasked.
    `preview` is whole and exact: nothing in it is shortened. `free`: reads inside
    the working folder only, needs no yes. `kind`: `reads` changes nothing; `edits` writes a file inside the working
    folder in a way that can be taken back; all else `acts`. `act` does what `run` does, but exactly what is told here:
    what was looked at for it and is not so any more is refused. Without one, the tool's `run` is asked.
    """

    summary: str
    preview: str
    scope: str
    target: str
    free: bool = False
    kind: Literal["reads", "edits", "acts"] = "acts"
    act: Act | None = None


class ToolError(Exception):
    """A tool's own failure, told to the model: what went wrong and what to do instead."""


class Tool(Protocol):
    """One tool. `arguments` always fit the spec's parameters schema (the toolset checked them).

    Raises: `effect` and `run` may raise anything; the toolset makes it a result. ToolError's text is for the model.
    """

    @property
    def spec(self) -> ToolSpec: ...
    def effect(self, arguments: Mapping[str, Any]) -> Effect:
        """Quick, and without side effects: it is called before the person was asked."""
        ...

    def run(self, arguments: Mapping[str, Any]) -> AsyncGenerator[str | ToolResult, None]:
        """Pieces of live output, then one `ToolResult`. Closed early, it stops all that it started."""
        ...


class Editor(Protocol):
    """Who else has the files open: an editor, whose unsaved text counts before what the disk holds. Paths are absolute.
    For worker threads: both wait for its answer."""

    def text(self, path: str) -> str | None:
        """The file as the editor has it; None where it does not say."""
        ...

    def write(self, path: str, text: str) -> bool:
        """False: the editor does not write it, the disk is there for it. Raises: OSError when it is not known whether
        it was written."""
        ...


class Toolset(Protocol):
    """The tools on offer. Nothing here raises but CancelledError: failures are results for the model."""

    def specs(self) -> list[ToolSpec]:
        """In a fixed order, so that the request's prefix stays the same bytes."""
        ...

    async def checked(self, call: ToolCall) -> Verdict:
        """What is to be done with the call; files may be read for it."""
        ...

    def remember(self, call: ToolCall) -> None:
        """The person answered "always": exactly this scope runs unasked from now on, in this session."""
        ...

    def run(self, call: ToolCall) -> AsyncGenerator[ToolOutput | ToolResult, None]:
        """Live output as it comes, then one `ToolResult`, clipped. Closed early, it stops all that it started."""
        ...


@dataclass(frozen=True, slots=True)
class Approval:
    """The person's answer. `message`: a word to the model that goes with a no."""

    allowed: bool
    always: bool = False
    message: str = ""


Approve = Callable[[ApprovalRequested], Awaitable[Approval]]


class SessionWriter(Protocol):
    """One session, open for writing: its lock is held until `close`. All calls block until the bytes are on disk.

    Raises: OSError when the bytes could not be made safe (nothing acknowledged is lost, the same call may be tried
    again); SessionLockedError if the lock was lost.
    """

    @property
    def session_id(self) -> str: ...
    @property
    def header(self) -> Header: ...
    @property
    def count(self) -> int: ...
    @property
    def notices(self) -> list[str]:
        """What opening repaired or an append had to mend, a sentence each; the reader empties it."""
        ...

    def append(self, messages: Sequence[Mapping[str, Any]]) -> None: ...
    def replace(self, messages: Sequence[Mapping[str, Any]], reason: str) -> None:
        """All messages anew; the old file goes to the trash with `reason`, unless it held none."""
        ...

    def edit(
        self, *, title: str | None = None, metadata: Mapping[str, Any] | None = None, updated_at: str | None = None
    ) -> None:
        """Header changes, atomically; None leaves a field as it is. `metadata` replaces the whole mapping; `updated_at`
        (24 characters, as `Header` has it) is for what was said at another time than it is written."""
        ...

    def cut(self, count: int, *, reason: str = "rewound") -> str:
        """Keep the first `count` messages; ValueError when there are fewer. The whole old session goes to the trash
        with `reason`; if that is `rewound` the header's metadata gets `rewind: {entry, at}` (`at`: `count`), else it
        loses it. Returns the entry's name."""
        ...

    def lead(self, message: Mapping[str, Any], reason: str) -> None:
        """`message` becomes the first one; a system message that stands there gives way. The rest is not encoded anew;
        the whole old session goes to the trash with `reason`."""
        ...

    def keep_draft(self, text: str) -> None:
        """What was typed and not sent lies beside the session, replaced whole; empty: nothing lies there any more."""
        ...

    def load(self) -> list[Message]: ...
    def close(self) -> None: ...


class Store(Protocol):
    """A place for sessions. Synchronous; an async face calls it in one worker thread a session.

    Raises: ValueError or TypeError for a bad id or message; SessionNotFoundError, SessionCorruptedError,
    SessionVersionError, SessionLockedError; OSError for all else. Reading takes no lock and repairs nothing.
    """

    def open(self, session_id: str, *, create: Header | None = None) -> SessionWriter:
        """Lock and repair. Missing: made with the header `create`, or SessionNotFoundError when that is None."""
        ...

    def stamp(self, session_id: str) -> Any:
        """A value that changes whenever the stored session does; None when missing. Cheap: reads no content."""
        ...

    def last_writer(self, session_id: str) -> int | None:
        """The process that wrote it last, where that is known."""
        ...

    def exists(self, session_id: str) -> bool: ...
    def load(self, session_id: str) -> tuple[Header, list[Message]]: ...
    def header(self, session_id: str) -> tuple[Header, int]:
        """Header and message count, from one small read."""
        ...

    def tail(self, session_id: str, count: int, before: int | None = None) -> tuple[int, list[Message]]:
        """The last `count` messages before index `before` (None: the end), and the index of the first of them."""
        ...

    def items(self, session_id: str, start: int = 0) -> Iterator[Message]:
        """The messages from index `start` on, read as they are asked for; what is appended meanwhile is left out."""
        ...

    def draft(self, session_id: str) -> str:
        """What `keep_draft` kept; empty when there is none. Raises: OSError, SessionError where it cannot be read."""
        ...

    def list(self) -> list[SessionInfo]:
        """Newest activity first; what cannot be read is in it, with its error."""
        ...

    def recent(self) -> Iterator[SessionInfo]:
        """The rows of `list`, roughly in its order, each read when it is asked for: the first come at once."""
        ...

    def holder(self, session_id: str) -> int | None:
        """The other process that has it open for writing, where that is known; takes no lock."""
        ...

    def fork(self, session_id: str, header: Header, count: int | None = None) -> None:
        """The first `count` messages (None: all) as a new session under `header`; SessionExistsError when its id is
        taken. The source is only read: who holds it may go on."""
        ...

    def rename(self, session_id: str, new_id: str, *, reason: str = "renamed") -> None:
        """Atomic; SessionExistsError when taken. What lies beside the session follows; its metadata's `formerly` gets
        the old id (the last ten are kept). The old name goes to the trash with `reason`, its note's `to` is the new."""
        ...

    def delete(self, session_id: str, by: str = "") -> TrashEntry | None:
        """Into the trash, damaged or not; None when there was none. `by` goes into the entry's note."""
        ...

    def trash(self) -> "list[TrashEntry]":
        """Newest first."""
        ...

    def trashed(self, name: str, start: int = 0) -> "tuple[Header, list[Message]]":
        """What a trash entry holds, from message `start` on; it stays there. SessionNotFoundError if there is none."""
        ...

    def restore(self, name: str, *, new_id: str | None = None, reason: str = "displaced") -> str:
        """Bring a trash entry back and return its id; a session that stands there now goes to the trash first, with
        `reason`. What lies beside that one stays there unless the entry brings its own."""
        ...

    def purge(self, name: str) -> None:
        """A trash entry, gone for good. SessionNotFoundError when there is none."""
        ...

    def close(self) -> None: ...
