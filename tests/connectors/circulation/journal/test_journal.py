"""What was said to be durable is in the journal, in order, whatever ended the process; and nothing else passes for it."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import secrets
import subprocess
import sys
import time
from pathlib import Path

import pytest

from connectors.circulation.journal import Entry, Journal, JournalFailed, last, read
from connectors.circulation.journal.segment import segments
from include.engine.crypto.keys import DataKey, MemoryKeyStore
from include.engine.engine import ROOT
from include.engine.errors import Tampered
from tests.connectors.circulation.journal.appending import OneKey


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def key(keys: MemoryKeyStore) -> DataKey:
    return keys.create("journal", "kiosks")


def _write(folder: Path, keys: MemoryKeyStore, key: DataKey, count: int, **settings: int) -> None:
    journal = Journal(folder, keys, key, **settings)
    for number in range(count):
        journal.write({"n": number})
    journal.close()


def test_entries_are_numbered_from_one_over_restarts(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    _write(tmp_path, keys, key, 3)
    _write(tmp_path, keys, key, 2)
    assert list(read(tmp_path, keys)) == [Entry(n + 1, {"n": m}) for n, m in enumerate([0, 1, 2, 0, 1])]
    assert [entry.number for entry in read(tmp_path, keys, after=3)] == [4, 5]
    assert last(tmp_path, keys) == 5


def test_an_empty_journal_has_no_entries(tmp_path: Path, keys: MemoryKeyStore) -> None:
    assert list(read(tmp_path / "nothing", keys)) == []
    assert last(tmp_path / "nothing", keys) == 0


def test_those_who_wait_share_one_fsync(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    synced = []

    def slow(descriptor: int) -> None:
        time.sleep(0.02)
        synced.append(os.fdatasync(descriptor))

    async def many() -> list[int]:
        journal = Journal(tmp_path, keys, key, sync=slow)
        numbers = await asyncio.gather(*(journal.append({"n": n}) for n in range(500)))
        journal.close()
        return numbers

    assert asyncio.run(many()) == list(range(1, 501))
    assert len(synced) < 10
    assert len(list(read(tmp_path, keys))) == 500


def test_nothing_is_said_to_be_durable_before_its_fsync(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    synced: list[int] = []

    def sync(descriptor: int) -> None:
        os.fdatasync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    async def one() -> None:
        journal = Journal(tmp_path, keys, key, sync=sync)
        for _ in range(20):
            before = len(synced)
            await journal.append({})
            assert len(synced) == before + 1
            assert segments(tmp_path)[-1].stat().st_size == synced[-1]
        journal.close()

    asyncio.run(one())


def test_long_journals_are_cut_into_segments(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    _write(tmp_path, keys, key, 50, rotate=500)
    assert len(segments(tmp_path)) > 3
    assert [entry.number for entry in read(tmp_path, keys)] == list(range(1, 51))


def test_no_value_can_be_read_from_the_file(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    journal = Journal(tmp_path, keys, key)
    journal.write({"card": "4500001234"})
    journal.close()
    assert b"4500001234" not in segments(tmp_path)[0].read_bytes()
    assert segments(tmp_path)[0].stat().st_mode & 0o077 == 0


def test_a_torn_end_loses_only_what_was_never_answered(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    _write(tmp_path, keys, key, 3)
    path = segments(tmp_path)[0]
    whole = path.read_bytes()
    lengths = []
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        lengths.append(len(list(read(tmp_path, keys))))
    assert sorted(lengths) == lengths
    assert set(lengths) == {0, 1, 2}


def test_after_a_torn_end_the_next_number_follows_the_last_whole_entry(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    _write(tmp_path, keys, key, 3)
    path = segments(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-5])
    for _ in range(2):  # and again, when the second process ended before it wrote a whole frame
        Journal(tmp_path, keys, key).close()
    _write(tmp_path, keys, key, 1)
    assert [entry.number for entry in read(tmp_path, keys)] == [1, 2, 3]
    header = segments(tmp_path)[1].read_bytes()[:60]
    (tmp_path / "0000000000000004-0000.journal").write_bytes(header)
    _write(tmp_path, keys, key, 1)
    assert [entry.number for entry in read(tmp_path, keys)] == [1, 2, 3, 4]


@pytest.mark.parametrize("at", [0, 9, 40, 80, 150])
def test_an_altered_byte_with_more_behind_it_is_told(tmp_path: Path, keys: MemoryKeyStore, key: DataKey, at: int) -> None:
    _write(tmp_path, keys, key, 5)
    path = segments(tmp_path)[0]
    damaged = bytearray(path.read_bytes())
    damaged[at] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(Tampered):
        list(read(tmp_path, keys))


def test_a_missing_segment_is_told(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    _write(tmp_path, keys, key, 50, rotate=500)
    segments(tmp_path)[2].unlink()
    with pytest.raises(Tampered, match="the journal has no entry"):
        list(read(tmp_path, keys))


def test_two_processes_do_not_write_one_journal(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    journal = Journal(tmp_path, keys, key)
    with pytest.raises(JournalFailed, match=r"another process writes the journal.*JOURNAL_IN_USE"):
        Journal(tmp_path, keys, key)
    journal.close()
    Journal(tmp_path, keys, key).close()


def test_what_a_kill_left_unsynced_is_on_disk_before_anything_comes_after_it(
    tmp_path: Path, keys: MemoryKeyStore, key: DataKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path, keys, key, 3)
    newest, synced = segments(tmp_path)[-1], list[tuple[str, int]]()
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{descriptor}").readlink()), len(segments(tmp_path))))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    _write(tmp_path, keys, key, 1)
    assert synced[0] == (str(newest.resolve()), 1)
    assert [entry.number for entry in read(tmp_path, keys)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("fault", "said"),
    [(OSError(errno.ENOSPC, "No space left on device"), "No space left"), (ValueError("a fault of ours"), "a fault of ours")],
)
def test_after_a_failed_fsync_nothing_is_taken_any_more(
    tmp_path: Path, keys: MemoryKeyStore, key: DataKey, fault: Exception, said: str
) -> None:
    def full(_: int) -> None:
        raise fault

    async def fail() -> None:
        journal = Journal(tmp_path, keys, key, sync=full)
        answers = await asyncio.gather(*(journal.append({"n": n}) for n in range(5)), return_exceptions=True)
        assert all(isinstance(answer, JournalFailed) for answer in answers)
        with pytest.raises(JournalFailed, match=said):
            journal.append({})
        with pytest.raises(JournalFailed):
            journal.write({})
        journal.close()

    asyncio.run(fail())


def test_one_can_wait_for_what_others_have_put(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    async def wait() -> None:
        journal = Journal(tmp_path, keys, key, rotate=1)
        await journal.settled()
        for count in range(1, 20):
            first = journal.append({"n": count})
            waits = [journal.settled() for _ in range(3)]
            second = journal.append({"n": -count})
            await asyncio.gather(*waits)
            assert first.done() and journal.durable >= 2 * count - 1
            await second
            await journal.settled()
            assert journal.durable == journal.newest == 2 * count
        journal.close()

    asyncio.run(wait())
    assert [entry.number for entry in read(tmp_path, keys)] == list(range(1, 39))


def test_a_connection_that_went_away_does_not_keep_its_entry_out(tmp_path: Path, keys: MemoryKeyStore, key: DataKey) -> None:
    async def leave() -> None:
        journal = Journal(tmp_path, keys, key)
        journal.append({"n": 1}).cancel()
        assert await journal.append({"n": 2}) == 2
        journal.close()

    asyncio.run(leave())
    assert [entry.data for entry in read(tmp_path, keys)] == [{"n": 1}, {"n": 2}]


@pytest.mark.crash
@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_loses_nothing_that_it_said_was_durable(tmp_path: Path, seed: int) -> None:
    secret, chance = secrets.token_hex(32), random.Random(seed)
    said: list[list[int]] = []
    for _ in range(2):
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.connectors.circulation.journal.appending", str(tmp_path), secret],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert writer.stdout is not None
        for _ in range(chance.randrange(3, 300)):
            said.append([int(value) for value in writer.stdout.readline().split()])
        writer.kill()
        said += [[int(value) for value in line.split()] for line in writer.stdout if line.endswith("\n")]
        writer.wait()
    found = {entry.number: entry.data for entry in read(tmp_path, OneKey(secret))}
    assert len(said) > 5
    assert all(found[number] == {"task": task, "turn": turn} for number, task, turn in said)
    assert sorted(found) == list(range(1, len(found) + 1))


_LONG = """
import sys
from pathlib import Path
from connectors.circulation.journal import Journal, read
from include.engine.crypto.keys import MemoryKeyStore

folder, keys = Path(sys.argv[1]), MemoryKeyStore()
journal = Journal(folder, keys, keys.create("journal", "kiosks"))
journal.write({"state": "x" * (65 << 20)})
journal.write({})
journal.close()
print([entry.number for entry in read(folder, keys)])
"""


def test_an_entry_may_be_of_any_length(tmp_path: Path) -> None:
    # A process of its own: what it needs of memory counts in no other test. So long is the state of a busy library's store and forward.
    done = subprocess.run([sys.executable, "-c", _LONG, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[1, 2]\n", "")
