"""What a line may mention: files as they lie on the disk, and the names of all there are."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scratchy.tools.mentioned import Mentioned
    from scratchy.tools.mentioned import Seen as Seen


def open_mentioned(folder: Path, add_dirs: Iterable[Path], keys: Sequence[str] = ()) -> "Mentioned":
    from scratchy.tools.mentioned import Mentioned

    return Mentioned(folder, add_dirs, keys)


def path_names(folder: Path) -> AsyncGenerator[list[str], None]:
    """The files below `folder` that one may want to mention, some at a time, `/` between; ends after some seconds at
    the latest. Never raises."""
    from scratchy.tools.paths import path_names

    return path_names(folder)
