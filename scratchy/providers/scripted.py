"""A provider whose answers are written beforehand: for tests, ours and our users'. No network, no clock but `delay`.

provider = ScriptedProvider(["Hello!", {"role": "assistant", "content": "", "tool_calls": [...]}, "Done."])
agent = Agent(llm=provider)
...
assert provider.requests[0]["messages"][-1]["content"] == "Hi"
"""

import asyncio
import copy
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

from scratchy.core.errors import ConfigError, ProviderError
from scratchy.core.events import ProviderEvent, TextDelta, ThinkingDelta
from scratchy.core.messages import Message, ToolSpec, calls_of, text_of
from scratchy.core.ports import Reply
from scratchy.providers.models import ModelInfo
from scratchy.system import whole_file

Answer = str | Mapping[str, Any] | BaseException | type[BaseException]
Scripted = Answer | Callable[[list[Message], list[ToolSpec]], Answer]

_LARGEST = 1_000_000_000  # bytes of a file of answers
_DELTA = re.compile(r"\S*\s*")  # a word and the blanks after it


class Request(TypedDict):
    messages: list[Message]
    tools: list[ToolSpec]


class ScriptedProvider:
    """Gives `replies` one after the other, a text in small deltas.

    A reply is a text, a message dict, an exception to raise, or a function of (messages, tools) that returns one of
    these; what a message has under `reasoning` is thought before it is said. `requests` holds copies of what was asked.
    When the replies are used up: ProviderError. `delay`: seconds before each delta. `window` in tokens. `sees`: whether
    it takes images, as providers tell it.
    """

    def __init__(
        self,
        replies: Iterable[Scripted],
        *,
        model: str = "scripted",
        supports_tools: bool = True,
        window: int | None = None,
        sees: bool | None = True,
        delay: float = 0.0,
    ) -> None:
        self.name = "scripted"
        self.model = model
        self.supports_tools = supports_tools
        self.window = window
        self.sees = sees
        self.requests: list[Request] = []
        self._replies = list(replies)
        self._delay = delay

    @classmethod
    def from_file(cls, path: str | Path) -> "ScriptedProvider":
        """Answers from a file: a JSON list of texts and message dicts. Raises: ConfigError, naming the file."""
        try:
            replies: Any = json.loads(whole_file(Path(path), _LARGEST).decode())
        except OSError as error:
            raise ConfigError(f"The file of answers {str(path)!r} cannot be read: {error.strerror}.") from error
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"The file of answers {str(path)!r} is not JSON: {error}.") from error
        if not isinstance(replies, list) or not all(isinstance(one, str | dict) for one in cast("list[Any]", replies)):
            raise ConfigError(f"The file of answers {str(path)!r} must hold a JSON list of texts and messages.")
        for number, one in enumerate(cast("list[Any]", replies), 1):
            if isinstance(one, dict) and not (text_of(cast("Message", one)) or calls_of(cast("Message", one))):
                raise ConfigError(
                    f"Answer {number} in {str(path)!r} has neither a text nor a well-formed tool call: "
                    '{"content": "…"} or {"tool_calls": [{"id": "1", "type": "function", "function": '
                    '{"name": "list_files", "arguments": "{}"}}]}.'
                )
        return cls(cast("list[Scripted]", replies), model=str(path))

    async def models(self) -> list[ModelInfo]:
        return [ModelInfo(self.model, self.supports_tools, self.window)]

    async def prepare(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        asked = Request(messages=copy.deepcopy(list(messages)), tools=copy.deepcopy(list(tools)))
        self.requests.append(asked)
        if len(self.requests) > len(self._replies):
            raise ProviderError(f"The scripted provider has no answer left: it had {len(self._replies)}.")
        scripted = self._replies[len(self.requests) - 1]
        if callable(scripted) and not isinstance(scripted, type):
            scripted = scripted(copy.deepcopy(asked["messages"]), copy.deepcopy(asked["tools"]))
        if isinstance(scripted, BaseException):
            raise scripted
        if not isinstance(scripted, str | Mapping):
            raise cast("type[BaseException]", scripted)
        message = _message(scripted, self.model)
        thought = str(cast("dict[str, Any]", message).pop("reasoning", ""))
        for kind, text in ((ThinkingDelta, thought), (TextDelta, text_of(message))):
            for delta in filter(None, _DELTA.findall(text)):
                await asyncio.sleep(self._delay)
                yield kind(delta)
        yield Reply(message)


def _message(scripted: str | Mapping[str, Any], model: str) -> Message:
    """A whole assistant message; what the script says of it wins."""
    given: dict[str, Any] = {"content": scripted} if isinstance(scripted, str) else copy.deepcopy(dict(scripted))
    whole: dict[str, Any] = {"role": "assistant", "content": "", "model": model} | given
    whole.setdefault("stop_reason", "tool_calls" if calls_of(whole) else "stop")
    return cast("Message", whole)
