"""`scratchy config set|unset`: changes the person's own file, comments and order kept, whole or not at all, 0600.

A key never comes from the command line: it is typed unseen, or piped in. Not here: showing settings (settings.py).
"""

import errno
import getpass
import os
import re
import stat
import sys
import time
import tomllib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from scratchy import compose, config
from scratchy.config import Config
from scratchy.core.addresses import passwords_in
from scratchy.core.errors import ConfigError
from scratchy.shell.printing import tell
from scratchy.shell.settings import Settings, check_name, shown, text_of
from scratchy.system import WINDOWS, make_private_folder, replace_file, try_lock

DONE, NOTHING = 0, 1
_PATIENCE = 15.0  # seconds for another one who is writing
_LONGEST_KEY = 4096


def set_(name: str, text: str | None, here: Path, as_json: bool) -> int:
    """Raises: ConfigError for what the setting cannot be; the file is as it was then."""
    check_name(name)
    secret = name.startswith("keys.") or (name == "base_url" and (text is None or bool(passwords_in(text))))
    value = _unseen(name, text) if secret else _value(name, text)
    _change(lambda text: _put(text, name, value))
    _tell(name, value, here, as_json)
    return DONE


def unset(name: str, as_json: bool) -> int:
    check_name(name)
    there = _change(lambda text: _dropped(text, name))
    path = config.user_file()
    sentence = f"{name} is not set any more in {path}." if there else f"{name} is not set in {path}."
    tell(as_json, {"key": name, "unset": there}, sentence)
    return DONE if there else NOTHING


# -- values


def _value(name: str, text: str | None) -> Any:
    head, _, inner = name.partition(".")
    if text is None:
        raise ConfigError(f"Say the value: `scratchy config set {name} VALUE`.")
    if head == "keys" or (head == "prices" and "." not in inner):
        what = "keys.OPENAI_API_KEY" if head == "keys" else "prices.MODEL.input"
        raise ConfigError(f"'{name}' is a table. Name what is inside, such as {what}.")
    if head == "prices":
        return _number(name, text)
    if config.KINDS[head] is bool:
        if text.lower() not in config.TRUE + config.FALSE[1:]:
            raise ConfigError(f"'{name}' must be true or false, not '{text}'.")
        return text.lower() in config.TRUE
    if config.KINDS[head] is list:
        return _names(name, text)
    if problem := config.problem_of(head, text):
        raise ConfigError(problem)
    return text


def _names(name: str, text: str) -> list[str]:
    """Names of variables, between them blanks or commas, or as a list in TOML."""
    try:
        table: dict[str, Any] = tomllib.loads(f"names = {text}") if text.lstrip().startswith("[") else {}
    except tomllib.TOMLDecodeError:
        table = {}
    listed: Any = table.get("names", text.replace(",", " ").split())
    for one in listed:
        if not (isinstance(one, str) and re.fullmatch(r"[A-Za-z_][\w()]*", one)):
            raise ConfigError(f"'{name}' is a list of names of variables, such as `FOO BAR`; {one!r} is none.")
    return listed


def _number(name: str, text: str) -> float | int:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        raise ConfigError(f"'{name}' must be a number, not '{text}'.") from None


def _unseen(name: str, text: str | None) -> str:
    """A key, or an address with its password, as it is typed or piped in."""
    what = "key" if name.startswith("keys.") else "address"
    if text is not None:
        raise ConfigError(
            f"A {'key' if what == 'key' else 'password'} on the command line stays in the shell's history and is seen "
            f"by others. Say `scratchy config set {name}` and type it, or pipe it in."
        )
    if sys.stdin.isatty():
        key = getpass.getpass(f"{name.removeprefix('keys.')} (is not shown): ")
    else:
        key = sys.stdin.readline(_LONGEST_KEY + 2)
    key = key.strip()
    if not key:
        raise ConfigError(f"No {what} came in; nothing was changed. Type it at a terminal, or pipe it in.")
    if not (key.isascii() and key.isprintable()) or " " in key or len(key) > _LONGEST_KEY:
        raise ConfigError(f"That is no {what}: it has blanks, other signs, or no end. Nothing was changed.")
    return key


# -- the file


def _change(edit: Callable[[str], str]) -> bool:
    """Write the file as `edit` makes it of its text, when it is still good; whether it changed. Raises: ConfigError,
    OSError; the file is as it was then."""
    path = config.user_file()
    make_private_folder(path.parent)
    with _alone(path.parent):
        before = _content(path)
        try:
            after = edit(before)
        except TOMLKitError as error:
            raise ConfigError(f"{path} could not be changed: {error}. Change it with an editor.") from error
        if after != before:
            _check(after, path)
            if not WINDOWS:
                path.parent.chmod(0o700)
            _write(path, after)
    return after != before


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text.encode(), 0o600)
    except OSError as error:
        error.filename = str(path)  # the neighbour that was to take its place is gone
        raise


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """While this lasts no other process of ours changes the file."""
    try:
        handle = os.open(folder / ".config.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            error.filename = str(folder)  # where nothing can be written
        raise
    try:
        until = time.monotonic() + _PATIENCE
        while not try_lock(handle):
            if time.monotonic() > until:
                raise ConfigError(f"Another `scratchy config` is changing {folder}; try again.")
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _content(path: Path) -> str:
    """Its text; empty when it is not there. What is no plain file is not written over."""
    try:
        there = os.lstat(path)
    except FileNotFoundError:
        return ""
    if stat.S_ISLNK(there.st_mode):
        raise ConfigError(f"{path} is a link to {os.readlink(path)}. Change that file yourself.")
    config.table_of(path)  # what cannot be read here is no configuration: nothing is guessed
    return path.read_bytes().decode()


def _check(text: str, path: Path) -> None:
    """The file that is about to be written must be one that a start accepts."""
    table: dict[str, Any] = tomllib.loads(text)
    for key, value in table.items():
        if key in config.KEYS and (problem := config.problem_of(key, value)):
            raise ConfigError(problem)
    known = {key: table[key] for key in ("provider", "model", "base_url") if key in table}
    sources = dict.fromkeys(known, str(path))
    compose.check_providers(Config(path.parent, path.parent, files=known, sources=sources), {})


def _put(text: str, name: str, value: Any) -> str:
    document = tomlkit.parse(text)
    head, _, inner = name.partition(".")
    if not inner and head not in document:
        return _with_line(text, head, value)
    if not inner:
        document[head] = value
        return tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType]
    table = _table(document, head)
    if head == "prices":
        model, _, inner = inner.rpartition(".")
        table = _table(table, model)
    table[inner] = value
    return tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType]


def _with_line(text: str, key: str, value: Any) -> str:
    """One more setting below those that are there: not between a table and the comment above it."""
    lines = text.splitlines(keepends=True)
    tables = next((at for at, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    plain = [at + 1 for at, line in enumerate(lines[:tables]) if line.strip() and not line.lstrip().startswith("#")]
    at = max(plain) if plain else len(lines) if tables == len(lines) else 0
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    made = "".join([*lines[:at], tomlkit.dumps({key: value}), *lines[at:]])  # pyright: ignore[reportUnknownMemberType]
    document = tomlkit.parse(text)
    document[key] = value
    try:
        fits = tomllib.loads(made) == document.unwrap()
    except tomllib.TOMLDecodeError:  # a text of many lines ends there, say
        fits = False
    return made if fits else tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType]


def _table(parent: Any, name: str) -> Any:
    if name not in parent:
        parent[name] = tomlkit.inline_table() if isinstance(parent, InlineTable) else tomlkit.table()
    return parent[name]


def _dropped(text: str, name: str) -> str:
    document = tomlkit.parse(text)
    head, dot, inner = name.partition(".")
    part: Any = document
    key = head
    if dot and head in document:
        part, key = document[head], inner
        model, _, field = inner.rpartition(".")
        if inner not in part and model in part:
            part, key = part[model], field
    if key not in part:
        return text
    del part[key]
    if dot and not document[head]:
        del document[head]
    return tomlkit.dumps(document)  # pyright: ignore[reportUnknownMemberType]


def _tell(name: str, value: Any, here: Path, as_json: bool) -> None:
    """What was set; and what stands over it, should something."""
    over = ""
    with suppress(ConfigError):
        first = Settings({}, here).places(name)[0]
        if first.place != "user":
            over = f"{first.source or first.place} stands over it"
    told = shown(name, value)
    row = {"key": name, "value": told, "file": str(config.user_file())} | ({"over": over} if over else {})
    note = f" But {over}." if over else ""
    tell(as_json, row, f"{name} = {text_of(told)}, in {config.user_file()}.{note}")
