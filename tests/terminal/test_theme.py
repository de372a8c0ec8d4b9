"""Themes: who wins, what each look is in the three ways of writing it, and whether it can be read."""

import pytest

from scratchy.terminal.code import rich_style
from scratchy.terminal.lines import paint
from scratchy.terminal.theme import (
    DARK,
    LIGHT,
    NONE,
    SIXTEEN,
    THEMES,
    Theme,
    chosen,
    light_by_environment,
    rgb,
    sgr,
    toolkit_style,
    use,
)

MANY = {"TERM": "xterm-256color"}


def luminance(colour: int) -> float:
    """Relative, as WCAG 2 has it."""

    def linear(part: int) -> float:
        value = part / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(colour >> 16) + 0.7152 * linear(colour >> 8 & 255) + 0.0722 * linear(colour & 255)


def contrast(one: int, other: int) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize(
    ("theme", "grounds"),
    [(DARK, (0x000000, 0x1E1E1E, 0x282C34, 0x303446)), (LIGHT, (0xFFFFFF, 0xFAFAFA, 0xFDF6E3, 0xEEE8D5))],
    ids=lambda value: value.name if isinstance(value, Theme) else "",
)
def test_every_colour_can_be_read(theme: Theme, grounds: tuple[int, ...]) -> None:
    for role, look in theme.looks.items():
        for word in look.split():
            if word.isdecimal():
                assert all(contrast(rgb(int(word)), ground) >= 4.5 for ground in grounds), role


def test_all_themes_know_the_same_roles() -> None:
    assert {frozenset(theme.looks) for theme in THEMES.values()} == {frozenset(DARK.looks)}


def test_nothing_is_coloured_without_colour() -> None:
    assert all(set(sgr(look).split(";")) <= {"", "1", "2", "3", "4", "7"} for look in NONE.looks.values())


def test_a_look_is_the_same_in_three_languages() -> None:
    assert sgr("bold 80") == "1;38;5;80"
    assert sgr("brightblack italic") == "90;3"
    assert toolkit_style("bold 80") == "bold #5fd7d7"
    assert toolkit_style("brightblack") == "ansibrightblack"
    assert rich_style("bold 80").render("x") == "\x1b[1;38;5;80mx\x1b[0m"
    assert rich_style("brightblack").render("x") == "\x1b[90mx\x1b[0m"


def test_the_background_chooses_no_color_wins() -> None:
    assert chosen("auto", True, MANY) is LIGHT
    assert chosen("auto", False, MANY) is DARK
    assert chosen("auto", None, MANY) is SIXTEEN
    assert chosen("light", False, MANY) is LIGHT
    assert chosen("dark", True, {"TERM": "xterm", "COLORTERM": "truecolor"}) is DARK
    assert chosen("dark", None, {"TERM": "xterm"}) is SIXTEEN
    assert chosen("none", None, MANY) is NONE
    assert chosen("dark", None, {**MANY, "NO_COLOR": "1"}) is NONE


def test_the_environment_may_tell_the_background() -> None:
    told = {value: light_by_environment({"COLORFGBG": value}) for value in ("15;0", "0;15", "0;default;15", "", "x")}
    assert told == {"15;0": False, "0;15": True, "0;default;15": True, "": None, "x": None}


def test_what_is_painted_follows_the_theme() -> None:
    try:
        use(DARK)
        assert paint("x", "bad") == "\x1b[38;5;210mx\x1b[0m"
        use(NONE)
        assert paint("x", "bad") == "x"
    finally:
        use(SIXTEEN)
