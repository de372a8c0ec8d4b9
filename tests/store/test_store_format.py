"""The file format: any JSON message goes there and back, and other decoders read what stands in the file, strictly."""

import json
from pathlib import Path

import toon_format
import toons
from hypothesis import given, settings
from hypothesis import strategies as st
from store_kit import BASE, START, new, strictly

from scratchy.core.stored import Header
from scratchy.store.files import FileStore
from scratchy.store.toonfile import (
    HEAD,
    body_end,
    decode_items,
    encode_header,
    encode_items,
    encode_patch,
    item_starts,
    last_items,
    parse_head,
)

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"])) | st.sampled_from(
    [
        "",
        "-",
        "- x",
        "  - x",
        "a\n  - b",
        "\n",
        "\r\n",
        "\u2028\u0085\x0b\x0c",
        "\0",
        "3",
        "null",
        "[2]: 1,2",
        "a: b",
        "#",
        '"',
        "\\",
    ]
)
integers = st.integers(-(2**53), 2**53)
# Two shortest spellings of one float may tie (562949953421312.2 and .3): no such ones, so that encoders must agree.
fractions = st.integers(-(10**9), 10**9).map(lambda number: number / 8).filter(lambda value: value % 1)
scalars = st.none() | st.booleans() | integers | fractions | texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
messages = st.builds(
    lambda role, before, after: {**before, "role": role, **after},
    texts,
    st.dictionaries(texts, values, max_size=2),
    st.dictionaries(texts, values, max_size=3),
).filter(lambda message: isinstance(message["role"], str))
transcripts = st.lists(messages, max_size=6)


def document(items: list, header: Header | None = None) -> bytes:
    return encode_header(header or new(), len(items)) + encode_items(items)


@given(transcripts)
@settings(max_examples=100, deadline=None)
def test_any_messages_round_trip_in_every_decoder(items):
    data = document(items)
    head = parse_head(data)
    assert head is not None and head.total == len(items)
    assert decode_items(data[head.body :], len(items)) == items
    for library in (toons, toon_format):
        assert library.loads(data.decode(), strict=True)["messages"] == items
    assert json.dumps(toons.loads(data.decode())["messages"]) == json.dumps(items)


@given(transcripts)
@settings(max_examples=60, deadline=None)
def test_the_official_encoder_writes_the_same_bytes(items):
    ours = f"[{len(items) + 1}]:\n".encode() + encode_items(items) + b"  -"
    assert toon_format.dumps([*items, {}]).encode() == ours
    head = encode_header(new(metadata={"a": [1, {"b": items}]}), 0).decode()
    fields = {"session_id": "x", "version": 1, "created_at": START, "metadata": {"a": [1, {"b": items}]}}
    assert head.startswith(toon_format.dumps(fields) + "\nupdated_at: ")


@given(transcripts.filter(len), st.binary(max_size=40).filter(lambda tail: not tail.startswith(b"    ")))
@settings(max_examples=100, deadline=None)
def test_the_end_of_the_last_item_is_found_whatever_follows(items, tail):
    data = document(items)
    head = parse_head(data)
    assert head is not None
    assert body_end(data + tail, head) == len(data)
    starts = item_starts(data + tail, head.body, len(items))
    assert len(starts) == len(items) and last_items(data[head.body - 1 :], len(items)) == [
        start - head.body + 1 for start in starts
    ]
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(data)], strict=True)):
        assert decode_items(data[start:end], 1) == [items[number]]


def test_the_form_of_a_file(tmp_path):
    header = Header(
        "my_project", START, START, "Refactor: it", {"provider": "ollama", "model": "gpt-oss:20b"}, {"z": 1}
    )
    assert encode_header(header, 3).decode() == (
        "session_id: my_project\nversion: 1\n"
        'title: "Refactor: it"\ncreated_at: "2026-11-20T09:00:29.483Z"\n'
        'metadata:\n  provider: ollama\n  model: "gpt-oss:20b"\nz: 1\n'
        'updated_at: "2026-11-20T09:00:29.483Z"\nmessages[3]:        \n'
    )
    assert encode_items([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]) == (
        b"  - role: user\n    content: a\n  - role: user\n    content: b\n"
    )
    assert {len(encode_patch(START, count)) for count in (0, 9, 10, 99_999, 999_999_999)} == {60}


def test_an_append_changes_two_lines_and_adds_an_item(tmp_path):
    store = FileStore(tmp_path)
    writer = store.open("x", create=new())
    writer.append(BASE)
    path = tmp_path / "x_chat.toon"
    before, inode = path.read_bytes(), path.stat().st_ino
    writer.append(BASE[:1])
    writer.close()
    after = path.read_bytes()
    changed = [old for old, now in zip(before.split(b"\n"), after.split(b"\n"), strict=False) if old != now]
    assert path.stat().st_ino == inode and after[len(before) :] == encode_items(BASE[:1])
    names = [line.split(b":")[0] for line in changed if line]
    assert names in ([b"updated_at", b"messages[3]"], [b"messages[3]"])  # both may fall into one millisecond


def test_a_header_beyond_the_first_block_costs_a_rewrite_and_works(tmp_path):
    store = FileStore(tmp_path)
    writer = store.open("x", create=new(extra={"big": "x" * 3 * HEAD}))
    writer.append(BASE)
    path: Path = tmp_path / "x_chat.toon"
    inode = path.stat().st_ino
    writer.append(BASE)
    writer.close()
    assert path.stat().st_ino != inode and strictly(path) == [*BASE, *BASE]
    assert store.header("x")[1] == 6 and store.tail("x", 2)[1] == BASE[1:]
    assert store.list()[0].count == 6
