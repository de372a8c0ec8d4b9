"""One HTML file that stands alone and is safe to open: no script, nothing is loaded, all text is escaped. One way only.

Tool calls and results fold. The page's policy forbids everything but its own style and pictures that are in the file.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from scratchy.core.images import about, images_of, url_of
from scratchy.core.messages import Message, attached_of, calls_of, text_of
from scratchy.core.picture import kind_of
from scratchy.core.text import reveal
from scratchy.interchange.transcript import Blob, Written, readable, text

_WHO = {"system": "System", "user": "You", "assistant": "Assistant", "tool": "Tool"}
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=]+")
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
article { margin: 1rem 0; padding: .5rem 1rem; border-left: .25rem solid #8888; }
article.user { border-color: #2a7ae2; } article.assistant { border-color: #2a9d5c; }
h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 0 0 .25rem; } small { font-weight: normal; opacity: .7; }
pre { margin: .25rem 0; white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; unicode-bidi: plaintext; }
details pre { font: .875rem/1.4 ui-monospace, monospace; } summary { cursor: pointer; } img { max-width: 100%; }
"""


def dump(session: Written) -> Iterator[str]:
    header = session.header
    title = _safe(reveal(" ".join((header.title or header.session_id).split())))
    yield (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'\">\n"
        '<meta name="referrer" content="no-referrer">\n<meta name="viewport" content="width=device-width">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        f"<p>Session {_safe(reveal(header.session_id))}, {_safe(header.created_at)}{_folder(header.metadata)}</p>\n"
    )
    pictures: set[str] = set()
    for message in session.messages:
        yield _article(message, session.blobs)
        pictures.update(url_of(image).removeprefix("blob:") for image in images_of(message))
    if session.blobs.keys() - pictures:
        yield "<h2>Kept beside the messages</h2>\n"
    for blob_id, blob in readable(session.blobs):
        if blob_id not in pictures:
            yield _blob(blob_id, blob)
    yield "</body>\n</html>\n"


def _folder(metadata: Mapping[str, Any]) -> str:
    folder = text(metadata.get("folder"))
    return f", in {_safe(reveal(folder))}" if folder else ""


def _article(message: Message, blobs: Mapping[str, Blob]) -> str:
    role = str(message.get("role", ""))
    kind = role if role in _WHO else "other"
    when = f" <small>{_safe(message.get('ts'))}</small>" if message.get("ts") else ""
    words = text_of(message)
    if role == "tool":
        failed = " (failed)" if message.get("is_error") else ""
        body = _folded(f"Result of {_name(message.get('name'))}{failed}", words)
        return f'<article class="{kind}">\n{body}</article>\n'
    calls = "".join(
        _folded(f"Calls {_name(call['function']['name'])}", call["function"]["arguments"]) for call in calls_of(message)
    )
    body = f'<pre dir="auto">{_safe(words)}</pre>\n' if words else ""
    texts = "".join(_folded(f"Attached {_name(one['name'])}", one["text"]) for one in attached_of(message))
    heading = f"<h2>{_name(_WHO.get(role, role))}{when}</h2>\n"
    return f'<article class="{kind}">\n{heading}{body}{texts}{_pictures(message, blobs)}{calls}</article>\n'


def _folded(summary: str, words: str) -> str:
    """`summary` is HTML already."""
    return f'<details><summary>{summary}</summary>\n<pre dir="auto">{_safe(words)}</pre>\n</details>\n'


def _pictures(message: Message, blobs: Mapping[str, Blob]) -> str:
    return "".join(_picture(url_of(image), about(image), blobs) for image in images_of(message))


def _picture(url: str, told: str, blobs: Mapping[str, Blob]) -> str:
    """A picture that is in the message or kept beside it; any other address is only told, never loaded."""
    named = _name(told) or "a picture"
    if url.startswith("blob:"):
        try:
            data = blobs[url.removeprefix("blob:")].data
        except LookupError:
            return f"<p>[{named}, which cannot be found any more]</p>\n"
        url = f"data:image/{kind_of(data)};base64,{base64.b64encode(data).decode()}"
    if _PICTURE.fullmatch(url):
        return f'<p><img alt="{named}" src="{url}"></p>\n'
    return f"<p>[a picture at {_safe(url[:200])}]</p>\n"


def _blob(blob_id: str, blob: Blob) -> str:
    try:
        words = blob.data.decode()
    except UnicodeDecodeError:
        words = f"({len(blob.data)} bytes that are no text)"
    return _folded(f"{_name(blob_id)} <small>{len(blob.data)} bytes, {_safe(blob.type)}</small>", words)


def _name(value: Any) -> str:
    """A name in a line: all that hides or reorders is shown escaped."""
    return _safe(reveal(str(value)))


def _safe(value: Any) -> str:
    r"""Text for HTML: escaped, and what no document may hold as `\x1b`."""
    return escape(_UNSEEN.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value)), quote=True)
