"""How a subcommand prints: a sentence or one JSON document, in what stdout can encode."""

import json
import sys
from typing import Any

from scratchy.core.text import escaped_json


def tell(as_json: bool, row: Any, sentence: str) -> None:
    say(escaped_json(json.dumps(row, ensure_ascii=False)) if as_json else sentence)


def say(text: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)
