"""The menu's lines: whatever the rows say and however small the terminal is, they fit; and rows for those who cannot
choose."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from scratchy import MemoryStore
from scratchy.commands.listing import choices
from scratchy.commands.outcome import Choose, Row
from scratchy.core.stored import Header
from scratchy.sessions.finding import Finder
from scratchy.terminal.menu import Choices, Menu
from scratchy.terminal.session_rows import SessionRows, fit

texts = st.text(st.sampled_from("ab 日本é\u0301👩\u200d🚀\t\n\x1b[31m\x07\u202e\u2028"), max_size=60)
STAMP = "2026-11-21T10:00:00.000Z"


def lines(menu: Menu, width: int, height: int) -> list[str]:
    return ["".join(text for _, text in row) for row in menu.body(width, height)]


def check(shown: list[str], width: int, height: int) -> None:
    assert len(shown) <= height
    for line in shown:
        assert get_cwidth(line) <= width, line
        assert not set(line) & set("\n\t\x1b\x07\u202e\u2028")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=8), texts, st.integers(8, 120), st.integers(1, 30), st.booleans())
def test_choices_fit(rows, title: str, width: int, height: int, detailed: bool) -> None:
    async def draw() -> None:
        question = Choose(title, [Row(label, f"/do {number}", detail) for number, (label, detail) in enumerate(rows)])
        menu = Menu(Choices(question), lambda: (width, height), str)
        menu._detail = detailed
        for at in range(len(rows) + 1):
            menu._at = at
            check(lines(menu, width, height), width, height)
        assert menu.row is None or menu.row in question.rows
        assert all("\n" not in line and "\x1b" not in line for line in choices(question))

    asyncio.run(draw())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(texts, texts), max_size=6), st.integers(8, 140), st.integers(1, 30), st.booleans())
def test_rows_of_sessions_fit(rows, width: int, height: int, detailed: bool) -> None:
    store = MemoryStore()
    for number, (title, said) in enumerate(rows):
        header = Header(f"s{number}", STAMP, STAMP, title, {"tags": [said], "folder": said, "model": title})
        store.open(f"s{number}", create=header).append([{"role": "user", "content": said}])

    async def draw() -> None:
        source = SessionRows(Finder(store, "/here"), "s0")
        await source.start()
        menu = Menu(source, lambda: (width, height), str)
        menu._detail = detailed
        for _ in range(3):
            shown = lines(menu, width, height)
            check(shown, width, height)
            for line in (source.title(width), source.hint(width)):
                assert line.isprintable()
            await asyncio.sleep(0.002)  # what rows show beside their headers has come
        await source.stop()

    asyncio.run(draw())


@given(texts, st.integers(2, 40))
def test_a_column_has_exactly_its_width(text: str, width: int) -> None:
    plain = "".join(char for char in text if char.isprintable())
    assert get_cwidth(fit(plain, width)) == width
