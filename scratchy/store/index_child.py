"""Run as `python -m scratchy.store.index_child`: brings the index of the folder that stdin names up to date, and ends.

A process of its own, so that nobody's typing waits for it and its memory is given back.
"""

import json
import os
import sys
import time
from contextlib import suppress

from scratchy.store.files import FileStore
from scratchy.store.index import Index
from scratchy.store.index_db import Locked

_SLICE = 0.2  # seconds; between slices others have their turn
_PAUSE = 0.02
_PATIENCE = 60  # tries while another process writes


def main() -> int:
    folder = json.load(sys.stdin)["folder"]
    with suppress(AttributeError, OSError):  # Windows has none
        os.nice(10)
    index, refused = Index(FileStore(folder)), 0
    while refused < _PATIENCE:
        try:
            if not index.update(_SLICE):
                return 0
            time.sleep(_PAUSE)
        except Locked:
            refused += 1
            time.sleep(_SLICE)
        except OSError:  # it cannot be written here: searches read the sessions themselves
            return 1
    return 1


if __name__ == "__main__":
    sys.exit(main())
