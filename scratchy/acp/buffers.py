"""The editor's buffers, as file tools ask for them: unsaved text counts before what the disk holds.

Called in worker threads, which wait for the editor's answer. Not here: when a tool asks, paths, permissions.
"""

import asyncio
import errno
import logging
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from acp import Client, RequestError

SECONDS = 10.0  # that the editor has for an answer

log = logging.getLogger("scratchy.acp")
T = TypeVar("T")


class Buffers:
    """Those of one session. `reads`, `writes`: what the editor offers. Made inside the running loop."""

    def __init__(self, client: Client, session_id: str, *, reads: bool, writes: bool) -> None:
        self._client = client
        self._session_id = session_id
        self._reads = reads
        self._writes = writes
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def text(self, path: str) -> str | None:
        if not self._reads or threading.get_ident() == self._thread:  # the loop cannot wait for itself
            return None
        try:
            return self._wait(self._client.read_text_file(path=path, session_id=self._session_id)).content
        except (RequestError, ValueError, OSError) as error:  # a timeout is an OSError, too
            log.info("the editor has no text of %s: %s", path, error)
            return None

    def write(self, path: str, text: str) -> bool:
        if not self._writes:
            return False
        try:
            self._wait(self._client.write_text_file(path=path, content=text, session_id=self._session_id))
        except (RequestError, ValueError) as error:  # it says no: a file outside its project, say
            log.info("the editor does not write %s: %s", path, error)
            return False
        except OSError as error:
            raise OSError(errno.EIO, "The editor did not say whether it wrote the file", path) from error
        return True

    def _wait(self, asking: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(asking, self._loop)
        try:
            return future.result(SECONDS)
        except TimeoutError:
            future.cancel()
            raise
