"""Images in messages: the part that stands for one, its mark in a line that is not sent yet, and what people see of it.

A part is `{"type": "image_url", "image_url": {"url": "blob:<id>"}, "about": "cat.png, 640×480, 34 kB"}`, the bytes lie in
the scratchpad; `about` is ours and never sent. In the text an image that was pasted stands as `[Image #1]`, the first of
the parts. Not here: the bytes (core/picture.py), what is sent (sessions/seeing.py).
"""  # noqa: E501 - a shape on a line

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from scratchy.core.messages import text_of

# Strings until they are used: compiling them is no part of the way to the first prompt.
_MARK = r"\[image: ([^\[\]\n]{1,200}), blob:([0-9a-f]{32})\]"
_NUMBERED = r"\[Image #(\d{1,3})\]"


def part(blob_id: str, about: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"blob:{blob_id}"}, "about": about}


def mark(image: Mapping[str, Any]) -> str:
    """What stands for an image in a line on its way: whole, so that a queue, a draft and a history can keep it."""
    return f"[image: {about(image)}, {url_of(image)}]"


def said(line: str) -> tuple[str, list[dict[str, Any]]]:
    """A line as it is stored: its text, with marks as `[Image #1]`, and a part for each of them."""
    if "blob:" not in line:
        return line, []
    parts: list[dict[str, Any]] = []

    def numbered(found: re.Match[str]) -> str:
        parts.append(part(found[2], found[1]))
        return f"[Image #{len(parts)}]"

    return re.sub(_MARK, numbered, line), parts


def line_of(message: Mapping[str, Any]) -> str:
    """The line that a user's message was made of: `said`, backwards."""
    kept = [image for image in images_of(message) if url_of(image).startswith("blob:")]
    return _replaced(text_of(message), [mark(image) for image in kept]) if kept else text_of(message)


def shown(line: str) -> str:
    """A line as people read it: marks without their ids."""
    return re.sub(_MARK, r"[image: \1]", line) if "blob:" in line else line


def titled(line: str) -> str:
    """A line for a title: marks as `[image]`."""
    return re.sub(_MARK, "[image]", line) if "blob:" in line else line


def shown_of(message: Mapping[str, Any], *, brief: bool = False) -> str:
    """The message's text with each image where it stands, else behind it: `[image: cat.png, 640×480, 34 kB]`, or
    `[image]`. What stands there came from a file; it still has to pass `clean`."""
    text, images = text_of(message), images_of(message)
    if not images:
        return text
    labels = ["[image]" if brief or not about(image) else f"[image: {about(image)}]" for image in images]
    numbers = {int(found) for found in re.findall(_NUMBERED, text)}
    rest = [label for number, label in enumerate(labels, 1) if number not in numbers]
    return " ".join(words for words in (_replaced(text, labels), *rest) if words)


def images_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The message's image parts; what is malformed (a file that somebody else wrote) is left out."""
    content: Any = message.get("content")
    return [one for one in cast("list[Any]", content) if url_of(one)] if isinstance(content, list) else []


def url_of(image: Any) -> str:
    """Where an image part's bytes are; empty for anything else."""
    inner = _field(image, "image_url") if _field(image, "type") == "image_url" else None
    url = _field(inner, "url")
    return url if isinstance(url, str) else ""


def _field(value: Any, key: str) -> Any:
    return cast("Mapping[str, Any]", value).get(key) if isinstance(value, Mapping) else None


def about(image: Mapping[str, Any]) -> str:
    told: Any = image.get("about")
    return told if isinstance(told, str) else ""


def _replaced(text: str, by: Sequence[str]) -> str:
    def named(found: re.Match[str]) -> str:
        number = int(found[1])
        return by[number - 1] if 0 < number <= len(by) else found[0]

    return re.sub(_NUMBERED, named, text)
