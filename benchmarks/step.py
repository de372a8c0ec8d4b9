"""Row 12: what one step of the loop adds (a provider that answers at once, one tool, both messages stored): CPU."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from benchmarks.common import Home, Row, median
from scratchy import Agent, SessionManager
from scratchy.core.ports import Reply


class Calling:
    """Asks for the tool in each of `steps` answers, then says that it is done."""

    name = model = "calling"
    supports_tools = True
    window = None

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self.cpu: list[float] = []  # of the process, in seconds, at each request

    async def prepare(self) -> None:
        pass

    async def aclose(self) -> None:
        pass

    async def stream(self, messages: Sequence[Any], tools: Sequence[Any]) -> AsyncGenerator[Reply, None]:
        self.cpu.append(time.process_time())
        number = len(self.cpu)
        if number > self._steps:
            yield Reply({"role": "assistant", "content": "Done."})
            return
        function: Any = {"name": "count", "arguments": f'{{"number": {number}}}'}
        call: Any = {"id": f"c{number}", "type": "function", "function": function}
        yield Reply({"role": "assistant", "content": f"Step {number}.", "tool_calls": [call]})


def count(number: int) -> str:
    """Count.

    Args:
        number: how far
    """
    return f"counted to {number}"


def run(*, tiny: bool = False) -> list[Row]:
    steps = 20 if tiny else 2_000
    with Home() as home:
        provider = Calling(steps)
        agent = Agent(llm=provider, max_iterations=steps + 1, sessions=SessionManager(home.sessions))
        agent.register_tool_from_function(count)
        answer = asyncio.run(agent.chat("Count.", "steps"))
        assert answer == "Done.", answer
    taken = [(after - before) * 1000 for before, after in zip(provider.cpu, provider.cpu[1:], strict=False)]
    part = len(taken) // 4
    first, last = sum(taken[:part]) / part, sum(taken[-part:]) / part
    return [
        Row(f"12 one step of {steps}, CPU (budget in ms)", sum(taken) / len(taken), None, 3),
        Row("12 … the median of them", median(taken), None, 3),
        Row("12 the last quarter of the steps beside the first", last, first, 1.3),
    ]
