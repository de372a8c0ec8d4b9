"""Ollama's native API: /api/chat as NDJSON, /api/tags and /api/show for what there is.

Here: the request's body, the lines put together, the choice of a model. Not here: sockets, retries, error texts.
"""

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from scratchy import http
from scratchy.core.errors import (
    BadRequestError,
    ConfigError,
    ImagesRefusedError,
    ModelNotFoundError,
    ProviderError,
    ProviderUnavailableError,
)
from scratchy.core.events import ProviderEvent, ThinkingDelta
from scratchy.core.images import images_of, url_of
from scratchy.core.messages import Message, ToolCall, ToolSpec, Usage, calls_of, text_of
from scratchy.core.ports import Reply
from scratchy.providers.failures import refused_in_stream
from scratchy.providers.models import ModelInfo
from scratchy.providers.shapes import arguments_object, arguments_text, items, parse, record, text, whole
from scratchy.providers.thinking import Thoughts
from scratchy.providers.transport import TRIES, Answer, Connection, answers, unreadable, with_retries
from scratchy.providers.wire import Lines

DEFAULT_HOST = "127.0.0.1:11434"
_PORT = 11434
_PROBE_SECONDS = 0.3
_LIST_SECONDS = 5.0
_MOST_SHOWN = 20  # models that are asked for their capabilities when none is named
_AFTER_DONE_SECONDS = 0.25
_ROLES = ("system", "user", "assistant", "tool")


def ollama_url(host: str | None = None) -> str:
    """The base URL for a spelling of OLLAMA_HOST (None: the variable's own value, else the default).

    As Ollama reads it: `host`, `host:port`, `:port`, `http(s)://host[:port][/path]`; an address to listen on, such as
    `0.0.0.0`, is reached on loopback.
    """
    spelled = (host if host is not None else os.environ.get("OLLAMA_HOST", "")).strip().strip("\"'") or DEFAULT_HOST
    scheme, sign, rest = spelled.partition("://")
    if not sign:
        scheme, rest = "http", spelled
    place, slash, path = rest.partition("/")
    if place.count(":") > 1 and not place.startswith("["):
        place = f"[{place}]"
    name, bracket, port = place.rpartition("]")
    tail = port if bracket else place
    address, colon, number = tail.rpartition(":") if ":" in tail else (tail, "", "")
    machine = name + bracket if bracket else address
    if machine in ("", "0.0.0.0"):
        machine = "127.0.0.1"
    elif machine == "[::]":
        machine = "[::1]"
    default = {"http": _PORT if not sign else 80, "https": 443}.get(scheme, _PORT)
    return f"{scheme}://{machine}:{number if colon and number else default}{slash}{path}".rstrip("/")


async def ollama_lists(host: str | None = None) -> list[str] | None:
    """The models of an Ollama that is there, else None; a bare connect first: an absent one costs 300 ms at most."""
    provider = OllamaProvider(host, idle=_LIST_SECONDS)
    if not await answers(ollama_url(host), _PROBE_SECONDS):
        return None
    try:
        return await provider.names()
    except ProviderError:
        return None
    finally:
        await provider.aclose()


class OllamaProvider:
    """One model on an Ollama. `host` as in OLLAMA_HOST (None: that variable, else 127.0.0.1:11434).

    `model` None: the first listed that does tools, else the first, without tools. Raises: ConfigError for a host that
    cannot be read.
    """

    name = "ollama"

    def __init__(
        self,
        host: str | None = None,
        *,
        model: str | None = None,
        tries: int = TRIES,
        idle: float = http.IDLE_SECONDS,
    ) -> None:
        try:
            todo = "Start Ollama there (`ollama serve`), or set OLLAMA_HOST."
            self._http = Connection(ollama_url(host), absent=todo, idle=idle)
        except ConfigError as error:
            raise ConfigError(f"OLLAMA_HOST cannot be used: {error}") from None
        self._model = model or ""
        self._tools = True
        self._window: int | None = None
        self._sees: bool | None = None
        self._tries = tries
        self._prepared = False

    @property
    def model(self) -> str:
        """Empty until a model is found, where none was named."""
        return self._model

    @property
    def supports_tools(self) -> bool:
        return self._tools

    @property
    def window(self) -> int | None:
        return self._window

    @property
    def sees(self) -> bool | None:
        return self._sees

    async def names(self) -> list[str]:
        """The names of the models that are there. Raises: ProviderError."""
        listed = record(await self._http.json("GET", "/api/tags"))
        found = (record(entry) for entry in items(listed.get("models")))
        return [name for entry in found if (name := text(entry.get("name")) or text(entry.get("model")))]

    async def models(self) -> list[ModelInfo]:
        """Every model with its capabilities. Raises: ProviderError."""
        return [await self._show(name) for name in await self.names()]

    async def prepare(self) -> None:
        """Find a model where none is named, and what it can do. Raises: ProviderError."""
        if self._prepared:
            return
        info = await self._show(self._model) if self._model else await self._choose()
        self._model = info.name
        self._tools = info.tools is not False
        self._window = info.window
        self._sees = info.sees
        self._prepared = True

    async def _choose(self) -> ModelInfo:
        names = await self.names()
        if not names:
            host = self._http.server.host
            raise ModelNotFoundError(f"The Ollama at {host} has no model yet: fetch one, such as `ollama pull qwen3`.")
        first: ModelInfo | None = None
        for name in names[:_MOST_SHOWN]:
            info = await self._show(name)
            if info.tools is not False:
                return info
            first = first or info
        return first or ModelInfo(names[0])

    async def _show(self, name: str) -> ModelInfo:
        """Capabilities as /api/show tells them; what does not tell is left to /api/chat to judge."""
        try:
            shown = record(await self._http.json("POST", "/api/show", {"model": name}, model=name))
        except ModelNotFoundError:
            await self._refuse_unknown(name)
            return ModelInfo(name)
        except BadRequestError:
            return ModelInfo(name)
        capabilities: Any = shown.get("capabilities")
        told = isinstance(capabilities, list)
        tools, sees = (name in items(capabilities) if told else None for name in ("tools", "vision"))
        lengths = [
            whole(value) for key, value in record(shown.get("model_info")).items() if key.endswith("context_length")
        ]
        return ModelInfo(name, tools, next((length for length in lengths if length), None), sees)

    async def _refuse_unknown(self, name: str) -> None:
        """A server without /api/show says 404 as well, so the list decides. Raises: ModelNotFoundError."""
        there = await self.names()
        if name not in there and f"{name}:latest" not in there:
            shown = f"; it has {', '.join(there[:5])}" + (" …" if len(there) > 5 else "") if there else ""
            raise ModelNotFoundError(
                f"The Ollama at {self._http.server.host} has no model '{name}': `ollama pull {name}` fetches it{shown}."
            )

    def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        return with_retries(lambda: self._attempt(messages, tools), tries=self._tries)

    async def _attempt(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        await self.prepare()
        body = request_body(self._model, messages, tools if self._tools else ())
        async with self._http.request("POST", "/api/chat", body) as answer:
            try:
                await answer.check(self._model)
                async with aclosing(self._read(answer)) as events:
                    async for event in events:
                        yield event
            except ImagesRefusedError:
                self._sees = False
                raise

    async def _read(self, answer: Answer) -> AsyncGenerator[ProviderEvent | Reply, None]:
        thoughts = Thoughts()
        calls: list[ToolCall] = []
        last: dict[str, Any] = {}
        async with aclosing(self._parts(answer)) as parts:
            async for part in parts:
                message = record(part.get("message"))
                if thought := text(message.get("thinking")):
                    yield ThinkingDelta(thought)
                if added := text_of(message):
                    for delta in thoughts.add(added):
                        yield delta
                calls += [_call(record(call)) for call in items(message.get("tool_calls"))]
                if part.get("done") is True:
                    last = part
                    answer.idle = min(answer.idle, _AFTER_DONE_SECONDS)
        if not last:
            raise ProviderUnavailableError(f"{self._http.server.host} ended the answer before it was finished.")
        for delta in thoughts.end():
            yield delta
        yield Reply(_message(self._model, thoughts.said, calls, last))

    async def _parts(self, answer: Answer) -> AsyncGenerator[dict[str, Any], None]:
        """The lines up to the end, so that the connection can be used again; what breaks after `done` does no harm."""
        done = False
        try:
            async with aclosing(answer.decoded(Lines())) as lines:
                async for line in lines:
                    if line.strip() and not done:
                        part = self._checked(line)
                        done = part.get("done") is True
                        yield part
        except ProviderUnavailableError:
            if not done:
                raise

    def _checked(self, line: str) -> dict[str, Any]:
        part = parse(line)
        if not isinstance(part, dict):
            raise unreadable(self._http.server, f"a line that is not a JSON object ({line[:80]!r})")
        part = record(part)
        if part.get("error"):
            raise refused_in_stream(self._http.server, part, model=self._model)
        return part

    async def aclose(self) -> None:
        await self._http.aclose()


def _message(model: str, said: str, calls: list[ToolCall], last: Mapping[str, Any]) -> Message:
    message: Message = {"role": "assistant", "content": said}
    if calls:
        message["tool_calls"] = calls
    cut = text(last.get("done_reason")) == "length"
    message["stop_reason"] = "length" if cut else "tool_calls" if calls else "stop"
    message["model"] = model
    prompt, completion = whole(last.get("prompt_eval_count")), whole(last.get("eval_count"))
    if prompt is not None or completion is not None:
        prompt, completion = prompt or 0, completion or 0  # a prompt that was cached whole is not counted
        usage: Usage = {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }
        message["usage"] = usage
    return message


def _call(call: Mapping[str, Any]) -> ToolCall:
    """Ollama's arguments are an object, and mostly it gives no id: the loop makes one."""
    function = record(call.get("function"))
    arguments: Any = function.get("arguments")
    return {
        "id": text(call.get("id")),
        "type": "function",
        "function": {
            "name": text(function.get("name")),
            "arguments": arguments_text({} if arguments is None else arguments),
        },
    }


def request_body(model: str, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> dict[str, Any]:
    names = {call["id"]: call["function"]["name"] for message in messages for call in calls_of(message)}
    body: dict[str, Any] = {
        "model": model,
        "messages": [_outgoing(message, names) for message in messages],
        "stream": True,
    }
    if tools:
        body["tools"] = list(tools)
    return body


def _outgoing(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    """A message with the keys that Ollama knows: results are matched by the tool's name, arguments are objects."""
    role = message["role"] if message["role"] in _ROLES else "system" if message["role"] == "developer" else "user"
    out: dict[str, Any] = {"role": role, "content": _text(message)}
    if images := [data for image in images_of(message) if (data := _base64(url_of(image)))]:
        out["images"] = images
    if role == "tool" and (name := names.get(str(message.get("tool_call_id"))) or text(message.get("name"))):
        out["tool_name"] = name
    if role == "assistant" and (calls := calls_of(message)):
        out["tool_calls"] = [
            {
                "function": {
                    "name": call["function"]["name"],
                    "arguments": arguments_object(call["function"]["arguments"]),
                }
            }
            for call in calls
        ]
    return out


def _text(message: Message) -> str:
    """A text of several parts as one; an image that lies elsewhere is named, since Ollama fetches none."""
    if not isinstance(message.get("content"), list):
        return text_of(message)
    away = [url for image in images_of(message) if not _base64(url := url_of(image))]
    texts = [text_of({"content": [part]}) for part in items(message.get("content"))]
    return "\n\n".join([*filter(None, texts), *(f"[image at {url[:200]}]" for url in away)])


def _base64(url: str) -> str:
    """The bytes of a data URL, as it holds them; empty for any other."""
    kind, comma, data = url.partition(",")
    return data if comma and kind.startswith("data:image/") and kind.endswith(";base64") else ""
