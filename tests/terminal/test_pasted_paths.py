"""Which pastes are paths of images, and which are words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchy.core.images import mark, part
from scratchy.terminal.pastes import Pastes
from scratchy.terminal.pictures import paths_in

WHOLE = mark(part("a" * 32, "cat.png, 1×1, 1 kB"))


@pytest.mark.parametrize(
    ("pasted", "names"),
    [
        ("/tmp/a.png", ["/tmp/a.png"]),
        ("  '/tmp/a b.PNG' ", ["/tmp/a b.PNG"]),
        ('"/tmp/a \\"b\\".jpg"', ['/tmp/a "b".jpg']),
        ("/tmp/a\\ b.webp", ["/tmp/a b.webp"]),
        ("'/tmp/it'\\''s.gif'", ["/tmp/it's.gif"]),
        ("/tmp/a b.jpeg", ["/tmp/a b.jpeg"]),
        ("file:///tmp/a%20%C3%A4.png", ["/tmp/a ä.png"]),
        ("file://localhost/tmp/a.png", ["/tmp/a.png"]),
        ("file:///C:/a.png", ["C:/a.png"]),
        ("C:\\Users\\me\\a.png", ["C:\\Users\\me\\a.png"]),
        ("'/tmp/a.png' '/tmp/b.png'", ["/tmp/a.png", "/tmp/b.png"]),
        ("~/a.png", ["~/a.png"]),
        ("./a.png ../b.png", ["./a.png", "../b.png"]),
        ("a.png", []),
        ("see /tmp/a.png", []),
        ("/tmp/a.txt", []),
        ("/tmp/a.png\n/tmp/b.png", []),
        ("https://example.org/a.png", []),
        ("", []),
        ("/" + "a" * 9000 + ".png", []),
    ],
)
def test_a_paste_of_paths(pasted: str, names: list[str]) -> None:
    assert paths_in(pasted) == names


@given(st.text("/~.'\"\\ ab%1file:png\n", max_size=60))
def test_any_paste_has_an_answer(pasted: str) -> None:
    assert all(name.lower().endswith((".png", ".gif", ".jpg", ".jpeg", ".webp")) for name in paths_in(pasted))


def test_marks_stand_for_images_and_come_back() -> None:
    pastes = Pastes()
    shown = pastes.image()
    assert shown == pastes.expanded(shown) == "[Image #1]"  # while it is looked at
    pastes.settle(shown, WHOLE)
    assert pastes.expanded(f"is {shown}? [Image #2]") == f"is {WHOLE}? [Image #2]"
    assert pastes.collapsed(f"is {WHOLE}?") == "is [Image #1]?"
    later = Pastes()
    assert later.collapsed(WHOLE) == "[Image #1]"
    assert later.expanded("[Image #1]") == WHOLE
