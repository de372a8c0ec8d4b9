"""`scratchy config get|explain|path`: what a setting is, and which place said so. Reads; asks and changes nothing.

No key is ever shown: only that there is one, and its last four characters. Not here: setting (settings_file.py).
"""

import json
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

from scratchy import compose, config
from scratchy.config import Config
from scratchy.core.addresses import without_password
from scratchy.core.errors import ConfigError, SessionNotFoundError
from scratchy.core.text import escaped_json, reveal, reveal_line
from scratchy.permissions import Trust
from scratchy.shell.printing import say, say_json

DONE, NOTHING = 0, 1
_AFTER = {
    "provider": "looked for: keys, then an Ollama that runs here, then the model in the box",
    "model": "the first listed that does tools, or the vendor's usual one",
    "base_url": "the provider's own",
    "system": "the usual one",
    "instructions": "none",
}
"""What holds where nothing is set, for settings that have no value then."""
_BROUGHT = ("provider", "model", "system")
"""What a session brings with it."""
_VARIABLES = {"provider": "OPENAI_BASE_URL", "base_url": "OPENAI_BASE_URL"}


class Told(NamedTuple):
    """What one place says of a setting: `used` when it is what holds; `note` says why not."""

    place: str
    source: str
    value: Any
    used: bool = False
    note: str = ""


class Settings:
    """All places at once, for the folder `here`. `session`: one whose own settings count too. Raises: ConfigError."""

    def __init__(self, flags: Mapping[str, Any], here: Path, session: str | None = None) -> None:
        trusted = Trust(config.user_dir("state")).trusted
        self.notices: list[str] = []
        self.layers = config.layers(flags, self.notices, folder=here, trusted=trusted)
        self.effective: Config = config.load(flags, folder=here, trusted=trusted)
        self.session = session
        self._brought = self._of_session(session) if session else {}

    def names(self) -> list[str]:
        """Every key, those inside tables too."""
        inside = [f"{table}.{name}" for table in ("keys", "prices") for name in getattr(self.effective, table)]
        held = [f"keys.{name}" for name in config.KEY_NAMES if os.environ.get(name)]
        plain = [key for key in config.KEYS if key not in ("keys", "prices")]
        return [*plain, *dict.fromkeys([*inside, *held])]

    def places(self, name: str) -> list[Told]:
        """What each place says, the strongest first; the last one is the default."""
        said = [
            Told(layer.name, layer.sources.get(key, ""), layer.values[key])
            for layer in reversed(self.layers)
            if (key := name.partition(".")[0]) in layer.values
        ]
        said = [told._replace(value=inner) for told in said if (inner := _inside(told.value, name)) is not None]
        if name in self._brought:
            at = 1 if said and said[0].place == "flag" else 0
            said.insert(at, Told("session", self.session or "", self._brought[name]))
        variable = name.removeprefix("keys.") if name.startswith("keys.") else _VARIABLES.get(name, "")
        if value := os.environ.get(variable, ""):
            found = "openai" if name == "provider" else value
            at = 0 if name.startswith("keys.") else len(said)
            said.insert(at, Told("environment", variable, found))
        said.append(Told("default", "", _default(name)))
        said[0] = said[0]._replace(used=True)
        return [*said, *self._refused(name)]

    def _refused(self, name: str) -> list[Told]:
        told = [layer for layer in self.layers if name in layer.refused]
        source = str(config.project_file(self.effective.folder))
        return [Told("project", source, layer.refused[name], note="not trusted, so not used") for layer in told]

    def _of_session(self, session_id: str) -> dict[str, Any]:
        store = compose.open_folder(self.effective.sessions_dir)
        if not store.exists(session_id):
            raise SessionNotFoundError(session_id, f"Session '{reveal(session_id)}' not found.")
        metadata = store.header(session_id)[0].metadata
        _, first = store.tail(session_id, 1, before=1)
        brought: dict[str, Any] = {}
        if metadata.get("machine") == config.machine_id() and not metadata.get("found"):
            brought = {key: metadata[key] for key in ("provider", "model") if isinstance(metadata.get(key), str)}
        if first and first[0].get("role") == "system":
            brought["system"] = first[0].get("content")
        return brought


def _inside(value: Any, name: str) -> Any:
    """Of a table the part that `name` means; None where it has none."""
    _, dot, inner = name.partition(".")
    if not dot:
        return value
    part: Any = cast("dict[str, Any]", value)
    if inner in part:
        return part[inner]
    model, _, field = inner.rpartition(".")
    return part[model].get(field) if model in part else None


def _default(name: str) -> Any:
    if name == "sessions_dir":
        return str(config.own_sessions_dir())
    return Config._field_defaults.get(name)


def shown(name: str, value: Any) -> Any:
    """A value as it may be seen, in words or JSON: of a key that it is there, of an address no password."""
    if name.startswith("keys.") and isinstance(value, str):
        return f"set (…{value[-4:]})" if len(value) >= 12 else "set"
    if isinstance(value, Mapping):
        return {key: shown(f"{name}.{key}", one) for key, one in cast("Mapping[str, Any]", value).items()}
    if name == "base_url" and isinstance(value, str):
        return without_password(value)
    return (
        list(cast("tuple[Any]", value))
        if isinstance(value, tuple)
        else str(value)
        if isinstance(value, Path)
        else value
    )


def text_of(value: Any) -> str:
    """In one row, whatever is in it."""
    return reveal_line(value) if isinstance(value, str) else escaped_json(json.dumps(value, ensure_ascii=False))


def get(settings: Settings, name: str, as_json: bool) -> int:
    """The value that holds, alone. 1 when there is none."""
    check_name(name, settings)
    told = settings.places(name)[0]
    value = shown(name, told.value)
    if as_json:
        say_json({"key": name, "value": value, "source": _source(told)})
    elif value is not None:
        say(reveal(value) if isinstance(value, str) else text_of(value))
    return NOTHING if value is None else DONE


def explain(settings: Settings, name: str | None, as_json: bool) -> int:
    """Of one setting, or of each: what holds and why; of one also what the other places say."""
    if name is not None:
        check_name(name, settings)
    names = [name] if name is not None else settings.names()
    if as_json:
        say_json({one: _row(settings, one) for one in names}, indent=2)
    elif name is not None:
        say("\n".join(_lines(settings, name)))
    else:
        width = max(map(len, names)) + 2
        say("\n".join([*(_line(settings, one, width) for one in names), "", *_words(settings)]))
    return DONE


def paths(flags: Mapping[str, Any], here: Path, as_json: bool) -> int:
    """Where the person's own file is, whether it is there or not, whatever is wrong with it."""
    own, sessions = config.user_file(), None
    if as_json:
        with suppress(ConfigError):
            sessions = str(Settings(flags, here).effective.sessions_dir)
        row = {"user": str(own), "project": str(config.project_file(here)), "sessions": sessions}
        say_json(row | {"state": str(config.user_dir("state"))})
    else:
        say(reveal(str(own)))
    return DONE


def plain_name(name: str) -> str:
    """A name as it is written elsewhere here: without the quotes that TOML wants around some parts.
    Raises: ConfigError that lists the settings, for what TOML does not take as a name."""
    if not {'"', "'"} & set(name):
        return name
    parts: list[str] = []
    with suppress(tomllib.TOMLDecodeError):
        value: Any = tomllib.loads(f"{name} = 0")
        while isinstance(value, dict) and len(table := cast("dict[str, Any]", value)) == 1:
            [(part, value)] = table.items()
            parts.append(part)
        if value == 0:
            return ".".join(parts)
    raise _no_setting(name)


def check_name(name: str, settings: Settings | None = None) -> None:
    """Raises: ConfigError that lists the settings, for one that there is not."""
    head, dot, inner = name.partition(".")
    known = head in config.KEYS and (not dot or (head in ("keys", "prices") and bool(inner)))
    if known and head == "keys" and dot and inner not in config.KEY_NAMES:
        keys = ", ".join(config.KEY_NAMES)
        raise ConfigError(f"'{reveal_line(inner)}' is no key that is read here; the keys are {keys}.")
    if not known:
        raise _no_setting(name)


def _no_setting(name: str) -> ConfigError:
    return ConfigError(f"There is no setting '{reveal_line(name)}'. The settings are: {', '.join(config.KEYS)}.")


def _source(told: Told) -> str:
    return told.source if told.place in ("environment", "project", "user") else told.place


def _row(settings: Settings, name: str) -> dict[str, Any]:
    places = settings.places(name)
    rows = [
        {"place": one.place, "source": one.source or None, "value": shown(name, one.value), "used": one.used}
        | ({"note": one.note} if one.note else {})
        for one in places
    ]
    return {"value": shown(name, places[0].value), "source": _source(places[0]), "places": rows}


def _line(settings: Settings, name: str, width: int) -> str:
    told = settings.places(name)[0]
    value = shown(name, told.value)
    if value in (None, "", [], {}):
        return f"{reveal_line(name).ljust(width)}-  ({_AFTER.get(name, 'nothing set')})"
    text = text_of(value)
    return f"{reveal_line(name).ljust(width)}{text if len(text) <= 60 else text[:60] + '…'}  ({_named(told)})"


def _lines(settings: Settings, name: str) -> list[str]:
    lines: list[str] = []
    for told in settings.places(name):
        value = shown(name, told.value)
        text = _AFTER.get(name, "nothing set") if value in (None, "", [], {}) else text_of(value)
        note = f"  ({told.note})" if told.note else "  ← this holds" if told.used else ""
        lines.append(f"{_named(told)}: {text}{note}")
    return lines


def _named(told: Told) -> str:
    """The place, as a person knows it."""
    match told.place:
        case "user":
            return f"your file {reveal_line(told.source)}"
        case "project":
            return f"the project's file {reveal_line(told.source)}"
        case "environment":
            return f"the environment, {told.source}"
        case "session":
            return f"session '{reveal_line(told.source)}'"
        case "flag":
            return "a flag"
        case _:
            return "default"


def _words(settings: Settings) -> list[str]:
    """What stands below the list."""
    lines = [reveal_line(notice) for notice in settings.notices]
    if refused := settings.effective.untrusted:
        lines.append(
            f"Not trusted, so not used: {', '.join(refused)} in {config.project_file(settings.effective.folder)}"
        )
    if not settings.session:
        lines.append("A session brings its own provider, model and system message: `scratchy -s ID config explain`.")
    return [*lines, "One setting from all sides: `scratchy config explain NAME`."]
