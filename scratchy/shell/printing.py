"""How a subcommand prints: a sentence or one JSON document, in what stdout can encode."""

import json
import os
import sys
from typing import Any

from scratchy.core.text import escaped_json


def tell(as_json: bool, row: Any, sentence: str) -> None:
    say(escaped_json(json.dumps(row, ensure_ascii=False)) if as_json else sentence)


def say(text: str) -> None:
    """Ends the program quietly when nobody reads on (`… | head`)."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the flush at exit complains again
        raise SystemExit(0) from None
