"""A conversation's images on their way to a model: bytes in place of ids, a note in place of what it cannot see.

What is stored keeps the ids. Not here: which images a line brings (images.py, mentions.py), what an API makes of them.
"""

import asyncio
import base64
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from scratchy.core.errors import ImagesRefusedError
from scratchy.core.events import ProviderEvent
from scratchy.core.images import about, images_of, url_of
from scratchy.core.messages import Message, ToolSpec, text_of
from scratchy.core.picture import kind_of
from scratchy.core.ports import Provider, Reply

_HELD = 32 << 20  # characters of encoded images that are kept between requests
_HEAD = 24  # characters of base64 that tell what the bytes are

Blob = Callable[[str], bytes]
"""The bytes under a scratchpad's id. Raises: LookupError, OSError."""


class Sight:
    """One conversation's. Encoded images are kept, so that the steps of a turn encode them once."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._encoded: OrderedDict[str, str] = OrderedDict()
        self._told: set[tuple[str, str]] = set()

    def through(self, provider: Provider, *, new: bool = False) -> "Seeing":
        """The provider as a turn asks it. `new`: an image came with the line that is asked for the first time."""
        return Seeing(provider, self, new=new)

    def untold(self, provider: Provider, messages: Sequence[Message]) -> str:
        """A sentence for the person, once a model: that it does not get the images which are there; else empty."""
        model = provider.name, provider.model
        if sees(provider) is not False or model in self._told or not any(map(images_of, messages)):
            return ""
        self._told.add(model)
        return f"{provider.model} does not see images; it is told that they are there, and their names."

    async def sent(self, messages: Sequence[Message], *, seen: bool) -> list[Message]:
        """The messages as they go out; the same bytes each time."""
        wanted = [url for message in messages for url in map(url_of, images_of(message)) if url.startswith("blob:")]
        for url in wanted if seen else ():
            if url not in self._encoded:
                self._encoded[url] = await asyncio.to_thread(self._encode, url)
            self._encoded.move_to_end(url)
        outgoing = [self._outgoing(message, seen) for message in messages]
        while len(self._encoded) > 1 and sum(map(len, self._encoded.values())) > _HELD:
            self._encoded.popitem(last=False)
        return outgoing

    def _encode(self, url: str) -> str:
        """As a data URL; empty when it cannot be found or read."""
        try:
            data = self._blob(url.removeprefix("blob:"))
        except (LookupError, OSError):
            return ""
        return f"data:image/{kind_of(data) or 'png'};base64,{base64.b64encode(data).decode()}"

    def _outgoing(self, message: Message, seen: bool) -> Message:
        """Where no image is left it is a plain text again: some that take no images take no parts either."""
        content = message.get("content")
        if not isinstance(content, list) or not images_of(message):
            return message
        parts = [self._part(part, seen) if url_of(part) else part for part in content]
        if images_of({"content": parts}):
            return {**message, "content": parts}
        return {**message, "content": "\n\n".join(filter(None, (text_of({"content": [part]}) for part in parts)))}

    def _part(self, part: Mapping[str, Any], seen: bool) -> dict[str, Any]:
        url, named = url_of(part), f" {about(part)}" if about(part) else ""
        if not seen:
            return _note(f"[image{named}: not sent, this model does not see images]")
        if not url.startswith("blob:"):
            if not _holds_image(url):
                return _note(f"[image{named}: not sent, its bytes are not in this session]")
            return {key: value for key, value in part.items() if key != "about"}
        if not self._encoded[url]:
            return _note(f"[image{named}: it was here, and cannot be found any more]")
        return {"type": "image_url", "image_url": {**part["image_url"], "url": self._encoded[url]}}


class Seeing:
    """A provider that is asked with images as they go out. Where it refuses them it is asked again without, unless
    one is `new`: then the person is to know first."""

    def __init__(self, provider: Provider, sight: Sight, *, new: bool) -> None:
        self._provider = provider
        self._sight = sight
        self._new = new

    @property
    def name(self) -> str:
        return self._provider.name

    @property
    def model(self) -> str:
        return self._provider.model

    @property
    def supports_tools(self) -> bool:
        return self._provider.supports_tools

    @property
    def window(self) -> int | None:
        return self._provider.window

    @property
    def sees(self) -> bool | None:
        return sees(self._provider)

    async def prepare(self) -> None:
        await self._provider.prepare()

    async def aclose(self) -> None:
        await self._provider.aclose()

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        with_images = any(map(images_of, messages))
        for seen in (self.sees is not False, False):
            sent = await self._sight.sent(messages, seen=seen) if with_images else messages
            try:
                async with aclosing(self._provider.stream(sent, tools)) as events:
                    async for event in events:
                        yield event
                return
            except ImagesRefusedError as refusal:
                if not seen or not with_images:
                    raise
                if self._new:
                    raise ImagesRefusedError(_REFUSED.format(model=self.model, why=refusal)) from refusal


_REFUSED = (
    "{model} takes no images ({why}). Send the line again and it is only told that they are there, "
    "or choose a model that sees (--model, /model)"
)


def sees(provider: Provider) -> bool | None:
    """Whether its model takes images; None where nobody says. A program's own provider may not know the question."""
    told: Any = getattr(provider, "sees", None)
    return told if isinstance(told, bool) else None


def _holds_image(url: str) -> bool:
    """Whether it is an image itself. Any other address would have the model's server read files and reach networks of
    its own for whoever wrote the session."""
    kind, _, data = url.partition(",")
    try:
        head = base64.b64decode(data[:_HEAD], validate=True)
    except ValueError:
        return False
    return kind.startswith("data:image/") and kind.endswith(";base64") and bool(kind_of(head))


def _note(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
