"""Chat completions: OpenAI and all that speak its language (llama-server, vLLM, LM Studio, OpenRouter, Groq).

Here: the request's body, the stream's parts put together, the models that a server lists. Not here: sockets, retries
and error texts (transport, failures).
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from scratchy import http
from scratchy.core.errors import (
    ConfigError,
    ImagesRefusedError,
    ModelNotFoundError,
    ProviderError,
    ProviderUnavailableError,
)
from scratchy.core.events import ProviderEvent, TextDelta, ThinkingDelta
from scratchy.core.messages import Function, Message, ToolCall, ToolSpec, Usage, calls_of, text_of
from scratchy.core.ports import Reply
from scratchy.providers.failures import refused_in_stream
from scratchy.providers.models import OPENAI_DEFAULT, ModelInfo, openai_sees, openai_window
from scratchy.providers.shapes import arguments_object, arguments_text, items, parse, record, text, whole
from scratchy.providers.thinking import Thoughts, thinking_in
from scratchy.providers.transport import TRIES, Answer, Connection, unreadable, with_retries
from scratchy.providers.wire import ServerSentEvents

OPENAI_URL = "https://api.openai.com/v1"
_AFTER_FINISH_SECONDS = 5.0  # what may still come is usage and [DONE]; some servers send neither and do not close
_AFTER_DONE_SECONDS = 0.25  # read to the end, so that the connection can be used again
_STRAY_EVENTS = 3  # words and values that hold nothing, such as a proxy's `ping`, are borne so often
_JSON_MARKS = frozenset('{}[]"')  # what is no JSON and has one of these is a broken piece of an answer
_ROLES = ("system", "developer", "user", "assistant", "tool")
_PARTS = ("text", "image_url")


class OpenAIProvider:
    """One model behind a chat-completions API. `base_url` ends where `/chat/completions` begins (mostly in `/v1`).

    `model` None: at OpenAI the table's default, elsewhere the first that the server lists. `idle`: seconds of silence
    after which the server counts as gone. Raises: ConfigError for a base URL or a key that cannot be used.
    """

    def __init__(
        self,
        base_url: str = OPENAI_URL,
        *,
        model: str | None = None,
        api_key: str | None = None,
        name: str = "openai",
        supports_tools: bool = True,
        tries: int = TRIES,
        idle: float = http.IDLE_SECONDS,
    ) -> None:
        key_variable = f"{name.upper()}_API_KEY"
        key = _checked_key(api_key, key_variable)
        todo = "Is there a network?" if base_url == OPENAI_URL else "Is that server running? --base-url names another."
        self._http = Connection(base_url, key=key, key_variable=key_variable, absent=todo, idle=idle)
        self._vendor = self._http.server.host == "api.openai.com"
        self._name = name
        self._model = model or (OPENAI_DEFAULT if self._vendor else "")
        self._tools = supports_tools
        self._window = openai_window(self._model) if self._vendor else None
        self._sees = openai_sees(self._model) if self._vendor else None
        self._tries = tries
        self._asks_usage = True
        self._prepared = self._vendor

    @property
    def name(self) -> str:
        return self._name

    @property
    def model(self) -> str:
        """Empty until a model is found, where none was named."""
        return self._model

    @property
    def supports_tools(self) -> bool:
        return self._tools

    @property
    def base_url(self) -> str:
        return self._http.base_url

    @property
    def window(self) -> int | None:
        return self._window

    @property
    def sees(self) -> bool | None:
        return self._sees

    async def models(self) -> list[ModelInfo]:
        """What the server lists, in its order. Raises: ProviderError."""
        listed = record(await self._http.json("GET", "/models"))
        known = [_model_info(record(entry)) for entry in items(listed.get("data"))]
        return [one for one in known if one.name]

    async def prepare(self) -> None:
        """Find a model where none is named (raises ProviderError), and the window where the server tells it."""
        if self._prepared:
            return
        try:
            await self._look()
        except ProviderError:
            if not self._model:
                raise
            return  # a window that is not told is no reason to fail; the next call asks again
        self._prepared = True

    async def _look(self) -> None:
        listed = record(await self._http.json("GET", "/models"))
        entries = [record(entry) for entry in items(listed.get("data"))]
        if not self._model:
            known = [one for one in map(_model_info, entries) if one.name]
            chosen = next((one for one in known if one.tools is not False), known[0] if known else None)
            if chosen is None:
                raise ModelNotFoundError(f"{self._http.server.host} lists no model: name one with --model.")
            self._model = chosen.name
            self._tools = self._tools and chosen.tools is not False
        for entry in entries:
            only = entry.get("owned_by") == "llamacpp" and len(entries) == 1  # serves it under any name
            if only or entry.get("id") == self._model:
                info = _model_info(entry)
                self._window = info.window or self._window
                self._sees = self._sees if info.sees is None else info.sees
                if only:
                    await self._read_props()

    async def _read_props(self) -> None:
        """llama-server's own word on the context of one slot, which is shorter than the model's, and on images."""
        props = record(await self._http.json("GET", self._http.base_url.removesuffix("/v1") + "/props"))
        settings = record(props.get("default_generation_settings"))
        self._window = whole(settings.get("n_ctx")) or self._window
        vision: Any = record(props.get("modalities")).get("vision")
        self._sees = vision if isinstance(vision, bool) else self._sees

    def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        return with_retries(lambda: self._attempt(messages, tools), tries=self._tries)

    async def _attempt(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        if not self._model:
            await self._look()
        offered = tools if self._tools else ()
        for usage in (True, False) if self._asks_usage else (False,):
            body = request_body(self._model, messages, offered, usage=usage)
            async with self._http.request("POST", "/chat/completions", body) as answer:
                if usage and await _refuses_usage(answer):
                    self._asks_usage = False
                    continue
                try:
                    await answer.check(self._model)
                    async with aclosing(self._read(answer)) as events:
                        async for event in events:
                            yield event
                except ImagesRefusedError:
                    self._sees = False
                    raise
                return

    async def _read(self, answer: Answer) -> AsyncGenerator[ProviderEvent | Reply, None]:
        reply = _Reply()
        try:
            async with aclosing(self._events(answer)) as events:
                async for event in events:
                    for delta in reply.add(event):
                        yield delta
                    if reply.finish:
                        answer.idle = min(answer.idle, _AFTER_FINISH_SECONDS)
        except ProviderUnavailableError:
            if not reply.finish:  # otherwise the answer is whole, and only its usage is lost
                raise
        if not reply.finish:
            raise ProviderUnavailableError(f"{self._http.server.host} ended the answer before it was finished.")
        for delta in reply.thoughts.end():
            yield delta
        yield Reply(reply.message(self._model))

    async def _events(self, answer: Answer) -> AsyncGenerator[dict[str, Any], None]:
        """The stream's JSON objects up to [DONE], which becomes a finish of its own where a server forgot it."""
        server = self._http.server
        strays = 0
        if answer.content_type == "application/json":  # the whole answer at once: this server does not stream
            event = parse(await answer.body())
            if not isinstance(event, dict):
                raise unreadable(server, "something that is not a JSON object")
            yield self._checked(record(event))
            return
        async with aclosing(answer.decoded(ServerSentEvents())) as decoded:
            async for data in decoded:
                if data.strip() == "[DONE]":
                    answer.idle = min(answer.idle, _AFTER_DONE_SECONDS)
                    yield {"choices": [{"finish_reason": "[DONE]"}]}
                    continue
                event = parse(data)
                if isinstance(event, dict):
                    yield self._checked(record(event))
                    continue
                strays += 1
                if strays > _STRAY_EVENTS or (event is None and _JSON_MARKS & set(data)):
                    raise unreadable(server, f"an event that is not a JSON object ({data[:80]!r})")

    def _checked(self, event: dict[str, Any]) -> dict[str, Any]:
        if event.get("error") or event.get("object") == "error":
            raise refused_in_stream(self._http.server, event, model=self._model)
        return event

    async def aclose(self) -> None:
        await self._http.aclose()


class _Reply:
    """The answer as far as it has come."""

    def __init__(self) -> None:
        self.finish = ""
        self.thoughts = Thoughts()
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}
        self._usage: Usage = {}

    def add(self, event: Mapping[str, Any]) -> list[TextDelta | ThinkingDelta]:
        """Take one chunk; what it adds to the thinking and the text."""
        if usage := record(event.get("usage")):
            self._usage = usage_of(usage)
        added: list[TextDelta | ThinkingDelta] = []
        for choice in map(record, items(event.get("choices"))[:1]):
            delta = record(choice.get("delta")) or record(choice.get("message"))
            if thought := thinking_in(delta):
                added.append(ThinkingDelta(thought))
            if said := text_of(delta):
                added += self.thoughts.add(said)
            for position, fragment in enumerate(map(record, items(delta.get("tool_calls")))):
                self._add_fragment(position, fragment)
            self.finish = self.finish or text(choice.get("finish_reason"))
        return added

    def _add_fragment(self, position: int, fragment: Mapping[str, Any]) -> None:
        """Fragments belong together by `index`; a second id there is another call (some servers number all 0)."""
        function = record(fragment.get("function"))
        call_id, name = text(fragment.get("id")), text(function.get("name"))
        index = whole(fragment.get("index"))
        index = position if index is None else index
        call = self._at.get(index)
        if call is None or (call_id and name and call.name and call_id != call.call_id):
            call = self._at[index] = _Call()
            self._calls.append(call)
        call.call_id = call.call_id or call_id
        call.name = call.name or name
        call.arguments.append(arguments_text(function.get("arguments")))

    def message(self, model: str) -> Message:
        message: Message = {"role": "assistant", "content": self.thoughts.said}
        if self._calls:
            message["tool_calls"] = [call.finished() for call in self._calls]
        if self.finish == "length":
            message["stop_reason"] = "length"
        else:
            message["stop_reason"] = "tool_calls" if self._calls else "stop"
        message["model"] = model
        if self._usage:
            message["usage"] = self._usage
        return message


class _Call:
    def __init__(self) -> None:
        self.call_id = ""
        self.name = ""
        self.arguments: list[str] = []

    def finished(self) -> ToolCall:
        function: Function = {"name": self.name, "arguments": "".join(self.arguments)}
        return {"id": self.call_id, "type": "function", "function": function}


def usage_of(usage: Mapping[str, Any]) -> Usage:
    """The counts that are there."""
    counted: Usage = {}
    for key in ("prompt_tokens", "completion_tokens", "total_tokens"):
        if (count := whole(usage.get(key))) is not None:
            counted[key] = count
    if (cached := whole(record(usage.get("prompt_tokens_details")).get("cached_tokens"))) is not None:
        counted["cached_tokens"] = cached
    if (thought := whole(record(usage.get("completion_tokens_details")).get("reasoning_tokens"))) is not None:
        counted["reasoning_tokens"] = thought
    return counted


def request_body(
    model: str, messages: Sequence[Message], tools: Sequence[ToolSpec], *, usage: bool = True
) -> dict[str, Any]:
    """What is sent: nothing that was not asked for, since some servers refuse fields that they do not know."""
    body: dict[str, Any] = {"model": model, "messages": [_outgoing(message) for message in messages], "stream": True}
    if usage:
        body["stream_options"] = {"include_usage": True}
    if tools:
        body["tools"] = list(tools)
    return body


def _outgoing(message: Message) -> dict[str, Any]:
    """A message with the keys that the API knows. A role that it does not know is sent as the user's."""
    role = message["role"] if message["role"] in _ROLES else "user"
    out: dict[str, Any] = {"role": role, "content": _content(message) if role == "user" else text_of(message)}
    if role == "tool":
        out["tool_call_id"] = str(message.get("tool_call_id", ""))
    elif name := _speaker(message.get("name")):
        out["name"] = name
    if role == "assistant" and (calls := calls_of(message)):
        out["content"] = out["content"] or None  # null, as OpenAI writes it; some servers refuse "" beside calls
        out["tool_calls"] = [_outgoing_call(call) for call in calls]
    return out


def _content(message: Message) -> str | list[dict[str, Any]]:
    """Text and picture parts, with the keys that the API knows; anything else as text."""
    parts = [record(part) for part in items(message.get("content"))]
    known = [{"type": kind, kind: part.get(kind)} for part in parts if (kind := part.get("type")) in _PARTS]
    return known if known and len(known) == len(parts) else text_of(message)


def _speaker(name: Any) -> str:
    """A `name` as the API takes it: no blanks and no markup."""
    return "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in text(name))[:64]


def _outgoing_call(call: ToolCall) -> dict[str, Any]:
    """Arguments that are no JSON object go out as `{}`: llama-server answers 500 to a history that holds bad ones."""
    function = call["function"]
    arguments = function["arguments"] if arguments_object(function["arguments"]) else "{}"
    return {
        "id": call["id"],
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


async def _refuses_usage(answer: Answer) -> bool:
    """transformers serve answers 422 to fields that it does not know; others 400, naming the field."""
    return answer.status == 422 or (answer.status == 400 and "stream_options" in await answer.refusal())


def _model_info(entry: Mapping[str, Any]) -> ModelInfo:
    """An entry of GET /models: llama-server tells `meta.n_ctx`, vLLM `max_model_len`, OpenRouter and Groq their own."""
    meta = record(entry.get("meta"))
    told = [meta.get("n_ctx"), *(entry.get(key) for key in ("max_model_len", "context_length", "context_window"))]
    told.append(meta.get("n_ctx_train"))
    window = next((count for count in map(whole, told) if count), None)
    parameters = entry.get("supported_parameters")
    tools = "tools" in items(parameters) if isinstance(parameters, list) else None
    modalities = record(entry.get("architecture")).get("input_modalities")
    sees = "image" in items(modalities) if isinstance(modalities, list) else None
    return ModelInfo(text(entry.get("id")), tools, window, sees)


def _checked_key(key: str | None, variable: str) -> str:
    key = (key or "").strip()
    if not all("!" <= letter <= "~" for letter in key):
        raise ConfigError(f"{variable} holds characters that no key has (blanks, line ends, letters outside ASCII).")
    return key
