"""How much a search index has to catch up with, told by the folder alone, before anything of a database is loaded."""

import os

from scratchy.store.ids import SUFFIX

INDEX = ".index.sqlite"
SOON_DONE = 1 << 20  # bytes that the next search indexes by itself, unnoticed


def backlog(folder: str) -> int:
    """Bytes of the session files that were written since the index was; of all of them while there is none."""
    written, sizes = 0.0, list[tuple[float, int]]()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in (INDEX, f"{INDEX}-wal"):
                    written = max(written, entry.stat(follow_symlinks=False).st_mtime)
                elif entry.name.endswith(SUFFIX) and entry.is_file(follow_symlinks=False):
                    there = entry.stat(follow_symlinks=False)
                    sizes.append((there.st_mtime, there.st_size))
    except OSError:
        return 0
    return sum(size for changed, size in sizes if changed > written)
