"""Rules instead of a model: for trying the screen and for pictures. Every answer says so. No network, no clock."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Sequence

from scratchy.core.events import ProviderEvent, TextDelta
from scratchy.core.messages import Message, ToolCall, ToolSpec, text_of
from scratchy.core.ports import Reply
from scratchy.providers.models import ModelInfo

NOTE = "*Demo: these are canned answers, no model is behind them.*"

_GREETING = """Hello! I can show what answers look like here. Try:

- **list files** – calls the tool `list_files`
- **read README.md** – calls the tool `read_file`
- **table**, **code** or **list** – Markdown of that kind
"""
_TABLE = """| what | how |
| --- | --- |
| a real model in the box | `--provider local` |
| a server of yours | `--base-url http://localhost:8080/v1` |
| OpenAI | the variable `OPENAI_API_KEY` |
"""
_CODE = """A function that greets:

```python
def greet(name: str) -> str:
    return f"Hello, {name}!"
```
"""
_LIST = """1. Every message is on disk before the next prompt.
2. A session can be left at any moment:
   - with Ctrl-D,
   - or by pulling the plug.
3. `/resume` brings it back.
"""
_DELTA = re.compile(r"\s*\S{1,12}")
_PAUSE = 0.01


class DemoProvider:
    """Knows a handful of words; asks for `list_files` and `read_file` where these are on offer."""

    name = "demo"
    model = "demo"
    supports_tools = True
    window: int | None = None
    sees: bool | None = False

    async def models(self) -> list[ModelInfo]:
        return [ModelInfo(self.model, self.supports_tools, self.window)]

    async def prepare(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec]
    ) -> AsyncGenerator[ProviderEvent | Reply, None]:
        offered = {str(tool["function"].get("name")) for tool in tools}
        answer, call = _answer(messages, offered)
        answer = f"{NOTE}\n\n{answer}"
        sent = 0
        for piece in _DELTA.finditer(answer):
            await asyncio.sleep(_PAUSE)
            sent = piece.end()
            yield TextDelta(piece[0])
        if sent < len(answer):
            yield TextDelta(answer[sent:])
        message: Message = {"role": "assistant", "content": answer, "model": self.model, "stop_reason": "stop"}
        if call is not None:
            call["id"] = f"demo_{len(messages)}"
            message["tool_calls"] = [call]
            message["stop_reason"] = "tool_calls"
        yield Reply(message)


def _answer(messages: Sequence[Message], offered: set[str]) -> tuple[str, ToolCall | None]:
    last = messages[-1] if messages else None
    if last is None:
        return _GREETING, None
    said = text_of(last)
    if last["role"] == "tool":
        lines = said.splitlines()[:12]
        return "The tool answered:\n\n" + "\n".join(f"    {line}" for line in lines), None
    if "list_files" in offered and re.search(r"\blist\b.*\bfiles\b|\bls\b", said, re.IGNORECASE):
        return "I look into the folder.", _call("list_files", {})
    if "read_file" in offered and (named := re.search(r"\bread\s+(?:the\s+file\s+)?[`'\"]?([^\s`'\"]+)", said, re.I)):
        return f"I read `{named[1]}`.", _call("read_file", {"file_path": named[1]})
    for word, shown in (("table", _TABLE), ("code", _CODE), ("list", _LIST)):
        if word in said.lower():
            return shown, None
    return _GREETING, None


def _call(name: str, arguments: dict[str, str]) -> ToolCall:
    return {"id": "", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
