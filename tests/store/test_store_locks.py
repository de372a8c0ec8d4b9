"""One writer a file, between real processes: refused within a second, with the holder's pid; the lock dies with it."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from store_kit import BASE, NEXT, new, opened_and_strict, save

from scratchy.core.errors import SessionLockedError
from scratchy.store.files import FileStore

HOLDER = """
import sys, time
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
writer = FileStore(sys.argv[1]).open("x", create=Header("x", "", ""))
writer.append([{"role": "user", "content": "of the holder"}])
print("held", flush=True)
for line in sys.stdin:
    writer.append([{"role": "user", "content": line.strip()}])
    print("saved", flush=True)
writer.close()
print("closed", flush=True)
time.sleep(30)
"""


class Holder:
    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.wait_for("held")

    def wait_for(self, word: str) -> None:
        assert self.process.stdout and self.process.stdout.readline().strip() == word

    def say(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.wait_for("saved")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                stream.close()


@pytest.fixture
def holder(tmp_path):
    made = Holder(tmp_path)
    yield made
    made.end()


def refused(folder: Path, pid: int, *, ways: int = 1) -> SessionLockedError:
    store = FileStore(folder)
    for call in (lambda: store.open("x"), lambda: store.delete("x"), lambda: store.rename("x", "y"))[:ways]:
        start = time.monotonic()
        with pytest.raises(SessionLockedError) as caught:
            call()
        assert time.monotonic() - start < 5
        assert caught.value.pid == pid and str(pid) in str(caught.value) and "'x'" in str(caught.value)
    return caught.value


def test_the_second_process_is_told_who_holds_it(tmp_path, holder):
    error = refused(tmp_path, holder.process.pid, ways=3)
    assert error.host == os.uname().nodename and error.since and error.since.endswith("Z")
    store = FileStore(tmp_path)
    assert store.load("x")[1][0]["content"] == "of the holder" and len(store.list()) == 1
    assert store.last_writer("x") == holder.process.pid
    save(store, "other", BASE)


def test_a_killed_holder_leaves_no_lock(tmp_path, holder):
    holder.process.kill()
    holder.process.wait()
    save(FileStore(tmp_path), "x", [NEXT])
    assert len(opened_and_strict(tmp_path)) == 2
    assert FileStore(tmp_path).last_writer("x") == os.getpid()


def test_a_stopped_holder_still_holds_it(tmp_path, holder):
    holder.process.send_signal(signal.SIGSTOP)
    try:
        refused(tmp_path, holder.process.pid)
    finally:
        holder.process.send_signal(signal.SIGCONT)
    holder.say("later")
    assert len(FileStore(tmp_path).load("x")[1]) == 2


@pytest.mark.parametrize(
    "text", ["", "pid 1\nhost elsewhere\n", "\0" * 600, "pid 99999999999999999999999\nclean a b c d"]
)
def test_a_rewritten_lock_file_decides_nothing(tmp_path, holder, text):
    lock = tmp_path / ".x.lock"
    lock.write_text(text)
    refused(tmp_path, holder.process.pid)
    holder.end()
    lock.write_text(text)
    save(FileStore(tmp_path), "x", [NEXT])
    assert len(opened_and_strict(tmp_path)) == 2


def test_a_removed_lock_file_is_noticed_by_its_holder(tmp_path, holder):
    (tmp_path / ".x.lock").unlink()
    holder.say("made anew")
    refused(tmp_path, holder.process.pid)


def test_a_lie_about_where_the_file_ends_is_not_believed(tmp_path):
    save(FileStore(tmp_path), "x", BASE)
    path = tmp_path / "x_chat.toon"
    good = path.read_bytes()
    path.write_bytes(good + b"  - role: user\n")
    there = path.stat()
    for clean in (f"{there.st_ino} {len(good)} 3 {there.st_mtime_ns}", f"{there.st_ino} {there.st_size} 4 0"):
        (tmp_path / ".x.lock").write_text(f"pid 1\nclean {clean}\n")
        assert FileStore(tmp_path).tail("x", 1) == (2, BASE[2:])


def test_a_lock_that_is_given_up_is_free(tmp_path, holder):
    assert holder.process.stdin
    holder.process.stdin.close()
    holder.wait_for("closed")
    save(FileStore(tmp_path), "x", [NEXT])


def test_the_lock_waits_half_a_second(tmp_path, holder):
    threading.Timer(0.2, holder.process.kill).start()
    FileStore(tmp_path).open("x").close()


def test_a_forked_child_does_not_hold_it(tmp_path):
    store = FileStore(tmp_path)
    writer = store.open("x", create=new())
    writer.append(BASE)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            try:
                writer.append([NEXT])
            except SessionLockedError as error:
                code = 2 if error.pid == os.getppid() else 3
            try:
                FileStore(tmp_path).open("x")
                code = 4
            except SessionLockedError as error:
                code = 0 if code == 2 and error.pid == os.getppid() else 5
            writer.close()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writer.append([NEXT])
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([sys.executable, "-c", HOLDER, str(tmp_path)], check=True, capture_output=True)
    writer.close()
    assert opened_and_strict(tmp_path) == [*BASE, NEXT]


def test_a_deleted_session_frees_its_name_while_others_wait(tmp_path):
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    store.delete("x")
    assert not (tmp_path / ".x.lock").exists()
    holder = Holder(tmp_path)
    try:
        refused(tmp_path, holder.process.pid)
    finally:
        holder.end()


def test_readers_beside_a_writer_see_a_prefix(tmp_path):
    store = FileStore(tmp_path)
    writer = store.open("x", create=new())
    messages = [{"role": "user", "content": f"{number} " + "y" * (number * 37 % 900)} for number in range(400)]
    writer.append(messages[:1])
    done = threading.Event()
    wrong: list[object] = []
    looks = [0]

    def read() -> None:
        while not done.is_set():
            looks[0] += 1
            found = store.load("x")[1]
            first, last = store.tail("x", 3)
            (row,) = store.list()
            if found != messages[: len(found)] or last != messages[first : first + len(last)] or row.error:
                wrong.append((len(found), first, row.error))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for message in messages[1:]:
        writer.append([message])
    done.set()
    for thread in threads:
        thread.join()
    writer.close()
    assert not wrong and looks[0] > 10 and not list(tmp_path.glob(".x.tail*"))


def test_many_threads_ask_while_another_process_gives_up(tmp_path, holder):
    """One that is refused must not, closing its look at the lock file, give up the lock that another thread got."""
    store = FileStore(tmp_path)
    got: list[object] = []

    def ask() -> None:
        with contextlib.suppress(SessionLockedError):
            got.append(store.open("x"))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    time.sleep(0.42)  # the first are refused about now
    holder.end()
    for thread in threads:
        thread.join()
    writer = store.open("x")
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run([sys.executable, "-c", HOLDER, str(tmp_path)], check=True, capture_output=True)
    for one in [writer, *got]:
        one.close()  # type: ignore[attr-defined]
