"""JSON that carries a whole session: header, messages, and the blobs that they refer to.

{"session_id", "version", "title"?, "created_at", "metadata", "updated_at", unknown header keys …, "messages": [...],
 "blobs": {id: {"type", "tool", "text" | "base64"}}}
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from scratchy.interchange import json_list
from scratchy.interchange.transcript import Blob, Transcript, Written, entries, fields, messages_of, readable, text

_KNOWN = ("session_id", "version", "title", "created_at", "metadata", "updated_at", "messages", "blobs")


def dump(session: Written) -> Iterator[str]:
    header = session.header
    head: dict[str, Any] = {"session_id": header.session_id, "version": header.version}
    head |= {"title": header.title} if header.title is not None else {}
    head |= {"created_at": header.created_at, "metadata": dict(header.metadata), "updated_at": header.updated_at}
    head |= {key: value for key, value in header.extra.items() if key not in _KNOWN}
    yield json.dumps(head, indent=2, ensure_ascii=False).removesuffix("\n}") + ',\n"messages": '
    yield from json_list.dump(session)
    yield ',"blobs": {'
    for at, (blob_id, blob) in enumerate(readable(session.blobs)):
        yield f"{',' if at else ''}\n  {json.dumps(blob_id)}: {json.dumps(_blob(blob), ensure_ascii=False)}"
    yield "}}\n"


def _blob(blob: Blob) -> dict[str, str]:
    about = {"type": blob.type, "tool": blob.tool}
    try:
        return {**about, "text": blob.data.decode()}
    except UnicodeDecodeError:
        return {**about, "base64": base64.b64encode(blob.data).decode()}


def is_one(document: Mapping[str, Any]) -> bool:
    return isinstance(document.get("messages"), list)


def read(document: Mapping[str, Any]) -> Transcript:
    """The object, decoded. Blobs are as the file has them: whoever keeps them compares the hash."""
    told = Transcript(session_id=text(document.get("session_id")), created_at=text(document.get("created_at")))
    told.messages = messages_of(entries(document.get("messages")), told)
    told.updated_at = text(document.get("updated_at"))
    told.name(text(document.get("title")))
    told.metadata = dict(fields(document.get("metadata")))
    told.extra = {key: document[key] for key in document if key not in _KNOWN}
    blobs: dict[str, Blob] = {}
    for blob_id, value in fields(document.get("blobs")).items():
        about = fields(value)
        data = _data(about)
        if data is None:
            told.notes.append("A blob could not be read; it was left out.")
        else:
            blobs[blob_id] = Blob(data, text(about.get("tool")), text(about.get("type")) or "text")
    told.blobs = blobs
    return told


def _data(about: Mapping[str, Any]) -> bytes | None:
    if isinstance(about.get("text"), str):
        return about["text"].encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text(about["base64"]), validate=True)
    except (KeyError, ValueError, binascii.Error):
        return None
