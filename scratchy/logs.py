"""The debug log of `--verbose`: one rotating file in the state folder, mode 0600, without any key in it.

Not here: what is logged. Rooms log under their own name below `scratchy`.
"""

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

from scratchy.config import KEY_NAMES, READ_KEYS
from scratchy.system import make_private_folder
from scratchy.tools.secrets import key_values

SIZE, KEPT = 5_000_000, 3


def without_keys(text: str) -> str:
    """`text` with the values of the key variables, and of the keys that a file holds, taken out."""
    values = {value for value in (*(os.environ.get(name, "") for name in KEY_NAMES), *READ_KEYS) if value}
    values.update(key_values())  # passwords in addresses too
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "[key]")
    return text


class _WithoutKeys(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return without_keys(super().format(record))


class _PrivateFile(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk must not put tracebacks on the screen."""

    def _open(self):  # pyright: ignore[reportIncompatibleMethodOverride] - what the base class promises
        return open(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8")


def log_to(folder: Path) -> Path:
    """Log everything from now on to `folder`/debug.log, and return that path. Raises: OSError."""
    make_private_folder(folder)
    path = folder / "debug.log"
    handler = _PrivateFile(path, maxBytes=SIZE, backupCount=KEPT - 1, encoding="utf-8")
    handler.setFormatter(_WithoutKeys("%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"))
    log = logging.getLogger("scratchy")
    log.addHandler(handler)
    log.setLevel(os.environ.get("SCRATCHY_LOG_LEVEL", "debug").upper() or "DEBUG")
    return path
