"""The keys of the prompt. Those of readline stay what they are; here stand only ours.

Not here: what a key sets in motion (repl answers the `Actions`), the keys of an approval (approve).
"""

import asyncio
import contextlib
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

from prompt_toolkit.application import in_terminal
from prompt_toolkit.filters import Condition, has_completions, has_focus, is_searching
from prompt_toolkit.key_binding import KeyPressEvent
from prompt_toolkit.keys import Keys

from scratchy import system
from scratchy.terminal.lines import notice
from scratchy.terminal.pastes import Pastes
from scratchy.terminal.screen import Screen

_AHEAD = 0.05
"""Seconds after the first paint in which a line feed is an Enter: it was typed when the terminal was still cooked."""
_TWICE = 1.0  # seconds within which a second Esc lists the turns


class Actions(NamedTuple):
    """What the keys need of the program. `busy`: a turn runs; `paused`: lines of last time wait for `go_on`."""

    send: Callable[[str], None]
    interrupt: Callable[[], None]
    cancel: Callable[[], None]
    end: Callable[[], None]
    expand: Callable[[], None]
    next_mode: Callable[[], None]
    busy: Callable[[], bool]
    paused: Callable[[], bool]
    go_on: Callable[[], None]


def bind_keys(screen: Screen, actions: Actions, pastes: Pastes) -> None:
    """Add our keys to the screen's."""
    _bind_sending(screen, actions)
    _bind_interrupting(screen, actions)
    _bind_tools(screen, actions, pastes)


def _bind_sending(screen: Screen, actions: Actions) -> None:
    typing = has_focus(screen.buffer) & ~is_searching
    started: list[float] = []

    def remember(_: object) -> None:
        if not started:
            started.append(time.monotonic())

    screen.app.after_render += remember

    def send() -> None:
        buffer = screen.buffer
        text = buffer.text
        if buffer.document.text_before_cursor.endswith("\\") and not buffer.document.text_after_cursor:
            buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        elif text.strip():
            buffer.reset(append_to_history=False)
            actions.send(text)
        elif text:
            buffer.reset()
        elif not screen.asking:
            actions.go_on()

    @screen.keys.add("enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        send()

    @screen.keys.add("c-j", filter=typing)
    def _(event: KeyPressEvent) -> None:
        if started and time.monotonic() - started[0] < _AHEAD:
            send()
        else:
            screen.buffer.newline(copy_margin=False)

    @screen.keys.add("escape", "enter", filter=typing)
    def _(event: KeyPressEvent) -> None:
        screen.buffer.newline(copy_margin=False)


def _bind_interrupting(screen: Screen, actions: Actions) -> None:
    typing = has_focus(screen.buffer)
    asking = Condition(lambda: screen.asking)

    stops = Condition(actions.busy) | Condition(actions.paused)

    @screen.keys.add("escape", filter=typing & ~is_searching & stops & ~asking)
    def _(event: KeyPressEvent) -> None:
        actions.interrupt()

    empty, pressed = Condition(lambda: not screen.buffer.text), [-_TWICE]

    @screen.keys.add("escape", filter=typing & empty & ~is_searching & ~stops & ~asking)
    def _(event: KeyPressEvent) -> None:
        before, pressed[0] = pressed[0], time.monotonic()
        if pressed[0] - before < _TWICE:
            pressed[0] = -_TWICE
            actions.send("/rewind")

    @screen.keys.add("c-c", filter=~is_searching)
    @screen.keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        actions.cancel()

    @screen.keys.add("c-d", filter=typing & Condition(lambda: not screen.buffer.text))
    def _(event: KeyPressEvent) -> None:
        actions.end()


def _bind_tools(screen: Screen, actions: Actions, pastes: Pastes) -> None:
    typing = has_focus(screen.buffer) & ~is_searching

    @screen.keys.add(Keys.BracketedPaste, filter=typing)
    def _(event: KeyPressEvent) -> None:
        screen.buffer.insert_text(pastes.shown(event.data))

    @screen.keys.add("c-o", filter=typing)
    def _(event: KeyPressEvent) -> None:
        actions.expand()

    @screen.keys.add("s-tab", filter=typing & ~has_completions)
    def _(event: KeyPressEvent) -> None:
        actions.next_mode()

    @screen.keys.add("c-g", filter=typing)
    @screen.keys.add("c-x", "c-e", filter=typing)
    def _(event: KeyPressEvent) -> None:
        event.app.create_background_task(_edit(screen, pastes))

    @screen.keys.add("c-z", filter=Condition(lambda: hasattr(signal, "SIGTSTP")))
    def _(event: KeyPressEvent) -> None:
        event.app.create_background_task(_suspend(screen))


async def _suspend(screen: Screen) -> None:
    """Stop, with all that the shell started for us; the shell finds the terminal as we found it."""
    async with in_terminal():
        screen.away = True
        try:
            with system.as_found(sys.stdin.fileno(), screen.found):
                os.kill(0, signal.SIGTSTP)
        finally:
            screen.away = False
            screen.note_key()  # the last one went to the shell
    screen.refresh()


async def _edit(screen: Screen, pastes: Pastes) -> None:
    """The input in the person's editor; what it saved is the input, not sent."""
    handle, path = tempfile.mkstemp(suffix=".md", prefix="scratchy-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(pastes.expanded(screen.buffer.text))
        async with in_terminal():
            screen.away = True
            failure = await asyncio.to_thread(_run_editor, path)  # a turn goes on meanwhile, unseen
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read().removesuffix("\n")
    except OSError as error:
        failure, text = f"The input could not be handed to an editor: {error}", ""
    finally:
        screen.away = False
        screen.note_key()  # the last one went to the editor
        with contextlib.suppress(OSError):
            os.unlink(path)
    if failure:
        screen.write(notice(failure))
    else:
        screen.buffer.text = text
        screen.buffer.cursor_position = len(text)
    screen.refresh()


def _run_editor(path: str) -> str:
    """Why it failed, or "". It has the terminal to itself meanwhile; what the turn says waits."""
    fallback = "notepad" if sys.platform == "win32" else "vi"
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or fallback
    try:
        code = subprocess.call([*shlex.split(command), path])
    except (OSError, ValueError) as error:
        return f"The editor '{command}' could not be started: {error}. Set EDITOR to one that can."
    return f"The editor '{command}' ended with code {code}; the input is unchanged." if code else ""
