"""The keys of the prompt. Those of readline stay what they are; here stand only ours.

Not here: what a key sets in motion (repl answers the `Actions`), the keys of an approval (approve).
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from prompt_toolkit.application import in_terminal
from prompt_toolkit.filters import (
    Condition,
    has_completions,
    has_focus,
    is_searching,
    vi_insert_mode,
    vi_mode,
    vi_navigation_mode,
)
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.key_binding import KeyPressEvent
from prompt_toolkit.key_binding.vi_state import InputMode
from prompt_toolkit.keys import Keys

from scratchy import system
from scratchy.terminal.pastes import Pastes
from scratchy.terminal.pasting import END, more_waits
from scratchy.terminal.screen import Screen
from scratchy.terminal.waiting import Waiting

_AHEAD = 0.05
"""Seconds after the first paint in which a line feed is an Enter: it was typed when the terminal was still cooked."""
_TWICE = 1.0  # seconds within which a second Esc lists the turns
_GLUED = 0.05  # seconds within which nobody types something and pastes
_ENTERS = ("\x1b[13;2u", "\x1b[13;3u", "\x1b[13;5u", "\x1b[27;2;13~", "\x1b[27;3;13~", "\x1b[27;5;13~")
"""Enter with Shift, Alt or Ctrl, from terminals that tell them from a bare one: a newline, as Alt-Enter is."""


class Actions(NamedTuple):
    """What the keys need of the program. `send` gets a `ShellLine` where the line is one; `busy`: something runs;
    `image` tells whether it took a paste (an empty one: look into the clipboard)."""

    send: Callable[[str], None]
    interrupt: Callable[[], None]
    cancel: Callable[[], None]
    end: Callable[[], None]
    expand: Callable[[], None]
    next_mode: Callable[[], None]
    busy: Callable[[], bool]
    image: Callable[[str], bool]


def bind_keys(screen: Screen, actions: Actions, pastes: Pastes, waiting: Waiting) -> None:
    """Add our keys to the screen's."""
    ANSI_SEQUENCES.update(dict.fromkeys(_ENTERS, (Keys.Escape, Keys.ControlM)))
    _bind_sending(screen, actions, waiting)
    _bind_queue(screen, waiting)
    _bind_interrupting(screen, actions, waiting)
    _bind_typing(screen, actions, pastes)
    _bind_tools(screen, actions, pastes)


def _bind_sending(screen: Screen, actions: Actions, waiting: Waiting) -> None:
    typing = has_focus(screen.buffer) & ~is_searching
    started: list[float] = []

    def remember(_: object) -> None:
        if not started:
            started.append(time.monotonic())

    screen.app.after_render += remember

    def send() -> None:
        buffer = screen.buffer
        if buffer.document.text_before_cursor.endswith("\\") and not buffer.document.text_after_cursor:
            if not buffer.is_shell:  # there the backslash goes on, too
                buffer.delete_before_cursor()
            buffer.newline(copy_margin=False)
        else:
            _send(screen, actions, waiting)

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


def _send(screen: Screen, actions: Actions, waiting: Waiting) -> None:
    app = screen.app
    if screen.buffer.is_shell and screen.buffer.pasted and (app.key_processor.input_queue or more_waits(app.input)):
        screen.buffer.distrust()  # a person's Enter is the last key; in a paste more follows
        screen.buffer.newline(copy_margin=False)
        return
    line = screen.buffer.line
    if line.strip():
        screen.buffer.reset(append_to_history=False)
        actions.send(line)
    elif line:
        screen.buffer.reset()
    elif not screen.asking:
        waiting.go_on()
    screen.app.vi_state.reset()


def _bind_queue(screen: Screen, waiting: Waiting) -> None:
    moving = has_focus(screen.buffer) & ~is_searching & ~has_completions & Condition(waiting.untouched)

    @screen.keys.add("up", filter=moving)
    def _(event: KeyPressEvent) -> None:
        waiting.older()

    @screen.keys.add("down", filter=moving & Condition(lambda: waiting.editing))
    def _(event: KeyPressEvent) -> None:
        waiting.newer()


def _bind_interrupting(screen: Screen, actions: Actions, waiting: Waiting) -> None:
    """In vi mode Esc first ends what it ends there, unless a turn runs."""
    typing = has_focus(screen.buffer)
    calm = typing & ~is_searching & ~Condition(lambda: screen.asking)
    busy, waits = Condition(actions.busy), Condition(lambda: bool(waiting.paused) or waiting.editing)
    free = ~vi_mode | vi_navigation_mode

    @screen.keys.add("escape", filter=calm & (busy | (waits & free)))
    def _(event: KeyPressEvent) -> None:
        actions.interrupt()

    empty, pressed = Condition(lambda: not screen.buffer.text), [-_TWICE]

    @screen.keys.add("escape", filter=calm & empty & ~busy & ~waits)
    def _(event: KeyPressEvent) -> None:
        event.app.vi_state.input_mode = InputMode.NAVIGATION
        before, pressed[0] = pressed[0], time.monotonic()
        if pressed[0] - before < _TWICE:
            pressed[0] = -_TWICE
            event.app.vi_state.reset()
            actions.send("/rewind")

    bare_mark = Condition(lambda: screen.buffer.is_shell and not screen.buffer.text.strip("!"))

    @screen.keys.add("escape", filter=calm & bare_mark & ~busy & ~waits)
    def _(event: KeyPressEvent) -> None:
        screen.buffer.reset()

    @screen.keys.add("c-c", filter=~is_searching)
    @screen.keys.add("<sigint>")
    def _(event: KeyPressEvent) -> None:
        actions.cancel()
        event.app.vi_state.reset()

    @screen.keys.add("c-d", filter=typing & Condition(lambda: not screen.buffer.text))
    def _(event: KeyPressEvent) -> None:
        actions.end()


def _bind_typing(screen: Screen, actions: Actions, pastes: Pastes) -> None:
    typing = has_focus(screen.buffer) & ~is_searching

    @screen.keys.add(Keys.BracketedPaste, filter=typing)
    def _(event: KeyPressEvent) -> None:
        if screen.buffer.pasted and screen.pause < _GLUED:
            screen.buffer.distrust()
        screen.buffer.pasted = True
        if not actions.image(event.data):
            screen.buffer.insert_text(pastes.shown(event.data))

    @screen.keys.add("c-v", filter=typing & (~vi_mode | vi_insert_mode))
    def _(event: KeyPressEvent) -> None:
        actions.image("")

    first = Condition(lambda: screen.buffer.cursor_position == 0 and (screen.buffer.is_shell or not screen.buffer.text))

    @screen.keys.add("!", filter=typing & first & (~vi_mode | vi_insert_mode))
    def _(event: KeyPressEvent) -> None:
        screen.buffer.type_mark()

    @screen.keys.add(Keys.Ignore)
    def _(event: KeyPressEvent) -> None:
        if event.data == END:  # of a paste that stopped for a while: what came since was no typing
            screen.buffer.distrust()


def _bind_tools(screen: Screen, actions: Actions, pastes: Pastes) -> None:
    typing = has_focus(screen.buffer) & ~is_searching

    @screen.keys.add("c-o", filter=typing)
    def _(event: KeyPressEvent) -> None:
        actions.expand()

    @screen.keys.add("s-tab", filter=typing & ~has_completions)
    def _(event: KeyPressEvent) -> None:
        actions.next_mode()

    @screen.keys.add("c-g", filter=typing)
    @screen.keys.add("c-x", "c-e", filter=typing)
    def _(event: KeyPressEvent) -> None:
        editor = import_module("scratchy.terminal.editor")
        event.app.create_background_task(editor.edit(screen, pastes, screen.buffer.line))

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
