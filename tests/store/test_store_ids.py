"""Ids and file names: injective, reversible, never outside the folder, and what is no id is refused with its reason."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_kit import BASE, save

from scratchy.core.errors import SessionNotFoundError
from scratchy.store.files import FileStore
from scratchy.store.ids import check_id, decode_id, encode_id, file_name

EVIL = [
    *("..", ".", "...", "../x", "../../etc/passwd", "/etc/passwd", "a/b", "a\\b", "C:\\x", "~", "~/x", "-", "--help"),
    *("con", "CON", "con.x", "nul", "aux", "com1", "COM9", "lpt1.txt", "prn", "x.", "x ", " x", "x..", ".x", ".lock"),
    *("x.lock", "x.tail-1", "x_events.jsonl", "x_chat.toon", "x_chat", ".trash", "trash", "%", "%2F", "%41", "A", "a"),
    *(
        "é",
        "e\u0301",
        "É",
        "ß",
        "SS",
        "İ",
        "i",
        "I",
        "ı",
        "K",
        "\u212a",
        "ﬁ",
        "fi",
        "日本語",
        "😀",
        "👍🏽",
        "\u2028",
        "\ufe0f",
    ),
    *("a:b", "a*b", "a?b", 'a"b', "a<b", "a>b", "a|b", "a&b", "a;b", "a'b", "a`b", "$(x)", "${x}", "a=b", "a,b", "[x]"),
    *("agent:main:cli:local", "my_project", "customer_support_2025_11_22", "Case", "case", "CASE", "cAse", "0", "None"),
    *("a" * 200, "a" * 201, "a" * 202, "A" * 66, "A" * 67, "A" * 1000, "é" * 500, "a" * 999 + "b", "a" * 1000),
    *("null", "true", "[]", "{}", "- x", "x: y", '"', "#", "session_id", "messages[3]", "x y", "x\u3000y"),
]


def test_a_hundred_evil_ids_one_by_one_and_together(tmp_path):
    assert len(set(EVIL)) >= 100
    together = FileStore(tmp_path / "together" / "sessions")
    for number, session_id in enumerate(EVIL):
        folder = tmp_path / str(number) / "sessions"
        alone = FileStore(folder)
        for store in (alone, together):
            save(store, session_id, [{"role": "user", "content": session_id}])
        assert [row.session_id for row in alone.list()] == [session_id]
        assert [path.name for path in folder.parent.iterdir()] == ["sessions"]
        assert all(path.parent == folder for path in folder.rglob("*"))
    assert {row.session_id for row in together.list() if not row.error and not row.foreign} == set(EVIL)
    for session_id in EVIL:
        assert together.load(session_id)[1] == [{"role": "user", "content": session_id}]
    for session_id in set(EVIL):
        entry = together.delete(session_id)
        assert entry is not None and entry.session_id == session_id and together.restore(entry.name) == session_id
    assert [path.name for path in (tmp_path / "together").iterdir()] == ["sessions"]
    assert len(together.list()) == len(set(EVIL))


def test_names_stay_apart_where_case_and_normal_forms_fold():
    names = [file_name(session_id) for session_id in set(EVIL)]
    for fold in (str.lower, lambda name: unicodedata.normalize("NFC", name), lambda name: name.casefold()):
        assert len({fold(name) for name in names}) == len(names)
    assert all(len(name.encode()) <= 210 and name.isascii() and name[0] != "." for name in names)
    for word in ("con", "nul", "com1", "lpt9", "aux.b"):
        assert file_name(word).split(".")[0].split("_chat")[0].lower() not in ("con", "nul", "com1", "lpt9", "aux")


def test_hex_digits_are_capitals():
    assert encode_id("a/é:Z") == "a%2F%C3%A9%3A%5A"
    assert encode_id(".x") == "%2Ex" and encode_id("my_project-1.2") == "my_project-1.2"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_encoding_is_reversible(text):
    try:
        check_id(text)
    except ValueError:
        return
    encoded = encode_id(text)
    assert decode_id(encoded) == (text if len(encoded) <= 200 and "~" not in encoded else None)


@given(st.text(alphabet="abAB%./~0123456789ABCDEF_-", min_size=1, max_size=12))
def test_only_what_an_id_encodes_to_is_decoded(name):
    session_id = decode_id(name)
    assert session_id is None or encode_id(session_id) == name


@pytest.mark.parametrize(
    ("session_id", "word"),
    [
        ("", "empty"),
        ("a\0b", "NUL"),
        ("a\nb", "control"),
        ("a\x1b[31m", "control"),
        ("a\x7f", "control"),
        ("a\x85", "control"),
        ("a\ud800", "surrogate"),
        ("a\u202eb", "bidi"),
        ("a\u200bb", "zero-width"),
        ("\ufeffa", "zero-width"),
        ("a" * 1001, "1,000"),
        ("é" * 501, "1,000"),
    ],
)
def test_what_is_no_id_says_why(tmp_path: Path, session_id, word):
    store = FileStore(tmp_path / "sessions")
    save(store, "x", BASE)
    for call in (
        store.open,
        store.load,
        store.exists,
        store.delete,
        store.stamp,
        store.last_writer,
        lambda name: store.rename("x", name),
    ):
        with pytest.raises(ValueError, match=word):
            call(session_id)


@pytest.mark.parametrize("session_id", [None, 7, b"x", ["x"], True])
def test_what_is_no_string_is_a_type_error(tmp_path, session_id):
    with pytest.raises(TypeError, match=type(session_id).__name__):
        FileStore(tmp_path).exists(session_id)


def test_a_name_in_the_trash_is_no_path(tmp_path):
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    for name in ("", ".", "..", "../x", "/etc", "a\0b"):
        with pytest.raises(SessionNotFoundError, match="trash"):
            store.restore(name)
