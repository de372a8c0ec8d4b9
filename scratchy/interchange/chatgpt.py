"""ChatGPT's data export: conversations.json, a list of conversations (or one of them). It names no version; read in the
form that exports of 2023 to 2025 have.

A conversation has `mapping`, a tree of nodes {"id", "parent", "children", "message"}, and `current_node`, where it
stands: the way from there to the root is what is read. A message has `author.role`, `content.content_type`,
`content.parts`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from scratchy.core.messages import Message
from scratchy.interchange.transcript import Transcript, entries, fields, left_out, stamped, text, utc


def is_one(document: Any) -> bool:
    """Whether it is such a list, or one of its conversations."""
    first = fields(entries(document)[0] if entries(document) else document)
    return isinstance(first.get("mapping"), dict)


def read(document: Any) -> Iterator[Transcript]:
    for conversation in entries(document) or [document]:
        if isinstance(fields(conversation).get("mapping"), dict):
            yield _transcript(fields(conversation))


def _transcript(conversation: Mapping[str, Any]) -> Transcript:
    known = text(conversation.get("conversation_id")) or text(conversation.get("id"))
    told = Transcript(session_id=f"chatgpt-{known[-8:]}", created_at=utc(conversation.get("create_time")))
    told.name(text(conversation.get("title")))
    nodes = fields(conversation["mapping"])
    way = _way(nodes, text(conversation.get("current_node")))
    left = {"message of another branch": 0, "part that is no text": 0, "message that was hidden": 0}
    messages: list[Message] = []
    for node in way:
        message = fields(fields(nodes.get(node)).get("message"))
        made = _message(message, left)
        if made is not None:
            messages.append(made)
    others = [node for node in nodes if node not in way and fields(fields(nodes[node]).get("message"))]
    left["message of another branch"] = len(others)
    for what, count in left.items():
        left_out(told, count, what)
    told.messages = messages
    return told


def _way(nodes: Mapping[str, Any], last: str) -> dict[str, None]:
    """The nodes from the root to the current one; without one, to the newest leaf."""
    if last not in nodes:
        leaves = [key for key in nodes if not entries(fields(nodes[key]).get("children"))]
        last = max(leaves, key=lambda key: _when(nodes[key]), default="")
    back: dict[str, None] = {}
    while last in nodes and last not in back:
        back[last] = None
        last = text(fields(nodes[last]).get("parent"))
    return dict.fromkeys(reversed(back))


def _when(node: Any) -> str:
    return utc(fields(fields(node).get("message")).get("create_time"))


def _message(message: Mapping[str, Any], left: dict[str, int]) -> Message | None:
    role, content = text(fields(message.get("author")).get("role")), fields(message.get("content"))
    parts = entries(content.get("parts")) or [content.get("text") or content.get("result")]
    words = "\n\n".join(text(part) or text(fields(part).get("text")) for part in parts).strip("\n")
    left["part that is no text"] += sum(isinstance(part, dict) and not text(fields(part).get("text")) for part in parts)
    if not role or not words:
        return None
    if fields(message.get("metadata")).get("is_visually_hidden_from_conversation"):
        left["message that was hidden"] += 1
        return None
    stamp = utc(message.get("create_time"))
    if role == "tool":  # its calls are messages to `recipient`, which no other program can pair with their results
        name = text(fields(message.get("author")).get("name"))
        return stamped({"role": "assistant", "content": f"[{name}]\n{words}"}, stamp)
    if role not in ("user", "assistant", "system"):
        return None
    made: Message = {"role": role, "content": words}
    if role == "assistant" and (model := text(fields(message.get("metadata")).get("model_slug"))):
        made["model"] = model
    return stamped(made, stamp)
