"""What a person may set: defaults < user file < project file < environment < flags, as one frozen value.

Not here: what a setting leads to (compose.py), whether a project's file is trusted (permissions.py).
On the way to the prompt: a named tuple, which is made in a sixth of a dataclass's time; tomllib is imported only where
a file is there, platformdirs only off Linux.
"""

import math
import os
import stat
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, cast

from scratchy.core.errors import ConfigError
from scratchy.core.modes import ASK, MODES, YOLO
from scratchy.core.text import reveal_line
from scratchy.system import make_private_folder

if sys.platform != "linux":
    import platformdirs

FREE_IN_PROJECT = ("model", "instructions", "theme")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "approval_mode": tuple(mode for mode in MODES if mode != YOLO),
    "theme": ("auto", "light", "dark", "none"),
    "notify": ("off", "bell", "osc9"),
    "edit_mode": ("emacs", "vi"),
}
KINDS: Mapping[str, type] = {
    **dict.fromkeys(("provider", "model", "base_url", "sessions_dir", "system", "instructions", *CHOICES), str),
    "plain": bool, "pass_env": list, "prices": dict, "keys": dict,
}  # fmt: skip
KEYS = tuple(KINDS)
OWN = ("keys", "notify", "edit_mode", "pass_env")
"""What stands in the person's own file only."""
KEY_NAMES = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY", "SCRATCHY_TOKEN")
READ_KEYS: set[str] = set()
"""The values of all keys that this process read from a file: what is never shown."""
_NAMES = {str: "a text", bool: "true or false", list: "a list of texts", dict: "a table"}
PRICE_FIELDS = ("input", "cached", "output", "window")
"""USD a million tokens; `window` in tokens."""
LARGEST = 1_000_000  # bytes of a configuration file
LOG_LEVELS = ("debug", "info", "warning", "error")
TITLES = ("model", "words", "off")
TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


class Config(NamedTuple):
    """`sources` tells where each set value came from ("flag", a variable's name, a file's path); `files` holds what
    files and environment set, also where a flag won. `stays`: every session works in `folder` (--cwd was given)."""

    folder: Path
    sessions_dir: Path
    provider: str | None = None
    model: str | None = None
    base_url: str | None = None
    system: str | None = None
    instructions: str = ""
    plain: bool = False
    yolo: bool = False
    verbose: bool = False
    approval_mode: str = ASK
    theme: str = "auto"
    notify: str = "bell"
    edit_mode: str = "emacs"
    pass_env: tuple[str, ...] = ()
    prices: Mapping[str, Mapping[str, float]] = {}
    keys: Mapping[str, str] = {}
    max_budget_usd: float | None = None
    max_steps: int = 50
    titles: str = "model"
    add_dirs: tuple[Path, ...] = ()
    stays: bool = False
    sources: Mapping[str, str] = {}
    files: Mapping[str, Any] = {}
    notices: tuple[str, ...] = ()
    untrusted: Mapping[str, Any] = {}

    @property
    def mode(self) -> str:
        """What runs unasked at the start."""
        return YOLO if self.yolo else self.approval_mode

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys in it, a password in its address too: what no child and no model gets."""
        return (*self.keys.values(), *passwords_in(self.base_url or ""))

    def by_flag(self, key: str) -> bool:
        return self.sources.get(key) == "flag"


def passwords_in(address: str) -> tuple[str, ...]:
    """Loaded where there is an `@` to look at: never on the usual way to the prompt."""
    return import_module("scratchy.core.addresses").passwords_in(address) if "@" in address else ()


def user_dir(kind: str) -> Path:
    """The platform's folder for `kind` ("config", "data" or "state"), Scratchy's own part of it."""
    if not (os.environ.get("HOME") or os.environ.get("XDG_CONFIG_HOME") or sys.platform == "win32"):
        try:
            Path.home()
        except RuntimeError:
            raise ConfigError("No home folder is known. Set HOME to a folder for settings and sessions.") from None
    if sys.platform != "linux":
        return Path(getattr(platformdirs, f"user_{kind}_path")("scratchy", appauthor=False))
    set_by = os.environ.get(f"XDG_{kind.upper()}_HOME", "")
    usual = {"config": ".config", "data": ".local/share", "state": ".local/state"}[kind]
    return (Path(set_by) if os.path.isabs(set_by) else Path.home() / usual) / "scratchy"


def checkout() -> Path | None:
    """The checkout that this package lies in, None when it is installed."""
    top = Path(__file__).resolve().parent.parent
    return top if (top / "run_agent.py").is_file() and (top / "pyproject.toml").is_file() else None


def usual_sessions_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """SCRATCHY_SESSIONS_DIR, else the user file's, else a checkout's `session_history`, else the data folder's.
    Raises: ConfigError for a user file that cannot be read."""
    named = environ.get("SCRATCHY_SESSIONS_DIR") or read(user_file(), [])[0].get("sessions_dir")
    return _folder(named or own_sessions_dir())


def own_sessions_dir() -> Path:
    return (checkout() or user_dir("data")) / "session_history"


def _folder(named: str | Path) -> Path:
    """Absolute, once; `..` resolved by its spelling."""
    return Path(os.path.abspath(os.path.expanduser(named)))


def user_file() -> Path:
    return user_dir("config") / "config.toml"


def machine_id() -> str:
    """A random name for this machine, made once in the state folder; empty where that cannot be written."""
    path = user_dir("state") / "machine"
    try:
        return path.read_text().strip()
    except OSError:
        made = os.urandom(8).hex()
    try:
        make_private_folder(path.parent)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made)
    except OSError:
        return ""
    return made


def titles_wanted(environ: Mapping[str, str] = os.environ) -> str:
    """SCRATCHY_TITLES: who titles a new session. Raises: ConfigError for a value that it cannot have."""
    wanted = environ.get("SCRATCHY_TITLES") or TITLES[0]
    if wanted.lower() not in TITLES:
        raise ConfigError(f"SCRATCHY_TITLES is '{wanted}'; it must be one of {', '.join(TITLES)}.")
    return wanted.lower()


def transcript_wanted(environ: Mapping[str, str] = os.environ) -> bool:
    """SCRATCHY_TRANSCRIPT: a live transcript beside each session. Raises: ConfigError for neither 1 nor 0."""
    wanted = environ.get("SCRATCHY_TRANSCRIPT", "").lower()
    if wanted not in TRUE + FALSE:
        raise ConfigError(f"SCRATCHY_TRANSCRIPT is '{wanted}'; it must be 1 or 0.")
    return wanted in TRUE


def project_file(folder: Path) -> Path:
    return folder / ".scratchy" / "config.toml"


def load(
    flags: Mapping[str, Any],
    *,
    folder: Path,
    environ: Mapping[str, str] = os.environ,
    trusted: Callable[[Path, bytes], bool] = lambda path, content: False,
) -> Config:
    """Put the layers together. `flags` holds only what was given. Raises: ConfigError naming variable, file or key."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    files: dict[str, Any] = {}
    notices: list[str] = []
    untrusted: Mapping[str, Any] = {}
    for layer in layers(flags, notices, folder=folder, environ=environ, trusted=trusted):
        values |= layer.values
        sources |= layer.sources
        files = files if layer.name == "flag" else dict(values)
        untrusted = layer.refused or untrusted
    if "pass_env" in values:
        values["pass_env"] = tuple(values["pass_env"])
    values["sessions_dir"] = _folder(values.get("sessions_dir") or own_sessions_dir())
    return Config(folder=folder, sources=sources, files=files, notices=tuple(notices), untrusted=untrusted, **values)


class Layer(NamedTuple):
    """One of the places that settings come from: `name` is user, project, environment or flag. `sources`: where each of
    the `values` stands. `refused`: what an untrusted project's file may not set."""

    name: str
    values: Mapping[str, Any]
    sources: Mapping[str, str]
    refused: Mapping[str, Any] = {}


def layers(
    flags: Mapping[str, Any],
    notices: list[str],
    *,
    folder: Path,
    environ: Mapping[str, str] = os.environ,
    trusted: Callable[[Path, bytes], bool] = lambda path, content: False,
) -> list[Layer]:
    """The later ones stand over the earlier ones. `notices` gets what is said of the files. Raises: ConfigError."""
    user, project = user_file(), project_file(folder)
    own = read(user, notices)[0]
    found, content = read(project, notices)
    for key in [key for key in found if key in OWN]:
        notices.append(f"{project}: '{key}' is taken from your own file only ({user}).")
        del found[key]
    refused: dict[str, Any] = {}
    if not (content and trusted(project, content)):
        refused = {key: found.pop(key) for key, value in [*found.items()] if not _is_free(key, value)}
    if _keys_in(found):
        raise ConfigError(f"{project}: 'base_url' holds a password, which may stand in your own file only ({user}).")
    given = _from_environment(environ)
    told = {key: value for key, value in flags.items() if value is not None}
    return [
        Layer("user", own, dict.fromkeys(own, str(user))),
        Layer("project", found, dict.fromkeys(found, str(project)), refused),
        Layer(
            "environment", {key: pair[1] for key, pair in given.items()}, {key: pair[0] for key, pair in given.items()}
        ),
        Layer("flag", told, dict.fromkeys(told, "flag")),
    ]


def _is_free(key: str, value: Any) -> bool:
    """Whether an untrusted project may set it: a model's name, but no provider with it and no file."""
    names_more = key == "model" and ("/" in str(value) or "\\" in str(value) or str(value).lower().endswith(".gguf"))
    return key in FREE_IN_PROJECT and not names_more


def read(path: Path, notices: list[str] | None = None) -> tuple[dict[str, Any], bytes]:
    """One TOML file: its known keys, and its bytes (empty when there is none). Raises: ConfigError."""
    table, content = table_of(path)
    known = {key: value for key, value in table.items() if key in KEYS}
    if notices is not None:
        odd = [reveal_line(key) for key in table if key not in KEYS]
        notices += [f"{path}: '{key}' is not a setting that this version knows." for key in odd]
    for key, value in known.items():
        if problem := problem_of(key, value):
            raise ConfigError(f"{path}: {problem}")
    READ_KEYS.update(_keys_in(known))
    return known, content


def table_of(path: Path) -> tuple[dict[str, Any], bytes]:
    """What stands in a TOML file, whatever its values are, and its bytes (empty when there is none).
    Raises: ConfigError for one that cannot be read, and where others may read the keys in it."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # a FIFO would be waited for, a device read for ever
            raise ConfigError(f"{path} cannot be read: it is no regular file. Remove it.")
        with open(path, "rb") as file:
            content, mode = file.read(LARGEST + 1), os.fstat(file.fileno()).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return {}, b""
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Mend or remove it.") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path} is larger than {LARGEST} bytes, so it is no configuration. Mend or remove it.")
    tomllib = import_module("tomllib")  # only where there is a file to read
    try:
        table: dict[str, Any] = tomllib.loads(content.decode())
    except RecursionError:
        raise ConfigError(f"{path} is nested too deep. Mend or remove it.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}. Mend or remove it.") from error
    if mode & 0o077 and sys.platform != "win32" and ("keys" in table or _keys_in(table)) and path == user_file():
        what = "keys" if "keys" in table else "a password"
        raise ConfigError(f"{path} holds {what}, and others may read it. Say `chmod 600 '{path}'`.")
    return table, content


def _keys_in(table: Mapping[str, Any]) -> list[str]:
    """What nobody may see of a file's values, whatever those are."""
    keys, address = table.get("keys"), table.get("base_url")
    told = [*cast("dict[str, Any]", keys).values()] if isinstance(keys, dict) else []
    passwords = passwords_in(address) if isinstance(address, str) else ()
    return [*(one for one in told if isinstance(one, str)), *passwords]


def problem_of(key: str, value: Any) -> str:
    """Why a setting cannot have this value; "" when it can. A value of `keys` is never in it."""
    kind = KINDS[key]
    if not isinstance(value, kind):
        return f"'{key}' must be {_NAMES[kind]}" + ("." if key == "keys" else f", not {value!r}.")
    if key in CHOICES and value not in CHOICES[key]:
        hint = " (yolo is a flag's only)" if value == YOLO else ""
        return f"'{key}' is '{reveal_line(value)}'; it must be one of {', '.join(CHOICES[key])}{hint}."
    if key == "pass_env" and not all(isinstance(name, str) for name in value):
        return "'pass_env' must be a list of names of variables."
    if key == "keys" and not all(isinstance(one, str) for one in value.values()):
        return "'keys' must give a text for each name of a variable."
    if key == "keys" and (unknown := [name for name in value if name not in KEY_NAMES]):
        return f"'keys.{reveal_line(unknown[0])}' is no key that is read here; the keys are {', '.join(KEY_NAMES)}."
    if key == "prices":
        return _problem_of_prices(value)
    return ""


def _problem_of_prices(prices: Mapping[str, Any]) -> str:
    for model, fields in prices.items():
        if not isinstance(fields, dict):
            where = reveal_line(f"prices.{model}")
            return f"'{where}' must be a table such as {{ input = 1.25, output = 10 }}, in USD a million tokens."
        for name, amount in cast("dict[str, Any]", fields).items():
            good = type(amount) in (int, float) and 0 <= amount < math.inf
            if name not in PRICE_FIELDS or not good:
                names = ", ".join(PRICE_FIELDS)
                where = reveal_line(f"prices.{model}.{name}")
                return f"'{where}' is {amount!r}; a price has {names}, each a number of at least 0."
    return ""


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Key to variable and value."""
    level = environ.get("SCRATCHY_LOG_LEVEL", "")
    if level and level.lower() not in LOG_LEVELS:
        raise ConfigError(f"SCRATCHY_LOG_LEVEL is '{level}'; it must be one of {', '.join(LOG_LEVELS)}.")
    plain = environ.get("SCRATCHY_PLAIN", "")
    if plain.lower() not in TRUE + FALSE:
        raise ConfigError(f"SCRATCHY_PLAIN is '{plain}'; it must be 1 or 0.")
    found: dict[str, tuple[str, Any]] = {}
    if environ.get("SCRATCHY_TITLES"):
        found["titles"] = "SCRATCHY_TITLES", titles_wanted(environ)
    if plain:
        found["plain"] = "SCRATCHY_PLAIN", plain.lower() in TRUE
    if named := environ.get("SCRATCHY_SESSIONS_DIR"):
        found["sessions_dir"] = "SCRATCHY_SESSIONS_DIR", named
    return found
