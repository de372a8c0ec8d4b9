"""Which format a file is, from its beginning. Pure: bytes in, a name out. Not here: reading it."""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any

from scratchy.interchange import aider, claude_code, codex, pi
from scratchy.interchange.transcript import Transcript, fields, is_message, json_value, objects

HEAD = 1 << 16
"""Bytes from the start that tell whether a file is lines of JSON, one JSON document, or what else."""
KINDS = (
    "JSON (a list of messages, or a whole session), JSONL, a .toon file, and sessions of Claude Code, Codex, pi, "
    "aider, llm (logs.db) and ChatGPT (conversations.json)"
)
_LINES = 200
_EVENTS = {"codex": codex.is_one, "claude": claude_code.is_one, "pi": pi.is_one, "jsonl": is_message}


def kind_of(head: bytes, lines: Iterable[bytes]) -> str:
    """`sqlite`, `toon`, `aider`, `json` (one document, or lines whose first is torn: only the whole file tells);
    nothing where `kind_of_lines` has to tell. `head`: the first bytes, `lines`: the file again, as far as needed."""
    if head.startswith(b"SQLite format 3\0"):
        return "sqlite"
    body = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if body.startswith(b"{"):
        line = next((line for line in lines if line.strip()), b"").strip()
        first = fields(json_value(line.removeprefix(b"\xef\xbb\xbf")))
        return "json" if not first or {"messages", "mapping"} & first.keys() else ""
    if re.search(rb"(?m)^messages\[[0-9]+[^\n]*:", body):
        return "toon"
    if aider.is_one(body.decode("utf-8", "replace")):
        return "aider"
    return "json" if body.startswith(b"[") else ""


def kind_of_lines(lines: Iterable[bytes]) -> str:
    """`codex`, `claude`, `pi` or `jsonl`, from the first lines that are JSON objects; nothing where it is none."""
    events: list[dict[str, Any]] = list(objects(islice(lines, _LINES), Transcript()))
    return next((name for name, test in _EVENTS.items() if any(test(event) for event in events)), "")
