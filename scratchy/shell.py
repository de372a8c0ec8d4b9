"""The shell's subcommands: they print, ask nothing, and take no lock to read.

Not here: the slash commands (commands.py); the flags (cli.py).
"""

import json
import sys
from pathlib import Path
from typing import Any

from scratchy import compose
from scratchy.config import Config, machine_id
from scratchy.core.errors import SessionNotFoundError
from scratchy.core.messages import calls_of, text_of
from scratchy.core.text import clean, escaped_json, reveal
from scratchy.sessions.manager import SessionManager


def list_sessions(folder: Path, as_json: bool) -> int:
    manager = SessionManager(store=compose.open_folder(folder))
    infos = manager.infos()
    if as_json:
        rows: list[dict[str, Any]] = []
        for info in infos:
            row: dict[str, Any] = {"id": info.session_id, "message_count": info.count, "size": info.size}
            if info.header is not None:
                row |= {
                    "title": info.header.title,
                    "created_at": info.header.created_at,
                    "last_activity": info.header.updated_at,
                }
            rows.append(
                row | ({"error": info.error} if info.error else {}) | ({"foreign": True} if info.foreign else {})
            )
        _print(escaped_json(json.dumps(rows, indent=2, ensure_ascii=False)))
        return 0
    for info in infos:
        if info.header is None:
            _print(f"{reveal(info.session_id)}  cannot be read: {clean(info.reason)}")
            continue
        title = f"  {clean(info.header.title)}" if info.header.title else ""
        foreign = "  (foreign: its header names another id)" if info.foreign else ""
        when = info.header.updated_at[:16].replace("T", " ")
        _print(f"{reveal(info.session_id)}  {info.count} messages  {clean(when)}{title}{foreign}")
    if not infos:
        _print(f"No sessions in {folder} yet.")
    return 0


def show_session(folder: Path, session_id: str, as_json: bool) -> int:
    messages = SessionManager(store=compose.open_folder(folder)).load_session(session_id)
    if messages is None:
        raise SessionNotFoundError(session_id)
    if as_json:
        _print(escaped_json(json.dumps(messages, indent=2, ensure_ascii=False)))
        return 0
    for message in messages:
        calls = "".join(
            f"\n→ {call['function']['name']}({call['function']['arguments']})" for call in calls_of(message)
        )
        _print(clean(f"{message.get('role')}: {text_of(message)}{calls}\n"))
    return 0


def delete_session(folder: Path, session_id: str, as_json: bool) -> int:
    if not SessionManager(store=compose.open_folder(folder)).delete_session(session_id):
        raise SessionNotFoundError(session_id)
    _told(as_json, {"deleted": session_id}, f"Deleted session: '{session_id}' (it is in the trash)")
    return 0


def restore_session(folder: Path, session_id: str, as_json: bool) -> int:
    restored = SessionManager(store=compose.open_folder(folder)).restore(session_id)
    _told(as_json, {"restored": restored}, f"Restored session: '{restored}'")
    return 0


async def list_models(config: Config, as_json: bool) -> int:
    choice = await compose.choose_provider(config, {}, machine_id())
    try:
        models = await compose.list_models(choice.provider)
    finally:
        await choice.provider.aclose()
    if as_json:
        rows = [
            {"provider": choice.provider.name, "model": m.name, "tools": m.tools, "window": m.window} for m in models
        ]
        _print(json.dumps(rows, indent=2))
        return 0
    for info in models:
        notes = [f"{info.window} tokens"] if info.window else []
        notes += ["no tools"] if info.tools is False else []
        _print(f"{choice.provider.name}/{clean(info.name)}{'  ' + ', '.join(notes) if notes else ''}")
    return 0


def _told(as_json: bool, row: dict[str, str], sentence: str) -> None:
    _print(escaped_json(json.dumps(row, ensure_ascii=False)) if as_json else sentence)


def _print(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
