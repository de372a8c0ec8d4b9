"""What may lie behind the last counted item after a power cut: never read, cut by who writes, however large it is."""

import os
from pathlib import Path

import pytest
from store_kit import BASE, NEXT, START, new, opened_and_strict, save

from scratchy.core.errors import SessionCorruptedError
from scratchy.store.files import FileStore
from scratchy.store.place import FOREIGN_MOST, LISTED_MOST
from scratchy.store.toonfile import encode_header, encode_items, parse_head

HUGE = 20 << 30  # sparse: nothing on the disk, and more than memory if it were read
NESTED = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi", "usage": {"a": 1}}]
PIECES = [b"    \n", b"\n", b"  \n", b" ", b"\0" * 20, b"  - role: user\n", b"foo\n", b"      \n", b"\t\n", b'"']
PIECES += [b"\r\n", b"messages[3]:\n", b"  -\n", b"  z: 1\n", b"    \n    \n", b"    \0\0\n"]
LIKE_OURS = [b"    x: 1\n", b"      b: 2\n", b"    content: ", b'    "', b"     y: 1\n", b"    x: 1\n  - role: user\n"]


def session(folder: Path) -> Path:
    save(FileStore(folder), "x", NESTED)
    return folder / "x_chat.toon"


def cut(folder: Path, tail: bytes) -> None:
    """Readers see the good part; who opens it for writing cuts the tail, keeps it and says so."""
    store = FileStore(folder)
    path = folder / "x_chat.toon"
    good = path.read_bytes()
    with path.open("ab") as file:
        file.write(tail)
    assert store.load("x")[1] == NESTED == store.tail("x", 9)[1], tail
    assert store.tail("x", 1)[1] == NESTED[1:] and store.tail("x", 1, 1)[1] == NESTED[:1], tail
    assert path.read_bytes() == good + tail
    writer = store.open("x")
    writer.close()
    assert len(writer.notices) == 1 and path.read_bytes() == good, tail
    assert max(folder.glob(".x.tail-*")).read_bytes() == tail  # the newest


@pytest.mark.parametrize("first", PIECES, ids=repr)
def test_no_tail_is_read_or_kept_in_the_way(tmp_path, first):
    """Without a lock file, which would tell where the last item ends."""
    session(tmp_path)
    for second in (b"", *PIECES):
        (tmp_path / ".x.lock").unlink()
        cut(tmp_path, first + second)
    save(FileStore(tmp_path), "x", [NEXT])
    assert opened_and_strict(tmp_path) == [*NESTED, NEXT]


@pytest.mark.parametrize("first", LIKE_OURS, ids=repr)
def test_a_tail_that_looks_like_the_last_item_is_none_of_it(tmp_path, first):
    session(tmp_path)
    for second in (b"", *LIKE_OURS, *PIECES):
        cut(tmp_path, first + second)
    save(FileStore(tmp_path), "x", [NEXT])
    assert opened_and_strict(tmp_path) == [*NESTED, NEXT]


def test_such_a_tail_of_an_empty_session_and_beside_its_holder(tmp_path):
    store = FileStore(tmp_path)
    writer = store.open("x", create=new())
    writer.append([])
    path = tmp_path / "x_chat.toon"
    for stored in ([], [NEXT]):
        with path.open("ab") as file:
            file.write(b"    x: 1\n")
        assert store.load("x")[1] == stored == store.tail("x", 9)[1]
        writer.append([NEXT])
        assert len(writer.notices) == 1 and store.load("x")[1] == [*stored, NEXT]
        writer.notices.clear()
    writer.close()
    assert opened_and_strict(tmp_path) == [NEXT, NEXT]


def test_a_record_that_is_not_true_cuts_nothing(tmp_path):
    """The same file, written anew in place by another program, with items where the record has an end."""
    path = session(tmp_path)
    end = path.stat().st_size
    data = encode_header(new(), 2)
    longer = [{"role": "user", "content": "x" * (end - len(data) - len(b"  - role: user\n    content: \n"))}, NEXT]
    data += encode_items(longer)
    assert data[:end].endswith(b"x\n")
    path.write_bytes(data)
    store = FileStore(tmp_path)
    assert store.load("x")[1] == longer == store.tail("x", 9)[1]
    assert opened_and_strict(tmp_path) == longer


# --- Sizes


def test_a_huge_file_of_no_form_costs_nothing(tmp_path):
    path = tmp_path / "x_chat.toon"
    path.touch()
    os.truncate(path, HUGE)
    store = FileStore(tmp_path)
    save(store, "other", BASE)
    for call in (store.load, store.header, store.open, lambda name: store.tail(name, 5)):
        with pytest.raises(SessionCorruptedError, match=r"too large to be read whole \(21,475 MB, at most 256 MB\)"):
            call("x")
    rows = {row.session_id: row for row in store.list()}
    assert "too large" in rows["x"].error and rows["other"].error == ""
    assert path.stat().st_size == HUGE and store.delete("x") is not None
    assert store.trash()[0].session_id == "x"


def test_a_foreign_file_beyond_what_a_listing_reads(tmp_path):
    path = tmp_path / "x_chat.toon"
    path.write_bytes(b'{"messages": []}' + b" " * LISTED_MOST)
    store = FileStore(tmp_path)
    assert "opening it writes it anew" in store.list()[0].error and store.load("x")[1] == []
    store.open("x").close()
    assert store.list()[0].error == "" and path.stat().st_size < 1000


@pytest.mark.parametrize("record", [True, False])
def test_a_huge_tail_is_not_read_and_not_kept(tmp_path, record):
    path = session(tmp_path)
    if not record:
        (tmp_path / ".x.lock").unlink()
    os.truncate(path, HUGE)
    store = FileStore(tmp_path)
    assert store.load("x")[1] == NESTED == store.tail("x", 9)[1] and store.list()[0].count == 2
    with pytest.raises(SessionCorruptedError, match="too many to keep"):
        store.open("x")
    assert path.stat().st_size == HUGE > FOREIGN_MOST


def test_a_huge_file_with_fewer_items_than_counted(tmp_path):
    path = session(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"messages[2]:", b"messages[3]:"))
    os.truncate(path, HUGE)
    store = FileStore(tmp_path)
    for call in (store.load, store.open, lambda name: store.tail(name, 5)):
        with pytest.raises(SessionCorruptedError, match="3 messages are counted"):
            call("x")


def test_a_session_larger_than_the_first_read(tmp_path):
    """The end of the last item lies beyond it: reading goes on until it is found."""
    wide = [{"role": "user", "content": "x" * (70 << 20)}]
    save(FileStore(tmp_path), "x", wide)
    (tmp_path / ".x.lock").unlink()
    head = parse_head((tmp_path / "x_chat.toon").read_bytes()[:4096])
    assert head is not None and head.header.created_at == START
    assert FileStore(tmp_path).load("x")[1] == wide
