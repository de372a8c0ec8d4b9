"""A stored transcript as session updates: what was said, and each tool call with what came of it.

Not here: a turn that runs (updates.py).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from acp import update_agent_message_text, update_tool_call, update_user_message_text

from scratchy.acp.calls import arguments_of, fenced, passage_diff, text_content
from scratchy.acp.updates import Ids, Update, announced, note
from scratchy.core.images import shown_of
from scratchy.core.messages import Message, ToolCall, calls_of, text_of
from scratchy.core.text import clean

_CUT = {"aborted": "Interrupted here.", "error": "The model failed here.", "length": "Cut at the limit of tokens."}


class Replay:
    """Messages in their order go in; updates come out."""

    def __init__(self, folder: Path, ids: Ids) -> None:
        self._folder = folder
        self._ids = ids
        self._open: dict[str, tuple[str, ToolCall]] = {}

    def told(self, messages: Iterable[Message]) -> Iterator[Update]:
        for message in messages:
            match message.get("role"):
                case "user":
                    yield from self.unanswered()
                    if text := shown_of(message):
                        yield update_user_message_text(clean(text))
                case "assistant":
                    yield from self.unanswered()
                    yield from self._answer(message)
                case "tool":
                    yield from self._result(message)
                case _:
                    pass

    def unanswered(self) -> list[Update]:
        """Calls that nobody answered: the turn was cut off there."""
        updates: list[Update] = [update_tool_call(shown_id, status="failed") for shown_id, _ in self._open.values()]
        self._open.clear()
        return updates

    def _answer(self, message: Message) -> Iterator[Update]:
        if text := text_of(message):
            yield update_agent_message_text(clean(text))
        for call in calls_of(message):
            shown_id = self._ids.new(call["id"])
            self._open[call["id"]] = shown_id, call
            yield announced(call, shown_id, self._folder)
        if cut := _CUT.get(message.get("stop_reason", "")):
            yield note(cut)

    def _result(self, message: Message) -> Iterator[Update]:
        found = self._open.pop(message.get("tool_call_id", ""), None)
        if found is None:
            return
        shown_id, call = found
        failed = bool(message.get("is_error"))
        name, arguments = call["function"]["name"], arguments_of(call)
        content = [] if failed else passage_diff(name, arguments, self._folder)
        if not content:
            text = clean(text_of(message))
            content = text_content(fenced(text, "") if text else "")
        yield update_tool_call(shown_id, status="failed" if failed else "completed", content=content)
