"""What each kind of text looks like: one table a theme, for the prompt (prompt_toolkit), the short lines and rich.

A look is a few words: `bold`, `dim`, `italic`, `underline`, `reverse`, and one colour, which is a name of the sixteen
that every terminal's own palette has, or a number of the 216 that mean the same everywhere (16 to 231, greys to 255).
Which theme is in use is one fact of the process, as the terminal is. Not here: asking for the background (reports).
"""

import os
from collections.abc import Mapping
from functools import lru_cache

NAMES = ("auto", "light", "dark", "none")
_ATTRIBUTES = {"bold": "1", "dim": "2", "italic": "3", "underline": "4", "reverse": "7"}
_SIXTEEN = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_LEVELS = (0, 95, 135, 175, 215, 255)  # of red, green and blue in the colours 16 to 231
_RICH = ("256color", "direct", "kitty", "alacritty", "foot", "ghostty", "wezterm")
"""Parts of TERM that promise the numbered colours; COLORTERM does so too."""

Looks = Mapping[str, str]


class Theme:
    """`looks`: the look of each role."""

    def __init__(self, name: str, looks: Looks) -> None:
        self.name = name
        self.looks = looks


def _theme(name: str, **colours: str) -> Theme:
    """The roles with what is the same in all themes; "" for a colour: none."""
    accent, quiet, good, bad = (colours[key] for key in ("accent", "quiet", "good", "bad"))
    number, word, call, text, mark = (colours[key] for key in ("number", "word", "call", "text", "mark"))
    looks = {
        "prompt": f"bold {accent}", "unsafe": "bold reverse", "dim": quiet, "spinner": accent, "tool": colours["tool"],
        "queue": f"{quiet} italic", "error": bad, "question": "bold", "header": f"bold {good}",
        "notice": quiet if quiet.isdecimal() else "dim",
        "good": good, "bad": bad, "hunk": accent, "name": "bold", "added": good, "removed": bad,
        "quote": mark, "border": quiet, "code": number, "link": f"underline {word}",
        "comment": quiet, "keyword": word, "constant": number, "function": call, "decorator": mark, "string": text,
    }  # fmt: skip
    return Theme(name, {role: " ".join(look.split()) for role, look in looks.items()})


# Only the terminal's own sixteen colours, those that are readable on most palettes, light or dark.
SIXTEEN = _theme(
    "auto", accent="cyan", quiet="brightblack", good="green", bad="red", tool="yellow",
    number="cyan", word="blue", call="green", text="yellow", mark="magenta",
)  # fmt: skip
# Each at least 4.5 : 1 (WCAG 2, AA) on the usual backgrounds, from #000000 to #303446 and from #eee8d5 to #ffffff.
DARK = _theme(
    "dark", accent="80", quiet="248", good="114", bad="210", tool="179",
    number="116", word="111", call="114", text="180", mark="176",
)  # fmt: skip
LIGHT = _theme(
    "light", accent="24", quiet="240", good="22", bad="124", tool="94",
    number="24", word="25", call="22", text="94", mark="90",
)  # fmt: skip
NONE = _theme(
    "none", accent="", quiet="", good="", bad="", tool="", number="", word="", call="", text="", mark=""
)  # fmt: skip
THEMES = {theme.name: theme for theme in (SIXTEEN, DARK, LIGHT, NONE)}

_used = [NONE if os.environ.get("NO_COLOR") else SIXTEEN]


def used() -> Theme:
    """The theme of what is shown from now on."""
    return _used[0]


def use(theme: Theme) -> None:
    _used[0] = theme


def chosen(name: str, light: bool | None, environ: Mapping[str, str] = os.environ) -> Theme:
    """The theme that `name` means here. `light`: the background is; None: nobody knows. NO_COLOR wins."""
    if environ.get("NO_COLOR") or name == "none":
        return NONE
    many = environ.get("COLORTERM") or any(part in environ.get("TERM", "") for part in _RICH)
    if not many or (name == "auto" and light is None):
        return SIXTEEN
    return LIGHT if name == "light" or (name == "auto" and light) else DARK


def light_by_environment(environ: Mapping[str, str] = os.environ) -> bool | None:
    """Whether COLORFGBG, which some terminals set, tells of a light background."""
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    return int(ground) in (7, *range(9, 16)) if ground.isdecimal() and int(ground) < 16 else None


@lru_cache(maxsize=256)
def sgr(look: str) -> str:
    """`look` as the parameters of an SGR sequence: `1;38;5;80`; "" for no look at all."""
    codes: list[str] = []
    for word in look.split():
        if word in _ATTRIBUTES:
            codes.append(_ATTRIBUTES[word])
        elif word.isdecimal():
            codes.append(f"38;5;{word}")
        else:
            bright = word.startswith("bright")
            codes.append(str((90 if bright else 30) + _SIXTEEN.index(word.removeprefix("bright"))))
    return ";".join(codes)


def toolkit_style(look: str) -> str:
    """`look` as prompt_toolkit writes it."""
    words = [word if word in _ATTRIBUTES else f"#{rgb(int(word)):06x}" if word.isdecimal() else f"ansi{word}"
             for word in look.split()]  # fmt: skip
    return " ".join(words)


def rgb(number: int) -> int:
    """The colour `number` (16 to 255) as 0xRRGGBB."""
    if number >= 232:
        return (8 + 10 * (number - 232)) * 0x010101
    red, green, blue = (_LEVELS[(number - 16) // step % 6] for step in (36, 6, 1))
    return red << 16 | green << 8 | blue
