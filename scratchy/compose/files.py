"""Files of the person's folders, looked at and put back: what tools/putback.py does, for rooms that know no tools."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scratchy.tools.putback import Standing


def standing(path: str, folders: Sequence[Path]) -> "Standing":
    """What stands at an absolute path, looked at without following a link; `folders` are resolved."""
    from scratchy.tools import putback

    return putback.standing(path, folders)


def put_back(
    path: str, folders: Sequence[Path], expected: str | None, data: bytes | None, mode: int | None,
    keep: Callable[[bytes], object],
) -> str:  # fmt: skip
    """Put a file back, see putback.put: empty when it is done, else what stands in the way. Raises: OSError."""
    from scratchy.tools import putback

    return putback.put(path, folders, expected, data, mode, keep)


def file_difference(path: str, today: bytes | None, then: bytes | None) -> str:
    from scratchy.tools import putback

    return putback.difference(path, today, then)
