"""What may run unasked and what asks first; which files of a project are trusted.

Decided here: places (working folder and added ones), secret files, what the person allowed for this session. Not here:
what a call would do (each tool tells its `Effect`), and asking (the loop does).
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, cast
from unicodedata import category

from scratchy.core.modes import ACCEPT_EDITS, ASK, PLAN, YOLO
from scratchy.core.ports import Effect, ToolError
from scratchy.core.text import reveal_line
from scratchy.system import make_private_folder, replace_file

_RULING = frozenset((".git", ".scratchy"))
_SECRET_NAMES = (
    ".env", ".env.*", ".envrc", "*.env", ".netrc", "_netrc", ".pgpass", "pgpass.conf", ".my.cnf", ".htpasswd",
    ".npmrc", ".pypirc", ".git-credentials", ".vault-token", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519",
    "id_ecdsa_sk", "id_ed25519_sk", "*.pem", "*.key", "*.p12", "*.pfx", "*.ppk", "*.jks", "*.keystore", "*.kdbx",
    "*.keytab", "*.gpg", "*.asc", "credentials", "credentials.json", "credentials.toml", "service-account*.json",
    "secrets.json", "secrets.toml", "secrets.yaml", "secrets.yml", "tokens.json",
    "id_rsa_*", "id_dsa_*", "id_ecdsa_*", "id_ed25519_*",
)  # fmt: skip
_HARMLESS_NAMES = frozenset((".env.example", ".env.sample", ".env.template", ".env.dist", "known_hosts"))
_SECRET_FOLDERS = (".ssh", ".gnupg", ".aws", ".azure", ".password-store", "gcloud", "keyrings")
# What people, editors and package managers add to the name of a copy: id_rsa.bak, .env~, x.pem.~2~, x.key.1
_COPY_END = re.compile(r"(?:\.~\d+~|~|\.(?:bak|old|orig|save|sw[a-p])|[._-]?\d+)\Z")
_LONGEST_NAME = 255  # no file system has longer ones
_SECRET_ENDS = (".docker/config.json", ".kube/config", "gh/hosts.yml", "scratchy/config.toml")


def is_secret(path: Path) -> bool:
    """Is this, by its name alone, a file where keys and passwords lie, or a copy of one? Case does not matter."""
    *folders, name = [_visible(part).lower() for part in path.parts] or [""]
    names = _names(name)
    if not _HARMLESS_NAMES.isdisjoint(names):
        return False
    if any(part in _SECRET_FOLDERS for part in (*folders, name)):
        return True
    return any(_is_secret_name(one, folders) for one in names)


def _visible(name: str) -> str:
    """The name without the characters that nobody sees."""
    return name if name.isascii() else "".join(char for char in name if category(char) != "Cf")


def _names(name: str) -> list[str]:
    """The name and, of a copy, the names that it may be a copy of."""
    names = [name]
    if len(name) > _LONGEST_NAME:
        return names
    while (shorter := _COPY_END.sub("", names[-1])) != names[-1]:
        names.append(shorter)
    return [*names, *(one[1:] for one in names[1:] if one.startswith("."))]  # Vim puts a dot before its swap file


def _is_secret_name(name: str, folders: list[str]) -> bool:
    if any(fnmatchcase(name, pattern) for pattern in _SECRET_NAMES):
        return True
    if name == "config" and any(folder.endswith(".git") for folder in folders):  # addresses with tokens in them
        return True
    return "/".join((*folders, name)).endswith(_SECRET_ENDS)


class Permissions:
    """The rules of one conversation. `folder` is the working folder, `add_dirs` other folders as free to read.

    `mode` tells what runs unasked besides: `ask` nothing, `accept-edits` what edits files inside, `plan` nothing, and
    what does more than read is refused, `yolo` all but what asks each time. What the person allowed "always" is kept in
    memory only.
    """

    def __init__(self, folder: Path, add_dirs: Iterable[Path] = (), mode: Callable[[], str] = lambda: ASK) -> None:
        self.folder = folder.resolve()
        self._mode = mode
        self._places = (self.folder, *(place.expanduser().resolve() for place in add_dirs))
        self._always: dict[tuple[str, str], str] = {}  # what it covers, in words

    def resolve(self, given: str) -> Path:
        """The file that a path means: in the working folder, `~` expanded, links followed. Raises: ToolError."""
        try:
            return (self.folder / Path(given).expanduser()).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise ToolError(f"{given!r} is not a usable path: {error}") from error

    def inside(self, path: Path) -> bool:
        """`path` resolved: does it lie in the working folder or an added one?"""
        return any(path.is_relative_to(place) for place in self._places)

    def may_read(self, path: Path) -> bool:
        """`path` resolved: may it be read unasked?"""
        return self.inside(path) and not is_secret(path)

    def may_edit(self, path: Path) -> bool:
        """`path` resolved: is writing it an edit of the person's work, and not of what rules a tool or a repository?"""
        return self.may_read(path) and _RULING.isdisjoint(part.lower() for part in path.parts)

    def verdict(self, tool: str, effect: Effect) -> Literal["run", "ask", "refuse"]:
        """What happens to a call with this effect in today's mode."""
        mode = self._mode()
        if effect.free:
            return "run"
        if mode == PLAN and effect.kind != "reads":
            return "refuse"
        unasked = mode == YOLO or (mode == ACCEPT_EDITS and effect.kind == "edits")
        return "run" if effect.scope and (unasked or (tool, effect.target) in self._always) else "ask"

    def remember(self, tool: str, effect: Effect) -> None:
        """Exactly this tool on exactly this target runs unasked from now on."""
        self._always[tool, effect.target] = effect.scope

    def remembered(self) -> list[tuple[str, str]]:
        """Tool and what runs unasked of it, in words, in the order in which the person allowed it."""
        allowed = self._always.items()
        return [(tool, f"{scope} ({reveal_line(target.replace(chr(0), ': '))})") for (tool, target), scope in allowed]


class Trust:
    """Which project files the person has seen and trusted: by path and content, in `trusted.json` of the state folder.

    A changed file is not trusted any more. An unreadable list trusts nothing.
    """

    def __init__(self, state_folder: Path) -> None:
        self._file = state_folder / "trusted.json"

    def trusted(self, path: Path, content: bytes) -> bool:
        return self._load().get(str(path.resolve())) == _digest(content)

    def trust(self, path: Path, content: bytes) -> None:
        """Raises: OSError when it could not be written."""
        known = self._load() | {str(path.resolve()): _digest(content)}
        make_private_folder(self._file.parent)
        replace_file(self._file, json.dumps(known, indent=1).encode(), 0o600)

    def _load(self) -> dict[str, Any]:
        try:
            known: Any = json.loads(self._file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        return cast("dict[str, Any]", known) if isinstance(known, dict) else {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
