"""Names of models that were seen lately, in a small file of the state folder: for completion, which asks no server.

One `provider/name` a line, the one seen last first. Losing the file loses nothing. Not here: asking (providers.py).
"""

from collections.abc import Iterable

from scratchy.config import user_dir
from scratchy.core.errors import ConfigError
from scratchy.system import first_bytes, make_private_folder, replace_file

_MOST, _LONGEST = 300, 200
_LARGEST = 2 * _MOST * _LONGEST
_NOT_KEPT = ("demo", "scripted")  # files and fancies


def known_models() -> list[str]:
    try:
        content = first_bytes(str(user_dir("state") / "models"), _LARGEST)
    except ConfigError:
        return []
    return [name for name in content.decode(errors="replace").split("\n") if _is_name(name)]


def note_models(provider: str, names: Iterable[str]) -> None:
    """Remember that `provider` serves these; where that cannot be written, nothing is."""
    seen = [f"{provider}/{name}" for name in names if provider not in _NOT_KEPT and name]
    before = known_models()
    after = list(dict.fromkeys([*filter(_is_name, seen), *before]))[:_MOST]
    if set(after) == set(before):
        return
    try:
        folder = user_dir("state")
        make_private_folder(folder)
        replace_file(folder / "models", "".join(f"{name}\n" for name in after).encode(), 0o600)
    except (OSError, ConfigError):
        return


def _is_name(name: str) -> bool:
    return 0 < len(name) <= _LONGEST and name.isprintable() and "/" in name
