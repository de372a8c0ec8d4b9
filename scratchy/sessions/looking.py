"""Looking for what a folder is known by, beside everything else. Not here: what that is (project.py).

Apart from it because lists need no event loop.
"""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

from scratchy.sessions.project import identity


class Look:
    """`identity`, found out in a thread that nobody waits for at the end. `found`: None until it is."""

    def __init__(self, folder: Path, known: Any = None) -> None:
        self.found: dict[str, Any] | None = None
        threading.Thread(target=self._work, args=(folder, known), name="project", daemon=True).start()

    def _work(self, folder: Path, known: Any) -> None:
        self.found = identity(folder, known)

    async def wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while self.found is None and time.monotonic() < until:
            await asyncio.sleep(0.005)
