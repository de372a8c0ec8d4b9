"""What a program is told on stdout, as JSON: a line an event, and what a turn came to. See docs/stream-json.md.

The rows are made here; docs/stream-json.schema.json is held to them by a test. Not here: writing (stdout.py), reading
what a program says (pipe.py), turns (oneshot.py).
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from scratchy.core.errors import ScratchyError
from scratchy.core.events import Event, MessageAdded, StepStarted, TextDelta, TurnFinished
from scratchy.core.messages import calls_of, text_of
from scratchy.core.text import escaped_json
from scratchy.sessions.desk import Desk
from scratchy.terminal.stdout import Stdout, encoding

VERSION = 1


class Report:
    """One turn, counted from its events: what its Result tells. `reason` is that of TurnFinished; "error" until one
    came (`finished`). `answered`: the model said or did something."""

    def __init__(self) -> None:
        self.answer = ""
        self.reason = "error"
        self.finished = False
        self.answered = False
        self.cost: Callable[[], float | None] = lambda: None
        self._steps = 0
        self._usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        self.started = time.monotonic()

    def take(self, event: Event) -> None:
        match event:
            case StepStarted():
                self._steps += 1
                self.answer = ""
            case TextDelta(text):
                self.answer += text
            case MessageAdded(message) if message.get("role") == "assistant":
                self.answer = text_of(message)
                self.answered = self.answered or bool(self.answer.strip() or calls_of(message))
                self._count(message.get("usage"))
            case TurnFinished(reason):
                self.reason, self.finished = reason, True
            case _:
                pass

    def _count(self, usage: Any) -> None:
        counted = cast("dict[str, Any]", usage) if isinstance(usage, dict) else {}
        for name, tokens in counted.items():
            if isinstance(tokens, int):
                self._usage[name] = self._usage.get(name, 0) + tokens

    def row(self, desk: Desk | None, code: int, error: str | None = None) -> dict[str, Any]:
        """The Result. `desk` None: there is no session, the start failed."""
        return {
            "type": "Result",
            "version": VERSION,
            "session_id": desk.conversation.session_id if desk else None,
            "answer": self.answer,
            "reason": self.reason,
            "is_error": code != 0,
            "exit_code": code,
            "error": error,
            "steps": self._steps,
            "duration_ms": round(1000 * (time.monotonic() - self.started)),
            "usage": self._usage,
            "cost_usd": self.cost(),
            **_model(desk),
        }


def _model(desk: Desk | None) -> dict[str, Any]:
    provider = desk.provider if desk else None
    return {"provider": provider.name if provider else None, "model": (provider.model or None) if provider else None}


async def session_row(desk: Desk) -> dict[str, Any]:
    """The first line. Who answers is named as far as that is known before anything is started or sent."""
    with suppress(ScratchyError):  # the turn tells it
        await desk.choice()
    named = {"session_id": desk.conversation.session_id, "cwd": str(desk.config.folder)}
    return {"type": "Session", "version": VERSION, **named, **_model(desk)}


def event_row(event: Event) -> dict[str, Any]:
    fields = type(event).__dataclass_fields__
    return {"type": type(event).__name__, **{name: getattr(event, name) for name in fields}}


def error_row(session_id: str | None, text: str, code: int) -> dict[str, Any]:
    return {"type": "Error", "session_id": session_id, "error": text, "exit_code": code}


async def tell(out: Stdout, row: dict[str, Any]) -> None:
    """One line of JSON, at once. Raises: BrokenPipeError, OutputError."""
    await out.put(json_text(row) + "\n")


def tell_failed_start(output_format: str, text: str, code: int) -> None:
    """An error before there is a session, as `json` and `stream-json` tell errors."""
    rows = [error_row(None, text, code), Report().row(None, code, text)]
    for row in rows if output_format == "stream-json" else rows[1:] if output_format == "json" else []:
        print(json_text(row).encode(encoding(), "backslashreplace").decode(encoding()), flush=True)


def json_text(value: Any) -> str:
    """Valid JSON on one line, whatever a model wrote: NaN and the infinities, which JSON lacks, become texts."""
    in_ascii = encoding().lower() not in ("utf-8", "utf8")
    try:
        text = json.dumps(value, ensure_ascii=in_ascii, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=str)
        text = json.dumps(finite, ensure_ascii=in_ascii)
    return escaped_json(text)
