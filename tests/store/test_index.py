"""The index beside the sessions: what it finds and in which order, what it costs, and that nothing depends on it."""

import os
import random
import resource
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchy import compose
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
from scratchy.store.index import Index
from scratchy.store.index_backlog import backlog
from scratchy.store.index_db import remove
from scratchy.store.memory import MemoryStore

ROOT = Path(__file__).parents[2]
START = "2026-11-20T09:00:29.483Z"
LONG = 30.0  # seconds of patience: these tests are about what is found, not how soon


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "sessions")


@pytest.fixture
def index(store):
    return Index(store)


def save(store, session_id: str, *texts: str, **header) -> None:
    writer = store.open(session_id, create=Header(session_id, START, START, **header))
    writer.append([{"role": "user", "content": text} for text in texts])
    writer.close()


def places(found) -> list[tuple[str, int]]:
    assert not found.pending, found
    return [(hit.session_id, hit.number) for hit in found.hits]


def search(index, text: str, **more) -> list[tuple[str, int]]:
    return places(index.search(text, patience=LONG, **more))


def rows(index, table: str = "messages") -> int:
    with closing(sqlite3.connect(index.path)) as database:
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]


def test_a_hit_tells_all_that_is_shown(store, index):
    writer = store.open("s", create=Header("s", START, START, "My title", {"folder": "/p"}))
    writer.append([{"role": "assistant", "content": "look:\n  the needle", "ts": START}])
    writer.close()
    (hit,) = index.search("needle").hits
    assert hit[:5] == ("s", "My title", 0, "assistant", START) and hit.folder == "/p"
    assert hit.passage == "look: the needle" and hit.matches == ((10, 16),) and hit.last_activity > START


def test_the_newest_come_first_and_words_in_a_row_before_them(store, index):
    save(store, "a", "parse the error", "a parse error", "error, parse")
    save(store, "b", "parse this: error")
    assert search(index, "parse error") == [("a", 1), ("b", 0), ("a", 2), ("a", 0)]
    assert search(index, '"parse error"') == [("a", 1)]
    assert search(index, "parse", limit=2) == [("b", 0), ("a", 2)]
    assert search(index, "parse", sessions=["a"]) == [("a", 2), ("a", 1), ("a", 0)]
    assert search(index, "parse", sessions=[]) == []


def test_the_first_build_goes_by_activity_not_by_name_or_time_of_the_file(store, index):
    for day, name in (("03", "b"), ("01", "c"), ("02", "a")):
        writer = store.open(name, create=Header(name, START, START))
        writer.append([{"role": "user", "content": "word"}])
        writer.close()
        path = Path(store.folder) / f"{name}_chat.toon"
        text = path.read_text()
        line = next(line for line in text.split("\n") if line.startswith("updated_at"))
        path.write_text(text.replace(line, f'updated_at: "2026-01-{day}T00:00:00.000Z"'))
        os.utime(path, (1e9, 1e9))
    assert search(index, "word") == [("b", 0), ("a", 0), ("c", 0)]


def test_titles_are_found_where_no_message_is(store, index):
    save(store, "a", "nothing", title="Über den Parser")
    assert search(index, "parser") == [("a", 0)] and search(index, "uber parser") == [("a", 0)]
    (hit,) = index.search("parser").hits
    assert hit.role == "title" and hit.passage == "Über den Parser"
    writer = store.open("a")
    writer.edit(title="100%_done")
    writer.close()
    assert search(index, "parser") == [] and search(index, "100%_done") == [("a", 0)]
    save(store, "b", "x", title="plain")
    assert search(index, "%") == [] and search(index, "_") == []


def test_any_script_and_long_messages(store, index):
    save(
        store,
        "a",
        "東京都庁へ行く",
        "ภาษาไทยง่าย",
        "well 👍🏽 done",
        "데이터를 봅니다",
        f"{'word ' * 40_000}needle",
        "हिन्दी भाषा",
    )
    for word, number in (("京都", 0), ("庁", 0), ("ไทย", 1), ("👍", 2), ("데이터", 3), ("needle", 4), ("भाषा", 5)):
        assert search(index, word) == [("a", number)], word


def test_one_message_more_is_one_row_more_and_a_header_none(store, index):
    save(store, "a", *(f"message {number}" for number in range(50)))
    assert search(index, "message", limit=100) == [("a", number) for number in reversed(range(50))]
    before = rows(index)
    writer = store.open("a")
    writer.edit(title="Another")
    writer.append([{"role": "user", "content": "the fifty-first"}])
    writer.edit(metadata={"tags": ["x"]})
    writer.close()
    assert search(index, "fifty") == [("a", 50)]
    assert rows(index) == before + 1


def test_a_rename_a_cut_and_a_restore_index_nothing_again(store, index):
    save(store, "a", "one word", "two words", "three words")
    assert len(search(index, "word")) == 3
    before = rows(index)
    store.rename("a", "b")
    assert search(index, "word") == [("b", 2), ("b", 1), ("b", 0)]
    writer = store.open("b")
    writer.cut(2)
    writer.close()
    assert search(index, "word") == [("b", 1), ("b", 0)]
    entry = store.delete("b")
    assert search(index, "word") == []
    store.restore(entry.name)
    assert search(index, "word") == [("b", 1), ("b", 0)]
    assert rows(index) == before


def test_a_message_changed_in_the_middle_is_found_as_it_is_now(store, index):
    save(store, "a", "the cat", "same")
    assert search(index, "cat") == [("a", 0)]
    writer = store.open("a")
    writer.replace([{"role": "user", "content": "the dog"}, {"role": "user", "content": "same"}], "replaced")
    writer.close()
    assert search(index, "cat") == [] and search(index, "dog") == [("a", 0)]


def test_odd_sessions_hide_nothing_and_stop_nothing(store, index):
    save(store, "good", "needle here")
    folder = Path(store.folder)
    (folder / "json_chat.toon").write_text('[{"role": "user", "content": "needle in JSON"}]')
    (folder / "junk_chat.toon").write_bytes(b"\0\xff needle")
    (folder / "empty_chat.toon").write_bytes(b"")
    (folder / "dir_chat.toon").mkdir()
    os.mkfifo(folder / "fifo_chat.toon")
    (folder / "link_chat.toon").symlink_to(folder / "good_chat.toon")
    (folder / "other_chat.toon").write_bytes((folder / "good_chat.toon").read_bytes())  # another id in its header
    damaged = (folder / "good_chat.toon").read_bytes().replace(b"session_id: good", b"session_id: hurt")
    (folder / "hurt_chat.toon").write_bytes(damaged.replace(b"messages[1]:", b"messages[3]:"))
    assert set(search(index, "needle")) == {("good", 0), ("json", 0), ("hurt", 0)}
    assert set(search(index, "needle")) == {("good", 0), ("json", 0), ("hurt", 0)}
    store.open("json").close()  # written anew in our form
    assert set(search(index, "needle")) == {("good", 0), ("json", 0), ("hurt", 0)}


def test_a_live_append_is_seen_by_its_count_only(store, index):
    save(store, "a", "first")
    assert search(index, "first") == [("a", 0)]
    path = Path(store.folder) / "a_chat.toon"
    with path.open("ab") as file:
        file.write(b"  - role: user\n    content: half of it\n")
    assert search(index, "half") == []
    path.write_bytes(path.read_bytes().replace(b"messages[1]: ", b"messages[2]: "))
    assert search(index, "half") == [("a", 1)]


def test_what_nobody_types_is_no_damage(store, index):
    save(store, "a", "word")
    (Path(store.folder) / os.fsdecode(b"\xff_chat.toon")).write_bytes(b"word")
    assert search(index, "word") == [("a", 0)]
    made = os.stat(index.path).st_ino
    for query in (
        "x" * 100_000,
        "word " * 5000,
        '"' * 999,
        "東" * 3000,
        "\udcff word",
        "w\0ord",
        "%_\\ word",
        "(" * 999,
    ):
        index.search(query, patience=LONG)
    assert search(index, "word " * 5000) == [("a", 0)]
    assert os.stat(index.path).st_ino == made


def test_nothing_is_made_where_nothing_is_stored(store, index):
    assert search(index, "word") == [] and index.update(1) == 0
    assert not os.path.exists(store.folder)


def test_private_files_and_none_left_when_it_is_forgotten(store, index):
    save(store, "a", "word")
    with closing(sqlite3.connect(":memory:")):
        assert search(index, "word") == [("a", 0)]
    beside = [path for path in Path(store.folder).iterdir() if path.name.startswith(".index")]
    assert beside and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in beside)
    compose.forget_index(store)
    assert not [path for path in Path(store.folder).iterdir() if path.name.startswith(".index")]
    assert search(index, "word") == [("a", 0)]


def test_an_index_that_others_read_just_now_is_forgotten_with_all_that_lies_beside(store, index):
    save(store, "a", "word")
    assert search(index, "word") == [("a", 0)]
    with closing(sqlite3.connect(index.path)) as other:
        assert other.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
        index.forget()
        assert not [path for path in Path(store.folder).iterdir() if path.name.startswith(".index")]
    assert search(index, "word") == [("a", 0)]


@pytest.mark.parametrize("damage", ["junk", "empty", "cut", "version", "tables", "folder", "link", "fifo"])
def test_a_damaged_index_is_made_anew(store, index, tmp_path, damage):
    save(store, "a", "the word", *["more"] * 200)
    assert search(index, "word") == [("a", 0)]
    path = Path(index.path)
    if damage == "junk":
        path.write_bytes(b"no database at all " * 1000)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        os.truncate(path, path.stat().st_size // 2)
    elif damage in ("version", "tables"):
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 99" if damage == "version" else "DROP TABLE messages")
    else:
        path.unlink()
        made = {"folder": path.mkdir, "link": lambda: path.symlink_to(tmp_path / "x"), "fifo": lambda: os.mkfifo(path)}
        made[damage]()
    for _ in range(3):
        assert search(index, "word") == [("a", 0)]
    assert not (tmp_path / "x").exists()
    if damage not in ("folder", "link", "fifo"):
        assert rows(Index(store)) == 201


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_bytes_of_the_index_damaged_raise_nothing_and_invent_nothing(tmp_path_factory, seed):
    store = FileStore(tmp_path_factory.mktemp("damage"))
    index, chance = Index(store), random.Random(seed)
    for name in "abc":
        save(store, name, *(f"needle {name}{number} and hay" for number in range(30)))
    everything = set(search(index, "needle", limit=200))
    assert len(everything) == 90
    path = Path(index.path)
    data = bytearray(path.read_bytes())
    for _ in range(chance.randrange(1, 40)):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(1, 64)] = chance.randbytes(chance.randrange(1, 64))
    path.write_bytes(data)
    for word in ("needle", "hay", "a7"):
        for hit in index.search(word, limit=200, patience=LONG).hits:
            assert (hit.session_id, hit.number) in everything and hit.matches
    index.forget()
    assert set(search(index, "needle", limit=200)) == everything


def test_several_processes_use_it_at_once(store, index, tmp_path):
    program = (
        "import sys\nfrom scratchy.core.stored import Header\nfrom scratchy.store.files import FileStore\n"
        "from scratchy.store.index import Index\n"
        f"store = FileStore({store.folder!r})\nindex, name = Index(store), sys.argv[1]\n"
        f"writer = store.open(name, create=Header(name, {START!r}, {START!r}))\n"
        "for number in range(40):\n"
        "    writer.append([{'role': 'user', 'content': f'word {name} {number}'}])\n"
        "    found = index.search(f'{name} {number}', patience=30, seconds=30)\n"
        "    assert any(hit.number == number for hit in found.hits), (number, found)\n"
        "    if number == 20: index.forget()\n"
        "writer.close()\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, name], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two", "three")
    ]
    ends = [child.communicate(timeout=50)[1] for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], ends
    assert len(search(index, "word", limit=200)) == 120


def test_an_index_that_somebody_holds_locked_is_done_without(store, index):
    save(store, "a", "old word")
    assert search(index, "word") == [("a", 0)]
    with closing(sqlite3.connect(index.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        save(store, "b", "new word")
        assert search(index, "word") == [("b", 0), ("a", 0)]
        with pytest.raises(OSError, match="locked"):
            index.update(1)
        assert search(index, "new") == [("b", 0)]
        other.execute("ROLLBACK")
    assert search(index, "word") == [("b", 0), ("a", 0)]


def test_a_disk_that_takes_no_more_costs_speed_only(store, index):
    """In a child whose files may not grow: as on a full disk."""
    save(store, "a", "old word", *["filler " * 50] * 200)
    program = (
        "import resource, signal, sys\n"
        "from scratchy.store.files import FileStore\nfrom scratchy.store.index import Index\n"
        f"store = FileStore({store.folder!r})\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "limit = int(sys.argv[1])\nresource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "found = Index(store).search('word', patience=30, seconds=30)\n"
        "print([(hit.session_id, hit.number) for hit in found.hits], found.pending)\n"
    )

    def in_child(limit: int) -> str:
        command = [sys.executable, "-c", program, str(limit)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    for limit in (0, 1000, 8192, 40_000):
        assert in_child(limit) == "[('a', 0)] 0"
        index.forget()
    assert search(index, "word") == [("a", 0)]
    save(store, "b", "new word", *["filler " * 50] * 200)
    assert in_child(0) == "[('b', 0), ('a', 0)] 0"


def test_a_folder_that_cannot_be_written(store, index):
    save(store, "a", "word")
    os.chmod(store.folder, 0o500)
    try:
        assert search(index, "word") == [("a", 0)]
    finally:
        os.chmod(store.folder, 0o700)


def test_what_is_not_indexed_in_time_is_read_newest_first_and_goes_on_where_it_stopped(store, index):
    for number in range(12):
        save(store, f"s{number}", "word " * 2000 + f"own{number}")
        time.sleep(0.003)  # activity is told in milliseconds: which one is the newest must be told by it
    assert index.update(0.0) > 0
    newest = index.search("own11", patience=0.0)
    assert [hit.session_id for hit in newest.hits] == ["s11"]
    found = index.search("word", patience=0.0, seconds=0.0, limit=100)
    assert 0 < found.pending < 12 and "not reached" in found.note and "s11" in {hit.session_id for hit in found.hits}
    active = [hit.last_activity for hit in found.hits]
    assert active == sorted(active, reverse=True)
    seen = 12
    for _ in range(100):
        waiting = index.update(0.0)
        assert waiting <= seen
        seen = waiting
        if not waiting:
            break
    assert len(search(index, "word", limit=100)) == 12


def test_one_big_session_is_indexed_in_slices(store, index):
    save(store, "big", *(f"word{number} {'filler ' * 300}" for number in range(1000)))
    slices = 1
    while index.update(0.0):
        slices += 1
    assert slices > 3 and search(index, "word999") == [("big", 999)] and rows(index) == 1000


def test_mostly_dead_rows_are_cleared_out(store, index):
    writer = store.open("big", create=Header("big", START, START))
    writer.append([{"role": "user", "content": "x"}] * 25_000)
    writer.close()
    save(store, "a", "word")
    assert index.update(LONG) == 0 and rows(index) == 25_001
    store.delete("big")
    assert index.update(LONG) == 0
    assert search(index, "word") == [("a", 0)] and rows(index) == 1


def test_without_a_folder_every_session_is_read():
    store = MemoryStore()
    index = compose.open_index(store)
    save(store, "a", "the needle", "hay")
    save(store, "b", "a needle", title="Sewing")
    assert set(search(index, "needle")) == {("b", 0), ("a", 0)}
    assert search(index, "sewing") == [("b", 0)] and index.update(1) == 0
    found = index.search("needle", seconds=0.0)
    assert found.pending and "not reached" in found.note
    assert index.search("!!!").note
    index.forget()


def test_how_much_there_is_to_catch_up_with(store, index):
    assert backlog(store.folder) == 0
    save(store, "a", "word " * 1000)
    assert backlog(store.folder) > 5000
    assert search(index, "word")
    os.utime(Path(store.folder) / "a_chat.toon", (1e9, 1e9))
    assert backlog(store.folder) == 0


def test_a_process_of_its_own_brings_it_up_to_date(store, index):
    save(store, "a", "word")
    command = [sys.executable, "-m", "scratchy.store.index_child"]
    request = f'{{"folder": "{store.folder}"}}'
    subprocess.run(command, cwd=ROOT, input=request, text=True, check=True, timeout=50)
    assert rows(index) == 1


def test_no_descriptor_is_left_open(store, index):
    save(store, "a", "word")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        search(index, "word")
    assert len(os.listdir("/proc/self/fd")) == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > before


def test_killed_in_the_middle_it_goes_on(store, index):
    for number in range(6):
        save(store, f"s{number}", *[f"word{number} {'filler ' * 300}"] * 100)
    chance = random.Random(3)
    for _ in range(8):
        child = subprocess.Popen(
            [sys.executable, "-m", "scratchy.store.index_child"], cwd=ROOT, stdin=subprocess.PIPE, text=True
        )
        child.stdin.write(f'{{"folder": "{store.folder}"}}')
        child.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            child.wait(0.1 + chance.random() * 0.4)
        child.kill()
        child.wait()
        assert len(search(index, "word3", limit=200)) == 100
    assert len(search(index, "filler", limit=1000)) == 600


def test_who_stands_still_in_the_middle_of_it_does_not_keep_it(store, index):
    save(store, "a", "word")
    assert search(index, "word") == [("a", 0)]
    program = (
        "import sys\nfrom scratchy.store.index_db import connected\n"
        f"with connected({index.path!r}, 30) as database:\n"
        "    database.execute('BEGIN IMMEDIATE')\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline() == "held\n"
        save(store, "b", "new word")
        assert set(search(index, "word")) == {("a", 0), ("b", 0)}  # every session is read meanwhile
        with pytest.raises(OSError, match="in use"):
            index.update(1)
        remove(index.path, 0.0)
        assert search(index, "word") == [("b", 0), ("a", 0)] and rows(index) == 2
    finally:
        holder.communicate("")
    assert holder.returncode == 0
    assert search(index, "word") == [("b", 0), ("a", 0)] and rows(index) == 2


def test_a_session_of_megabytes_grows_is_cut_and_changes_in_the_middle(store, index):
    filler = "filler " * 130_000
    save(store, "big", *(f"word{number} {filler}" for number in range(6)))
    assert search(index, "word5") == [("big", 5)]
    for number in (6, 7):
        writer = store.open("big")
        writer.append([{"role": "user", "content": f"word{number} short"}])
        writer.close()
        assert search(index, f"word{number}") == [("big", number)]
    assert rows(index) == 8
    writer = store.open("big")
    writer.cut(3)
    messages = writer.load()
    assert search(index, "word2") == [("big", 2)] and search(index, "word3") == [] and rows(index) == 8
    messages[1]["content"] = messages[1]["content"].replace("word1", "wordX")
    writer.replace(messages, "replaced")
    writer.close()
    assert search(index, "word1") == [] and search(index, "wordx") == [("big", 1)]


def test_a_common_word_is_found_as_it_is_and_a_rare_one_as_a_beginning(store, index):
    save(store, "a", *["word"] * 600, "wordy", "rare", "rarely")
    assert search(index, "rar") == search(index, "rare") == [("a", 602), ("a", 601)]
    assert search(index, "word", limit=2) == [("a", 599), ("a", 598)]
    assert search(index, "word*", limit=2) == [("a", 600), ("a", 599)]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE messages SET size = 100000000000",
        "UPDATE messages SET start = start + 7",
        "UPDATE messages SET checked = 5",
        "CREATE TRIGGER t AFTER UPDATE ON edition BEGIN DELETE FROM messages; END",
        "DROP TABLE messages; CREATE VIEW messages AS WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) "
        "SELECT x AS row, 1 AS session, 1 AS number, 1 AS start, 1 AS size, 1 AS checked FROM t",
    ],
)
def test_an_index_that_sqlite_opens_and_that_is_wrong_is_made_anew(store, index, damage):
    for number in range(3):
        save(store, f"s{number}", "word")
    expected = sorted(search(index, "word"))
    with closing(sqlite3.connect(index.path)) as database:
        database.executescript(damage)
    for _ in range(3):
        assert sorted(search(Index(store), "word")) == expected
    assert rows(index) == 3
