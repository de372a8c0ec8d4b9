"""A user's own object as a provider: anything with `async chat(messages, tools=None)`. Not here: what it talks to."""

import copy
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol

from scratchy.core.errors import ImagesRefusedError, ProviderError
from scratchy.core.events import ProviderEvent, ThinkingDelta
from scratchy.core.images import images_of
from scratchy.core.messages import Message, ToolCall, ToolSpec, text_of
from scratchy.core.ports import Reply
from scratchy.providers.failures import about_images
from scratchy.providers.shapes import arguments_text, record, text
from scratchy.providers.thinking import Thoughts

_NO_TEXT = (TypeError, AttributeError, KeyError)  # what comes of taking a list of parts for a text
_THINKING = ("reasoning_content", "reasoning")


class Chats(Protocol):
    """`chat` returns a message dict, a chat-completions response with `choices`, or an object with `.content` and
    `.tool_calls`; a call's arguments may be a JSON string or an object, its id may be missing."""

    async def chat(self, messages: list[Any], tools: list[Any] | None = None) -> Any: ...


class WrappedProvider:
    """`name`, `model`, `supports_tools`, `window` and `sees` are taken from the object where it has them."""

    def __init__(self, wrapped: Chats) -> None:
        self.wrapped = wrapped
        self.name = text(getattr(wrapped, "name", None)) or type(wrapped).__name__
        self.model = text(getattr(wrapped, "model", None)) or self.name
        self.supports_tools = getattr(wrapped, "supports_tools", True) is not False
        window: Any = getattr(wrapped, "window", None)
        self.window: int | None = window if isinstance(window, int) else None
        sees: Any = getattr(wrapped, "sees", None)
        self.sees: bool | None = sees if isinstance(sees, bool) else None

    async def prepare(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        try:
            answer = await self.wrapped.chat(copy.deepcopy(list(messages)), copy.deepcopy(list(tools)) or None)
        except ProviderError:
            raise
        except Exception as error:
            failed = f"The provider object {self.name} failed: {error or type(error).__name__}."
            if any(map(images_of, messages)) and (isinstance(error, _NO_TEXT) or about_images(str(error))):
                self.sees = False
                raise ImagesRefusedError(failed) from error
            raise ProviderError(failed) from error
        message, thought = self._message(answer)
        if thought:
            yield ThinkingDelta(thought)
        thoughts = Thoughts()
        for delta in (*thoughts.add(text_of(message)), *thoughts.end()):
            yield delta
        yield Reply({**message, "content": thoughts.said})

    def _message(self, answer: Any) -> tuple[Message, str]:
        """And what was thought before it."""
        if isinstance(answer, str):
            answer = {"content": answer}
        choices = list(_field(answer, "choices") or ())
        found: Any = _field(choices[0], "message") if choices else answer
        content, calls = _field(found, "content"), _field(found, "tool_calls")
        if content is None and calls is None and not (isinstance(found, dict) and "content" in found):
            raise ProviderError(
                f"The provider object {self.name} returned a {type(answer).__name__} that is no message: "
                "chat() returns a dict or an object with content and tool_calls."
            )
        message: Message = {"role": "assistant", "content": text_of({"content": content}), "model": self.model}
        finish = text(_field(choices[0], "finish_reason")) if choices else text(_field(found, "stop_reason"))
        if calls:
            message["tool_calls"] = [_call(call) for call in list(calls)]
        message["stop_reason"] = "length" if finish == "length" else "tool_calls" if calls else "stop"
        thought = next((said for key in _THINKING if (said := text(_field(found, key)))), "")
        return message, thought


def _field(value: Any, name: str) -> Any:
    """A dict's item or an object's attribute; None where there is none."""
    return record(value).get(name) if isinstance(value, dict) else getattr(value, name, None)


def _call(call: Any) -> ToolCall:
    """Either `{"id", "function": {"name", "arguments"}}` or flat `{"id", "name", "arguments"}`."""
    function: Any = _field(call, "function") or call
    name, arguments = _field(function, "name"), _field(function, "arguments")
    return {
        "id": text(_field(call, "id")),
        "type": "function",
        "function": {"name": text(name), "arguments": arguments_text({} if arguments is None else arguments)},
    }
