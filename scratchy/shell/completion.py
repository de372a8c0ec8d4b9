"""What Tab offers in a shell: subcommands, flags, session ids, models, values. Runs at a key, so: no network, no lock,
nothing heavy; what goes wrong offers nothing.

Not here: the shells' own scripts (completion_scripts.py), how bash cuts and quotes a word (bash_words.py).
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scratchy import compose, config
from scratchy.compose.seen import known_models
from scratchy.core.errors import ScratchyError
from scratchy.core.text import reveal
from scratchy.shell import bash_words
from scratchy.shell.completion_scripts import SHELLS
from scratchy.store.ids import SUFFIX, check_id, decode_id, is_plain

MOST = 500
"""Candidates at most; the newest sessions first."""
_TITLED = 50  # that many sessions are opened for their title
VALUES, FILES, FOLDERS = "values", "files", "folders"
_IDS = ("session", "resume", "fork", "session_id", "session_ids", "ids")
_PLACES = {"cwd": FOLDERS, "add_dir": FOLDERS, "sessions_dir": FOLDERS, "path": FILES}


class Offer(NamedTuple):
    """`kind` FILES or FOLDERS: the shell completes names of those itself. `values` with a note each, the best first.
    `head`: what of the word stands before the value (`--session=`, `@`)."""

    kind: str = VALUES
    values: Sequence[tuple[str, str]] = ()
    head: str = ""


class Spot(NamedTuple):
    """Where the word stands: in which command, as the value of which option, after which arguments; `given`: options
    before it, by their parameter's name; `ended`: no option follows."""

    command: Any
    path: str
    option: Any
    arguments: Sequence[str]
    ended: bool
    given: Mapping[str, str]


def answer(program: Any, shell: str, words: Sequence[str]) -> None:
    """Print what `shell` may offer: the kind on the first line, then a candidate a line. `program` is the command tree;
    `words`: bash's line up to the cursor and its word breaks; else the words after the program's name, the one at the
    cursor the last."""
    try:
        if shell == "bash":
            line = bash_words.parse(words[0], words[1])
            found = offer(program, line.words, line.word)
            lines = bash_words.replies(line, found.kind, [f"{found.head}{value}" for value, _ in found.values])
        else:
            found = offer(program, words[:-1], words[-1])
            lines = [f"{found.kind}\t{found.head}", *(f"{value}\t{note}" for value, note in found.values)]
        sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode())
    except (ScratchyError, OSError, ValueError, IndexError):
        return


def offer(program: Any, before: Sequence[str], word: str) -> Offer:
    """What `word`, after the words before it, may become."""
    spot = _spot(program, before)
    if spot.option is not None:
        return _begun(word, _values(spot, spot.option, word))
    if not spot.ended and word.startswith("-"):
        name, equals, value = word.partition("=")
        option = _option(spot.command, name)
        if not equals:
            return _begun(word, Offer(values=_flags(spot.command)))
        if option is None or option.is_flag:
            return Offer()
        found = _values(spot, option, value, attached=True)
        return _begun(value, found._replace(head=f"{name}={found.head}"))
    if hasattr(spot.command, "commands"):
        return _begun(word, Offer(values=_subcommands(spot.command)))
    argument = _argument(spot)
    return _begun(word, _values(spot, argument, word) if argument is not None else Offer())


def _begun(word: str, found: Offer) -> Offer:
    """Those that begin so, and nothing that a terminal or a shell would take for more than a word."""
    fits = [(value, note) for value, note in found.values if value.startswith(word) and value.isprintable()]
    return found._replace(values=[(value, " ".join(reveal(note).split())) for value, note in fits[:MOST]])


# -- where the word stands


def _spot(program: Any, before: Sequence[str]) -> Spot:
    command, path, ended = program, "", False
    arguments: list[str] = []
    given: dict[str, str] = {}
    option: Any = None
    for word in before:
        if option is not None and not (word.startswith("-") and option.name in ("resume", "fork", "prompt")):
            given[option.name] = word
            option = None
        elif word == "--" and not ended:
            option, ended = None, True
        elif not ended and word.startswith("-") and len(word) > 1:
            name, equals, value = word.partition("=")
            option = _option(command, name)
            if option is not None and equals:
                given[option.name] = value
            if option is None or equals or option.is_flag:
                option = None
        elif hasattr(command, "commands"):
            command, path = command.commands.get(word), f"{path} {word}".strip()
        else:
            arguments.append(word)
    return Spot(command, path, option, arguments, ended, given)


def _option(command: Any, name: str) -> Any:
    """The option of that name; of several letters behind one dash the last one."""
    if name[:2] != "--":
        name = f"-{name[-1]}"
    return next((one for one in _options(command) if name in (*one.opts, *one.secondary_opts)), None)


def _options(command: Any) -> list[Any]:
    return [one for one in getattr(command, "params", ()) if one.param_type_name == "option"]


def _argument(spot: Spot) -> Any:
    there = [one for one in getattr(spot.command, "params", ()) if one.param_type_name == "argument"]
    at = len(spot.arguments)
    return there[at] if at < len(there) else there[-1] if there and there[-1].nargs == -1 else None


# -- what may stand there


def _flags(command: Any) -> list[tuple[str, str]]:
    """By their long names."""
    found = [(name, one.help or "") for one in _options(command) for name in (*one.opts, *one.secondary_opts)]
    return [*((name, note) for name, note in found if name.startswith("--")), ("--help", "Show the help.")]


def _subcommands(group: Any) -> list[tuple[str, str]]:
    return [(name, one.get_short_help_str(60)) for name, one in group.commands.items() if not one.hidden]


def _values(spot: Spot, parameter: Any, word: str, *, attached: bool = False) -> Offer:
    """`attached`: the value follows `=`, so it may begin with a dash."""
    name, path = parameter.name, spot.path
    if name in _PLACES:
        return Offer(_PLACES[name])
    if name == "system":
        return Offer(FILES, head="@") if word.startswith("@") else Offer()
    if name == "model":
        return Offer(FILES) if word[:1] in ("/", ".", "~") else Offer(values=_models(spot))
    metavar = parameter.metavar or ""
    if "|" in metavar and metavar.islower():
        return Offer(values=[(value, "") for value in metavar.split("|")])
    if path in ("session restore", "session trash restore"):
        return Offer(values=_trashed(spot, names=path == "session trash restore"))
    if name in _IDS and path != "session import":
        ids = _ids(spot, word)
        free = attached or spot.ended  # else a dash would begin a flag
        return Offer(values=[pair for pair in ids if free or not pair[0].startswith("-")])
    return Offer(values=[(value, "") for value in _known(spot, name)])


def _known(spot: Spot, name: str) -> Sequence[str]:
    match name:
        case "provider":
            return compose.PROVIDERS
        case "form":
            return [kind.lstrip(".") for kind in compose.WRITTEN]
        case "key":
            return _settings(spot)
        case "value" if spot.path == "config":
            return values_of(spot.arguments[1])
        case "shell":
            return SHELLS
        case _:
            return ()


def _settings(spot: Spot) -> list[str]:
    """Their names; those inside tables as far as they are known."""
    if spot.arguments[0] == "path":
        return []
    plain = [key for key in config.KEYS if key not in ("keys", "prices")]
    return [*plain, *(f"keys.{name}" for name in config.KEY_NAMES)]


def _models(spot: Spot) -> list[tuple[str, str]]:
    """What was seen lately; with --provider the names alone."""
    known = known_models()
    wanted = spot.given.get("provider", "").lower()
    if wanted:
        return [(name.partition("/")[2], "") for name in known if name.startswith(f"{wanted}/")]
    return [*((name, "") for name in known), *((f"{name}/", "a provider") for name in compose.PROVIDERS)]


def _folder(spot: Spot) -> Path:
    named = spot.given.get("sessions_dir")
    return Path(os.path.abspath(os.path.expanduser(named))) if named else config.usual_sessions_dir()


def _ids(spot: Spot, word: str) -> list[tuple[str, str]]:
    """The sessions whose id begins so, the one that changed last first, by their files' names; titles of the first."""
    folder = _folder(spot)
    found: list[tuple[float, str]] = []
    for session_id, entry in _entries(folder):
        if session_id.startswith(word):
            found.append((entry.stat(follow_symlinks=False).st_mtime, session_id))
    ids = [session_id for _, session_id in sorted(found, reverse=True)[:MOST]]
    store = compose.open_folder(folder)
    return [(one, _title(store, one) if at < _TITLED else "") for at, one in enumerate(ids)]


def _entries(folder: Path) -> "Iterator[tuple[str, os.DirEntry[str]]]":
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.endswith(SUFFIX) or entry.name[0] == "." or not entry.is_file(follow_symlinks=False):
                continue
            stem = entry.name[: -len(SUFFIX)]
            session_id = decode_id(stem) or (stem if is_plain(stem) else None)
            if session_id is not None:
                yield session_id, entry


def _title(store: Any, session_id: str) -> str:
    try:
        return str(store.header(session_id)[0].title or "")
    except (ScratchyError, OSError):
        return ""


def _trashed(spot: Spot, *, names: bool) -> list[tuple[str, str]]:
    """What can be brought back: ids, and the entries' own names."""
    entries = compose.open_folder(_folder(spot)).trash()
    ids = {entry.session_id: f"{entry.reason} {entry.when[:10]}" for entry in reversed(entries)}
    valid = [(one, note) for one, note in ids.items() if _is_id(one)]
    return valid + [(entry.name, f"{entry.reason} {entry.when[:10]}") for entry in entries if names]


def _is_id(text: str) -> bool:
    try:
        return bool(check_id(text))
    except ValueError:
        return False


def values_of(name: str) -> Sequence[str]:
    """What a setting may be, where that is a short list."""
    if name == "provider":
        return compose.PROVIDERS
    return ("true", "false") if config.KINDS.get(name) is bool else config.CHOICES.get(name, ())
