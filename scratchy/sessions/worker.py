"""One thread for one session's store calls: they block on the disk, and the loop must not.

Not here: what is called.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Worker:
    """Its thread is made by the first call and ends with `close`, or with the worker."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="store")

    async def run(self, call: Callable[[], T]) -> T:
        """What the call returns or raises. Cancelled or not, what is stored is known afterwards."""
        return await finished(asyncio.get_running_loop().run_in_executor(self._threads, call))

    def close(self) -> None:
        self._threads.shutdown(wait=False)


async def finished(work: Awaitable[T]) -> T:
    """What the work returns or raises. A cancellation waits for its end, then goes first."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(asyncio.wait([task]))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        task.exception()  # seen
        raise cancelled
    return task.result()
