"""What an editor sends as a prompt, as a line for the model and what goes with it.

Not here: what the line itself mentions (sessions/mentions.py), storing.
"""

import base64
import binascii
import os
import re
from collections.abc import Callable, Sequence
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
from scratchy.core.mentions import written
from scratchy.core.messages import Attachment

Block = TextContentBlock | ImageContentBlock | AudioContentBlock | ResourceContentBlock | EmbeddedResourceContentBlock
Keep = Callable[[bytes, str], str]
"""Keeps an image of that name; what stands for it in a line. Raises: ValueError when it is none, OSError."""


class Said(NamedTuple):
    """`line` as the person wrote it, mentions and images in their places; `texts` that the editor sent along; `own`:
    the line without those, in which other files may be mentioned."""

    line: str
    texts: list[Attachment]
    own: str


def read(blocks: Sequence[Block], folder: Path, keep: Keep) -> Said:
    """Reads and keeps images: for a thread. Raises: RequestError for what cannot be sent to a model, or when there is
    nothing to say; what `keep` raises."""
    line: list[str] = []
    own: list[str] = []
    texts: list[Attachment] = []
    for block in blocks:
        match block:
            case TextContentBlock(text=word):
                own.append(word)
            case ResourceContentBlock():
                word = mention(block.uri, folder)
                own.append(word)
            case EmbeddedResourceContentBlock(resource=BlobResourceContents() as blob):
                word = keep(_image(blob), _name(blob.uri))
            case EmbeddedResourceContentBlock():
                word = mention(block.resource.uri, folder)
                texts.append({"name": word, "text": block.resource.text})
            case ImageContentBlock():
                word = keep(_bytes(block.data, "image"), _name(block.uri or ""))
            case AudioContentBlock():
                raise wrong("Audio cannot be sent to a model here. Send text or an image.")
        line.append(word)
    if not "".join(line).strip():
        raise wrong("The prompt is empty.")
    return Said("".join(line), texts, "".join(own))


def mention(uri: str, folder: Path) -> str:
    """`@path`, inside the folder relative to it, with its lines; another address as it is."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or not parts.path:
        return uri
    path = unquote(parts.path)
    name = written(os.path.relpath(path, folder) if Path(path).is_relative_to(folder) else path)
    lines = re.findall(r"\d+", parts.fragment)[:2] if re.match(r"L\d", parts.fragment) else []
    return f"{name}:{'-'.join(lines)}" if lines and not name.endswith('"') else name


def _name(uri: str) -> str:
    return os.path.basename(unquote(urlsplit(uri).path))


def _image(resource: BlobResourceContents) -> bytes:
    kind = resource.mime_type or ""
    if not kind.startswith("image/"):
        raise wrong(f"{resource.uri} is neither text nor an image ({kind or 'of no told type'}), so it cannot be sent.")
    return _bytes(resource.blob, resource.uri)


def _bytes(data: str, what: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise wrong(f"The {what} is not base64.") from None
