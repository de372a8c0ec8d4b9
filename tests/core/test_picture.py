"""What pictures' own bytes tell, and images in lines and messages."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import gif, jpeg, png, webp

from scratchy.core.images import line_of, mark, part, said, shown, shown_of, titled
from scratchy.core.picture import kind_of, picture_of

ALL = [png, jpeg, gif, webp, lambda w, h: webp(w, h, b"VP8L"), lambda w, h: webp(w, h, b"VP8 ")]
ONE = part("0123456789abcdef" * 2, "cat.png, 640×480, 34 kB")
TWO = part("f" * 32, "1×1, 1 kB")


@pytest.mark.parametrize(("make", "kind"), [*zip(ALL, ["png", "jpeg", "gif", "webp", "webp", "webp"], strict=True)])
def test_format_and_size_come_from_the_bytes(make, kind):
    assert picture_of(make(123, 45)) == (kind, 123, 45)
    assert kind_of(make(1, 1)[:16]) == kind


@pytest.mark.parametrize("make", ALL)
def test_what_is_cut_off_is_told(make):
    whole = make(9, 9)
    for end in {12, len(whole) // 2, len(whole) - 1}:
        with pytest.raises(ValueError, match=r"cut off|damaged"):
            picture_of(whole[:end])


@pytest.mark.parametrize(
    "data", [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"RIFF1234WAVE", b"BM12"]
)
def test_other_things_are_no_image(data):
    with pytest.raises(ValueError, match="no PNG, JPEG, GIF or WebP image"):
        picture_of(data)


def test_a_header_that_does_not_add_up_is_damaged():
    broken = bytearray(png())
    broken[18] ^= 1
    with pytest.raises(ValueError, match="does not add up"):
        picture_of(bytes(broken))
    with pytest.raises(ValueError, match="tells no size"):
        picture_of(gif(0, 7))
    with pytest.raises(ValueError, match="damaged JPEG"):
        picture_of(b"\xff\xd8\xff\xda\0\x02\xff\xd9")


def test_a_png_is_damaged_that_cannot_hold_the_pixels_it_tells_of():
    whole = png(2000, 2000)
    assert picture_of(whole)[1:] == (2000, 2000)
    for size in (2**31 - 1, 100_000):
        header = b"IHDR" + size.to_bytes(4, "big") * 2 + whole[24:29]
        with pytest.raises(ValueError, match=r"damaged PNG image \(it holds less than its"):
            picture_of(whole[:12] + header + zlib.crc32(header).to_bytes(4, "big") + whole[33:])
    none = whole[: whole.index(b"IDAT") - 4] + whole[whole.index(b"IEND") - 4 :]
    with pytest.raises(ValueError, match="damaged PNG"):
        picture_of(none)


def test_a_png_whose_pixels_were_changed_is_damaged_other_parts_do_not_matter():
    whole = bytearray(png(40, 40, padding=10))
    whole[whole.index(b"prVt") + 5] ^= 1
    assert picture_of(bytes(whole))[1:] == (40, 40)
    whole[whole.index(b"IDAT") + 9] ^= 1
    with pytest.raises(ValueError, match="its content does not add up"):
        picture_of(bytes(whole))


@given(
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"RIFF\xff\0\0\0WEBPVP8X"]),
    st.binary(max_size=200),
)
def test_any_bytes_behind_a_right_beginning_end_in_an_answer(start, rest):
    try:
        picture_of(start + rest)
    except ValueError as error:
        assert "image" in str(error)


def test_a_line_with_marks_is_stored_with_parts_and_comes_back():
    line = f"is {mark(ONE)} like {mark(TWO)}?"
    text, parts = said(line)
    assert (text, parts) == ("is [Image #1] like [Image #2]?", [ONE, TWO])
    message = {"role": "user", "content": [{"type": "text", "text": text}, *parts]}
    assert line_of(message) == line
    assert shown(line) == "is [image: cat.png, 640×480, 34 kB] like [image: 1×1, 1 kB]?"
    assert shown_of(message) == shown(line)
    assert shown_of(message, brief=True) == titled(line) == "is [image] like [image]?"


def test_an_image_without_a_mark_stands_behind_the_text():
    message = {"role": "user", "content": [{"type": "text", "text": "see @cat.png"}, ONE]}
    assert shown_of(message) == "see @cat.png [image: cat.png, 640×480, 34 kB]"
    assert line_of(message) == "see @cat.png"
    foreign = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}
    assert shown_of(foreign) == "[image]"


@pytest.mark.parametrize(
    "content", [None, 3, "text", [], [3], [{"type": "image_url"}], [{"type": "image_url", "image_url": 3}]]
)
def test_what_others_wrote_is_no_image(content):
    message = {"role": "user", "content": content}
    assert "[image" not in shown_of(message)
    assert line_of(message) == shown_of(message)


def test_a_mark_that_nothing_stands_behind_is_text():
    assert said("[Image #1] [image: x, blob:12]") == ("[Image #1] [image: x, blob:12]", [])
    message = {"role": "user", "content": [{"type": "text", "text": "[Image #7]"}, ONE]}
    assert line_of(message) == "[Image #7]"
