"""All that needs rich, behind one object that is made after the first prompt: turns, Markdown, the last exchanges."""

from collections.abc import Mapping, Sequence

from scratchy.commands.telling import arguments_text
from scratchy.core.images import shown_of
from scratchy.core.messages import Message, ToolCall, calls_of, text_of
from scratchy.core.session import INTERRUPTED
from scratchy.core.text import reveal
from scratchy.sessions.restoring import was_refused
from scratchy.terminal.approve import Approver
from scratchy.terminal.folds import Folds
from scratchy.terminal.lines import dimmed, header, notice, tool_end, tool_line, user_lines
from scratchy.terminal.render import Renderer, shows_links
from scratchy.terminal.screen import Screen
from scratchy.terminal.splitter import Splitter
from scratchy.terminal.turns import TurnView

_SHOWN = 12  # lines of a message in the last exchanges
_SHOWN_CHARS = 8000


class Show:
    """Holds the one renderer, and the one who asks."""

    def __init__(self, screen: Screen, folds: Folds) -> None:
        self._screen = screen
        self._folds = folds
        self._renderer = Renderer(links=shows_links())
        self.approve = Approver(screen)

    def turn(self, session_id: str) -> TurnView:
        return TurnView(self._screen, self._renderer, self._folds, session_id)

    def markdown(self, text: str) -> str:
        """A whole text, rendered."""
        self._renderer.start()
        splitter = Splitter()
        blocks = [*splitter.feed(text), *splitter.finish()]
        width = self._screen.width
        return "".join(self._renderer.block(block, width) for block in blocks)

    def recent(self, messages: Sequence[Message], session_id: str) -> str:
        """The last exchanges, dimmed: of long messages the end, of tool calls one line each. "" when there are none."""
        results = {message["tool_call_id"]: message for message in messages if "tool_call_id" in message}
        out: list[str] = []
        for message in messages:
            text = _end(shown_of(message).strip())
            if message.get("role") == "user" and text:
                out.append(_clipped(user_lines(f"[{reveal(session_id)}] You: ", text)))
            elif message.get("role") == "assistant":
                body = _clipped(self.markdown(text)) if text else ""
                calls = "".join(_call_line(call, results) for call in calls_of(message))
                out.append(header(session_id) + body + ("\n" if body and calls else "") + calls + "\n")
        return dimmed("".join(out)) if out else ""


def _call_line(call: ToolCall, results: Mapping[str, Message]) -> str:
    result = results.get(call["id"])
    if result is None or text_of(result) == INTERRUPTED:
        is_error, end = True, INTERRUPTED
    else:
        is_error, took = bool(result.get("is_error")), result.get("duration_ms")
        end = tool_end(not was_refused(result), is_error, took if isinstance(took, int) else None)
    return tool_line(call["function"]["name"], arguments_text(call["function"]["arguments"]), is_error, end)


def _end(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else "… " + text[-_SHOWN_CHARS:]


def _clipped(text: str) -> str:
    lines = text.removesuffix("\n").split("\n")
    hidden = len(lines) - _SHOWN
    return notice(f"… {hidden} lines before") + "\n".join(lines[hidden:]) + "\n" if hidden > 1 else text
