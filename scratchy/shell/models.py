"""`scratchy models`: what the provider offers."""

import json

from scratchy import compose
from scratchy.config import Config, machine_id
from scratchy.core.text import clean
from scratchy.shell.printing import say


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
        say(json.dumps(rows, indent=2))
        return 0
    for info in models:
        notes = [f"{info.window} tokens"] if info.window else []
        notes += ["no tools"] if info.tools is False else []
        say(f"{choice.provider.name}/{clean(info.name)}{'  ' + ', '.join(notes) if notes else ''}")
    return 0
