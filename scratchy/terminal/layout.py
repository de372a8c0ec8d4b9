"""The live part above the input, as rows of styled text: what is being written, what runs, what waits. Pure.

Not here: when it is drawn (screen) and who fills it (turns, approve, repl).
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from prompt_toolkit.utils import get_cwidth

from scratchy.core.text import clean_tail
from scratchy.terminal.folding import folded
from scratchy.terminal.lines import call_words, one_line, overwritten

if TYPE_CHECKING:
    from scratchy.terminal.pace import Pace

Row = list[tuple[str, str]]

TAIL_ROWS = 6
OUTPUT_ROWS = 3
RUNNING_ROWS = 8
THOUGHT_ROWS = 2
QUEUE_ROWS = 3
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Running:
    """A tool call on its way, `since` when on a monotonic clock; `output` is the end of what it printed."""

    def __init__(self, name: str, summary: str, output: str = "", *, since: float | None = None) -> None:
        self.name = name
        self.summary = summary
        self.output = output
        self.since = since


class Live:
    """What stands above the input. `since` is the start of the work on a monotonic clock, None when nothing works;
    `wait_until` the end of a pause before a retry; `thought` the end of what the model thinks, since `thinks_since`."""

    def __init__(  # noqa: PLR0913 - one parameter a field
        self,
        *,
        tail: str = "",
        status: str = "",
        since: float | None = None,
        wait_until: float | None = None,
        running: dict[str, Running] | None = None,
        queue: Sequence[str] = (),
        paused: Sequence[str] = (),
        queue_hint: str = "",
        unsaved: str = "",
        note: str = "",
        question: str = "",
        hint: str = "",
    ) -> None:
        self.tail = tail
        self.status = status
        self.since = since
        self.wait_until = wait_until
        self.thought = ""
        self.thinks_since: float | None = None
        self.running = {} if running is None else running
        self.queue = queue
        self.paused = paused
        self.queue_hint = queue_hint
        self.unsaved = unsaved
        self.note = note
        self.question = question
        self.hint = hint
        self.beside: Sequence[str] = ()  # commands that were typed in mid-turn and still run
        self.pace: Pace | None = None  # of the answer that is being written, or of the last one


def rows(live: Live, now: float, width: int, height: int) -> list[Row]:
    """At most `height` rows of `width` columns, the most urgent kept."""
    lower = [
        *_thinking(live, width),
        *_running(live, now, width),
        *_status(live, now, width),
        *_queue(live, width),
        *_standing(live, width),
    ]
    room = min(TAIL_ROWS, max(height - len(lower), 1))
    tail = [[("", line)] for line in last_rows(live.tail, width, room, words=True)]
    return [*tail, *lower][-max(height, 1) :]


def _status(live: Live, now: float, width: int) -> list[Row]:
    if live.since is None or live.question:  # at a question nothing works: the person is waited for
        return []
    frame = _FRAMES[int(now * 8) % len(_FRAMES)]
    status, above = one_line(live.status), list[Row]()
    rest = f" · {_elapsed(now, live.since if live.thinks_since is None else live.thinks_since)} · Esc to interrupt"
    if live.wait_until is not None:
        again = f"again in {max(0, round(live.wait_until - now))} s"
        if get_cwidth(f"{status}, {again}{rest}") <= width - 2:
            status = f"{status}, {again}"
        else:  # the reason has rows of its own: neither it nor the wait is cut
            above = [[("class:dim", row)] for row in folded(status, width).split("\n")]
            status = again
    return [*above, [("class:spinner", frame + " "), ("class:dim", clip(status, width - len(rest) - 2) + rest)]]


def _elapsed(now: float, since: float) -> str:
    seconds = int(now - since)
    return f"{seconds} s" if seconds < 60 else f"{seconds // 60} min {seconds % 60} s"


def _thinking(live: Live, width: int) -> list[Row]:
    return [[("class:dim", "  " + line)] for line in last_rows(live.thought, width - 2, THOUGHT_ROWS, words=True)]


def _running(live: Live, now: float, width: int) -> list[Row]:
    """Each call one line, from its first second on with its time; below it the end of its output: less of it, the more
    calls run side by side."""
    tools = list(live.running.values())
    each = OUTPUT_ROWS if len(tools) == 1 else 1 if len(tools) <= RUNNING_ROWS // 2 else 0
    out: list[Row] = []
    for tool in tools[:RUNNING_ROWS]:
        took = "" if tool.since is None or now - tool.since < 1 else f" · {_elapsed(now, tool.since)}"
        what = clip(f"▸ {call_words(tool.name)} {call_words(tool.summary[: 4 * width])}", width - len(took))
        out.append([("class:tool", what + took)])
        if each:
            output = overwritten(tool.output)
            out += [[("class:dim", "  " + line)] for line in last_rows(output, width - 2, each)]
    more = len(tools) - RUNNING_ROWS
    out += [[("class:dim", f"… and {more} more run")]] if more > 0 else []
    out += [[("class:tool", clip(f"▸ {one_line(line)} · Esc to interrupt", width))] for line in live.beside]
    return out


def _queue(live: Live, width: int) -> list[Row]:
    out = _lines(live.queue, "queued", width)
    if live.queue_hint:
        out += [[("class:dim", row)] for row in folded(live.queue_hint, width).split("\n")]
    if live.paused:
        count = "1 line waits" if len(live.paused) == 1 else f"{len(live.paused)} lines wait"
        told = folded(f"{count} from last time; Enter on an empty line sends, Esc brings back", width)
        out += [*_lines(live.paused, "not sent", width), *([("class:queue", row)] for row in told.split("\n"))]
    return out


def _lines(lines: Sequence[str], state: str, width: int) -> list[Row]:
    out: list[Row] = [
        [("class:queue", clip(f"{state}: {one_line(line[: 4 * width])}", width))] for line in lines[:QUEUE_ROWS]
    ]
    more = len(lines) - QUEUE_ROWS
    return [*out, [("class:queue", f"… and {more} more")]] if more > 0 else out


def _standing(live: Live, width: int) -> list[Row]:
    out: list[Row] = []
    if live.unsaved:
        out.append([("class:error", clip(f"not saved: {one_line(live.unsaved)}", width))])
    if live.question:
        asked = folded(live.question, width).split("\n")
        out += [[("class:question", row)] for line in asked for row in wrapped(line, width)]
    if live.hint:
        out.append([("class:dim", clip(live.hint, width))])
    if live.note:
        out.append([("class:dim", clip(one_line(live.note), width))])
    return out


def last_rows(text: str, width: int, count: int, *, words: bool = False) -> list[str]:
    """The last `count` screen rows of `text`, harmless, long lines broken (between `words` where there are some); looks
    at no more of it than it needs."""
    if not text:
        return []
    text = text[-(width + 1) * (count + 1) * 2 :]
    out: list[str] = []
    for line in clean_tail(text).rstrip("\n").split("\n")[-count:]:
        out += _between_words(line, width) if words else wrapped(line, width)
    return out[-count:]


def _between_words(line: str, width: int) -> list[str]:
    """`line` in rows of at most `width` cells, each broken at a blank where it has one."""
    line = line.expandtabs(4)
    out: list[str] = []
    while len(row := wrapped(line[: width + 1], width)[0]) < len(line):
        end = len(row) if line[len(row)] == " " else row.rfind(" ") + 1
        end = end if line[:end].strip() else len(row)
        out.append(line[:end].rstrip(" "))
        line = line[end:].lstrip(" ")
    return [*out, row]


def wrapped(line: str, width: int) -> list[str]:
    """`line` in rows of at most `width` cells, broken at any character; an empty line is one empty row."""
    line = line.expandtabs(4)
    if line.isascii():
        return [line[at : at + width] for at in range(0, len(line), width)] or [""]
    out: list[str] = []
    row, room = "", width
    for char in line:
        cells = get_cwidth(char)
        if cells > room:
            out.append(row)
            row, room = "", width
        row += char
        room -= cells
    return [*out, row]


def clip(line: str, width: int) -> str:
    """`line`, or its beginning and an ellipsis."""
    if get_cwidth(line) <= width:
        return line
    return wrapped(line, max(width - 1, 1))[0] + "…"
