"""The log of llm: logs.db, an SQLite database. Read of versions 0.27.1 (tables conversations and responses) and 0.36
(threads, messages and parts, a tree of messages by content; what older versions wrote stays where it is).

Reads from a connection that somebody else opened, read-only; nothing of it is executed.
"""

import base64
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from scratchy.core.messages import Message
from scratchy.core.session import result
from scratchy.interchange.transcript import (
    Transcript,
    assistant,
    entries,
    fields,
    image,
    json_value,
    left_out,
    stamped,
    text,
    tool_call,
    utc,
    whole,
    with_images,
)

Row = Mapping[str, Any]


class Database:
    """The tables that are really tables: a view of the same name could compute anything."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        rows = connection.execute("select name, sql from sqlite_master where type = 'table'").fetchall()
        self.tables = {str(name) for name, sql in rows if not str(sql).upper().startswith("CREATE VIRTUAL")}

    def rows(self, table: str, where: str = "", *values: Any, order: str = "rowid") -> list[dict[str, Any]]:
        """The rows as dicts; none where there is no such table. Raises: sqlite3.Error, also for a table whose columns
        are computed when they are read: how much that is, the file would say."""
        if table not in self.tables:
            return []
        if any(column[-1] for column in self._connection.execute(f"pragma table_xinfo([{table}])")):
            raise sqlite3.DatabaseError(f"its table '{table}' has computed columns, which llm's have not")
        condition = f"where [{where}] = ?" if where else ""
        cursor = self._connection.execute(f"select * from [{table}] {condition} order by [{order}]", values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def is_one(tables: set[str]) -> bool:
    return "responses" in tables or {"threads", "messages", "parts"} <= tables


def read(connection: sqlite3.Connection) -> Iterator[Transcript]:
    """A transcript a conversation, oldest first. Raises: sqlite3.Error for a damaged file."""
    database = Database(connection)
    threads = database.rows("threads")
    known = {row.get("id") for row in threads}
    conversations = [row for row in database.rows("conversations") if row.get("id") not in known]
    for row in sorted([*threads, *conversations], key=lambda row: str(row.get("id"))):
        told = Transcript(session_id=f"llm-{str(row.get('id'))[-8:]}")
        told.name(text(row.get("name")))
        told.messages = _thread(database, row, told) if "tip_message_hash" in row else _responses(database, row, told)
        told.created_at = next((stamp for message in told.messages if (stamp := message.get("ts", ""))), "")
        yield told


# --- Until 0.27: a response holds its prompt -------------------------------------------------------------------------


def _responses(database: Database, conversation: Row, told: Transcript) -> list[Message]:
    messages: list[Message] = []
    system = None
    for row in database.rows("responses", "conversation_id", conversation.get("id"), order="id"):
        stamp = utc(row.get("datetime_utc"))
        said = _with_fragments(database, "system_fragments", row, text(row.get("system")))
        if said and said != system:
            messages.append(stamped({"role": "system", "content": said}, stamp))
            system = said
        for done in database.rows("tool_results", "response_id", row.get("id")):
            call_id, name = text(done.get("tool_call_id")), text(done.get("name"))
            failed = bool(done.get("exception"))
            messages.append(stamped(result(call_id, name, text(done.get("output")), is_error=failed), stamp))
        words = _with_fragments(database, "prompt_fragments", row, text(row.get("prompt")))
        links = database.rows("prompt_attachments", "response_id", row.get("id"), order="order")
        images = _images(database, [link.get("attachment_id") for link in links], told)
        if words or images:
            messages.append(stamped({"role": "user", "content": with_images(words, images)}, stamp))
        calls = [
            tool_call(text(call.get("tool_call_id")), text(call.get("name")), text(call.get("arguments")) or "{}")
            for call in database.rows("tool_calls", "response_id", row.get("id"))
        ]
        left_out(told, bool(row.get("reasoning")), "piece of reasoning")
        messages.append(_counted(assistant(text(row.get("response")), calls, stamp=stamp), row))
    return messages


def _with_fragments(database: Database, table: str, row: Row, words: str) -> str:
    links = database.rows(table, "response_id", row.get("id"), order="order")
    parts = [_fragment(database, link.get("fragment_id")) for link in links]
    return "\n".join([*parts, *([words] if words else [])])


def _fragment(database: Database, fragment_id: Any) -> str:
    return next((text(row.get("content")) for row in database.rows("fragments", "id", fragment_id)), "")


def _images(database: Database, ids: list[Any], told: Transcript) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for attachment_id in ids:
        for row in database.rows("attachments", "id", attachment_id):
            content = row.get("content")
            data = base64.b64encode(content).decode() if isinstance(content, bytes) else ""
            picture = image(row.get("type"), data)
            left_out(told, picture is None, "attachment that is no stored image")
            found += [picture] if picture else []
    return found


def _counted(message: Message, row: Row) -> Message:
    """With the model that answered, what it cost and how long it took."""
    if name := text(row.get("resolved_model")) or text(row.get("model")):
        message["model"] = name
    sent, got = whole(row.get("input_tokens")), whole(row.get("output_tokens"))
    if sent or got:
        message["usage"] = {"prompt_tokens": sent, "completion_tokens": got, "total_tokens": sent + got}
    if whole(row.get("duration_ms")):
        message["duration_ms"] = whole(row["duration_ms"])
    return message


# --- From 0.36 on: a thread points at its last message ---------------------------------------------------------------


def _thread(database: Database, thread: Row, told: Transcript) -> list[Message]:
    turns = {row.get("tip_message_hash"): row for row in database.rows("turns", "thread_id", thread.get("id"))}
    way: list[dict[str, Any]] = []
    seen: set[Any] = set()
    tip = thread.get("tip_message_hash")
    while tip and tip not in seen:
        seen.add(tip)
        found = database.rows("messages", "hash", tip)
        way[:0] = found[:1]
        tip = found[0].get("parent_hash") if found else None
    messages: list[Message] = []
    for row in way:
        parts = database.rows("parts", "message_hash", row.get("hash"), order="position")
        for message in _of_parts(database, text(row.get("role")), parts, told):
            turn = turns.get(row.get("hash"))
            if turn is not None and message["role"] == "assistant":
                message = stamped(_counted(message, turn), utc(turn.get("datetime_utc")))
            messages.append(message)
    return messages


def _of_parts(database: Database, role: str, parts: list[dict[str, Any]], told: Transcript) -> list[Message]:
    payloads = [(text(part.get("type")), part, fields(json_value(text(part.get("payload"))))) for part in parts]
    results = [
        result(
            text(done.get("tool_call_id")), text(done.get("name")), _output(done), is_error=bool(done.get("exception"))
        )
        for kind, _, done in payloads
        if kind == "tool_result"
    ]
    words = "".join(_words(database, part, payload) for kind, part, payload in payloads if kind == "text")
    left_out(told, sum(kind == "reasoning" for kind, _, _ in payloads), "piece of reasoning")
    if role == "tool" or (results and not words):
        return results
    if role == "assistant":
        calls = [
            tool_call(text(payload.get("tool_call_id")), text(payload.get("name")), payload.get("arguments", {}))
            for kind, _, payload in payloads
            if kind == "tool_call"
        ]
        return [assistant(words, calls)]
    links = [row for part in parts for row in database.rows("part_attachments", "part_id", part.get("id"))]
    ids = [row.get("attachment_id") for row in links]
    return [*results, {"role": role or "user", "content": with_images(words, _images(database, ids, told))}]


def _words(database: Database, part: Row, payload: Row) -> str:
    """The text itself, or put together from fragments and what stands between them."""
    if part.get("text") is not None:
        return text(part.get("text"))
    pieces = [fields(piece) for piece in entries(payload.get("text_ref"))]
    texts = [_fragment(database, p["fragment"]) if "fragment" in p else text(p.get("literal")) for p in pieces]
    return "".join(texts) or text(payload.get("text"))


def _output(payload: Row) -> str:
    pieces = [fields(piece) for piece in entries(payload.get("output"))]
    return text(payload.get("output")) or "".join(text(piece.get("literal")) for piece in pieces)
