"""What an editor sends as a prompt, as a line for the model and what goes with it.

Not here: what the line itself mentions (the conversation's own way to attach), storing.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from acp.schema import (
    AudioContentBlock,
    BlobResourceContents,
    EmbeddedResourceContentBlock,
    ImageContentBlock,
    ResourceContentBlock,
    TextContentBlock,
)

from scratchy.acp.failures import wrong
from scratchy.core.messages import Attachment

Block = TextContentBlock | ImageContentBlock | AudioContentBlock | ResourceContentBlock | EmbeddedResourceContentBlock


class Said(NamedTuple):
    """`line` as the person wrote it, mentions in their places; `texts` that came along, `images` as bytes."""

    line: str
    texts: list[Attachment]
    images: list[bytes]


def read(blocks: Sequence[Block], folder: Path) -> Said:
    """Raises: RequestError for what cannot be sent to a model, or when there is nothing to say."""
    words: list[str] = []
    texts: list[Attachment] = []
    images: list[bytes] = []
    for block in blocks:
        match block:
            case TextContentBlock():
                words.append(block.text)
            case ResourceContentBlock():
                words.append(mention(block.uri, folder))
            case EmbeddedResourceContentBlock() if isinstance(block.resource, BlobResourceContents):
                _take_blob(block.resource, images)
            case EmbeddedResourceContentBlock():
                name = mention(block.resource.uri, folder)
                words.append(name)
                texts.append({"name": name, "text": block.resource.text})
            case ImageContentBlock():
                images.append(_bytes(block.data, "image"))
            case AudioContentBlock():
                raise wrong("Audio cannot be sent to a model here. Send text or an image.")
    line = "".join(words)
    if not line.strip() and not images:
        raise wrong("The prompt is empty.")
    return Said(line, texts, images)


def mention(uri: str, folder: Path) -> str:
    """`@path`, inside the folder relative to it; another address as it is."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or not parts.path:
        return uri
    path = unquote(parts.path)
    inside = os.path.relpath(path, folder) if Path(path).is_relative_to(folder) else path
    place = f"{parts.fragment and '#'}{parts.fragment}"
    return f"@{inside}{place}"


def _take_blob(resource: BlobResourceContents, images: list[bytes]) -> None:
    kind = resource.mime_type or ""
    if not kind.startswith("image/"):
        raise wrong(f"{resource.uri} is neither text nor an image ({kind or 'of no told type'}), so it cannot be sent.")
    images.append(_bytes(resource.blob, resource.uri))


def _bytes(data: str, what: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise wrong(f"The {what} is not base64.") from None
