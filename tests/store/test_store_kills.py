"""Processes killed at random moments, and a limit on the size of files: nothing acknowledged is lost."""

import errno
import os
import random
import resource
import subprocess
import sys
import time

import pytest
from store_kit import BASE, opened_and_strict, save

from scratchy.store.files import FileStore

KILLS = 40
ROUNDS = 5 if os.environ.get("CI_LONG") else 1

WRITER = """
import sys
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
writer = FileStore(sys.argv[1]).open("x", create=Header("x", "", ""))
number = int(sys.argv[2])
while True:
    number += 1
    writer.append([{"role": "user", "content": f"{number} " + "z" * (number * 131 % 9000)}])
    print(number, flush=True)
    if number % 6 == 0:
        writer.edit(title=f"title {number}")
        print("title", number, flush=True)
"""

CUTTER = """
import sys
from scratchy.core.stored import Header
from scratchy.store.files import FileStore
store = FileStore(sys.argv[1])
writer = store.open("x", create=Header("x", "", ""))
number = int(sys.argv[2])
while True:
    number += 1
    writer.append([{"role": "user", "content": f"{number} {at} " + "z" * 3000} for at in range(4)])
    store.fork("x", Header(f"f{number}", "", ""), 3)
    entry = writer.cut(1 if writer.count > 40 else writer.count - 2)
    print(number, entry, flush=True)
"""


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_kills_at_random_moments(tmp_path, turn):
    seed = random.randrange(10**9)
    chance = random.Random(seed)
    acknowledged, titled = 0, 0
    for _ in range(KILLS):
        process = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-c",
                f"import sys; sys.path[:0] = {sys.path!r}\n{WRITER}",
                str(tmp_path),
                str(acknowledged),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(chance.random() * 0.03)
        process.kill()
        lines += process.stdout.read().split("\n")
        process.stdout.close()
        process.wait()
        for line in lines:
            words = line.split()
            acknowledged = int(words[0]) if len(words) == 1 else acknowledged
            titled = int(words[1]) if len(words) == 2 else titled
        found = [int(message["content"].split()[0]) for message in opened_and_strict(tmp_path)]
        assert found == list(range(1, len(found) + 1)), seed
        assert acknowledged <= len(found) <= acknowledged + 1, seed
        title = FileStore(tmp_path).header("x")[0].title
        assert titled <= int((title or "title 0").split()[1]) <= len(found), seed
        acknowledged = len(found)
    assert acknowledged > KILLS


def test_kills_while_it_is_cut_and_forked(tmp_path):
    """The session is whole, each fork is whole or not there, and what was cut off is where the header says."""
    seed = random.randrange(10**9)
    chance, last = random.Random(seed), 0
    for _ in range(12 * ROUNDS):
        code = f"import sys; sys.path[:0] = {sys.path!r}\n{CUTTER}"
        command = [sys.executable, "-I", "-c", code, str(tmp_path), str(last)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(chance.random() * 0.05)
        process.kill()
        lines += process.stdout.read().split("\n")
        process.stdout.close()
        process.wait()
        told = [line.split() for line in lines if len(line.split()) == 2 and line.rstrip().endswith("-x")]
        last = max([last, *(int(number) for number, _ in told)]) + 1
        assert opened_and_strict(tmp_path), seed
        store = FileStore(tmp_path)
        kept = {entry.name for entry in store.trash()}
        assert all(entry in kept for _, entry in told), seed
        header = store.header("x")[0]
        assert len(store.trashed(header.metadata["rewind"]["entry"])[1]) > header.metadata["rewind"]["at"], seed
        assert all(
            row.count == 3 and len(store.load(row.session_id)[1]) == 3 for row in store.list() if row.session_id != "x"
        )
        assert not [row for row in store.list() if row.error], seed


def test_a_file_size_limit(tmp_path):
    """As a full disk: the write is short, then refused; the same append works when there is room."""
    store = FileStore(tmp_path)
    save(store, "x", BASE)
    writer = store.open("x")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    big = {"role": "user", "content": "b" * 20_000}
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, old[1]))
    try:
        for _ in range(2):
            try:
                writer.append([big])
                raise AssertionError("the limit did not hold")
            except OSError as error:
                assert error.errno == errno.EFBIG
        assert store.load("x")[1] == BASE == writer.load() and len(store.list()) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    writer.append([big])
    writer.close()
    assert opened_and_strict(tmp_path) == [*BASE, big] and not list(tmp_path.glob(".x.tail*"))
