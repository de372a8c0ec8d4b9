"""The power is cut at any call of any change: what lies on the disk then holds all that was acknowledged, whole."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from power_kit import RecordingDisk, rebuilt, states_after_a_cut
from store_kit import BASE, NEXT, new, opened_and_strict, save

from scratchy.core.errors import SessionExistsError
from scratchy.store.files import FileStore

LONG = [{"role": "user", "content": f"{number} " + "é" * 1500} for number in range(4)]


def appends(store: FileStore, disk: RecordingDisk) -> None:
    writer = store.open("x")
    for message in LONG:
        writer.append([message])
        disk.acknowledged += 1
    writer.close()


def written(change: Callable) -> Callable:
    def act(store: FileStore, disk: RecordingDisk) -> None:
        writer = store.open("x")
        change(writer)
        writer.close()

    return act


def opened(store: FileStore, disk: RecordingDisk) -> None:
    store.open("x").close()


def restored(store: FileStore, disk: RecordingDisk) -> None:
    store.restore(store.trash()[-1].name)


def saved(folder: Path) -> None:
    save(FileStore(folder), "x", [*BASE, *LONG])
    (folder / ".x.draft").write_text("unsent")


def in_the_trash(folder: Path) -> None:
    saved(folder)
    FileStore(folder).delete("x")
    save(FileStore(folder), "x", [NEXT])


def foreign(folder: Path) -> None:
    folder.mkdir()
    (folder / "x_chat.toon").write_bytes(b'{"session_id": "x", "messages": [{"role": "user", "content": "old"}]}')


def with_a_tail(folder: Path) -> None:
    saved(folder)
    with (folder / "x_chat.toon").open("ab") as file:
        file.write(b"  - role: user\n    content: " + b"half an item " * 900)


OLD = [*BASE, *LONG]
OF_JSON = [{"role": "user", "content": "old"}]
CASES = {  # what is there, what is done, the transcripts that may be found live, those of which one is there for sure
    "appends": (saved, appends, [[*OLD, *LONG[:number]] for number in range(5)]),
    "replace": (saved, written(lambda writer: writer.replace([NEXT, *LONG[1:]], "replaced")), [OLD, [NEXT, *LONG[1:]]]),
    "clear": (saved, written(lambda writer: writer.replace([], "cleared")), [OLD, []]),
    "edit": (saved, written(lambda writer: writer.edit(title="t" * 150)), [OLD]),
    "delete": (saved, lambda store, disk: store.delete("x"), [OLD]),
    "rename": (saved, lambda store, disk: store.rename("x", "y"), [OLD]),
    "restore": (in_the_trash, restored, [OLD, [NEXT]]),
    "cut": (saved, written(lambda writer: writer.cut(4)), [OLD, OLD[:4]]),
    "fork": (saved, lambda store, disk: store.fork("x", new("y"), 4), [OLD, OLD[:4]]),
    "purge": (in_the_trash, lambda store, disk: store.purge(store.trash()[-1].name), [OLD, [NEXT]]),
    "conversion": (foreign, opened, [OF_JSON]),
    "repair": (with_a_tail, opened, [OLD]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_power_cut_leaves_the_old_or_the_new_session_whole(tmp_path, name):
    prepare, act, allowed = CASES[name]
    live = tmp_path / "live"
    prepare(live)
    before = FileStore(live).load("x")[1]
    disk = RecordingDisk()
    disk.start(live)
    act(FileStore(live, disk=disk), disk)
    number = 0
    for files, done in states_after_a_cut(disk):
        number += 1
        folder = rebuilt(files, tmp_path / "after")
        store = FileStore(folder)
        sessions = [session_id for session_id in ("x", "y") if store.exists(session_id)]
        for session_id in sessions:
            assert opened_and_strict(folder, session_id) in allowed[done:]
        kept = [store.load(restore_beside(store, entry.name))[1] for entry in store.trash()]
        assert all(messages in [*allowed, before] for messages in kept)
        found = [store.load(session_id)[1] for session_id in sessions]
        store.open("y", create=new("y")).close()  # what a fork left half made goes when its id is opened
        assert before in [*found, *kept] or name == "appends"
        assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")] or not sessions
        shutil.rmtree(folder)
    assert number > 3


def restore_beside(store: FileStore, name: str) -> str:
    return store.restore(name, new_id="brought back " + name)


@pytest.mark.parametrize("reached", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_a_failed_sync_then_a_power_cut(tmp_path, name, reached):
    """Any one sync fails, and what it should have made safe is gone: nothing acknowledged is."""
    prepare, act, allowed = CASES[name]
    lose = failed = 0
    while failed == lose:
        lose += 1
        live = tmp_path / f"live{lose}"
        prepare(live)
        disk = RecordingDisk(lose, reached)
        disk.start(live)
        for _ in range(2):  # the caller tries again
            try:
                act(FileStore(live, disk=disk), disk)
                break
            except SessionExistsError:  # what failed was behind the new name
                break
            except OSError:
                failed = lose
        for files, done in states_after_a_cut(disk):
            folder = rebuilt(files, tmp_path / "after")
            store = FileStore(folder)
            for session_id in ("x", "y"):
                if store.exists(session_id):
                    messages = opened_and_strict(folder, session_id)
                    assert holds(messages, allowed, done, name), (lose, len(messages), done)
            shutil.rmtree(folder)
    assert lose >= 2 or name == "purge"  # which writes nothing


def holds(messages: list, allowed: list, done: int, name: str) -> bool:
    if name != "appends":
        return messages in allowed
    return messages[: len(OLD)] == OLD and len(messages) >= len(OLD) + done
