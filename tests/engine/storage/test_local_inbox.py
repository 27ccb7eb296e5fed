"""Listing, reading and writing a folder on this machine: every odd file has its reason code, and none of them blocks the others."""

from __future__ import annotations

import errno
import os
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from include.engine.errors import BinderyError, Refused, SettingsError, Unreachable
from include.engine.storage.check import check
from include.engine.storage.filesystem import Store, open_store
from include.engine.storage.local import LocalDrive
from include.engine.storage.seen import Seen, refusals, remarks, shown
from include.engine.storage.uri import parse

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def store(inbox: Path) -> Store:
    return open_store(f"file://{inbox}")


def code_of(work: object) -> str:
    with pytest.raises(BinderyError) as caught:
        work()  # type: ignore[operator]
    return caught.value.code


def test_a_listing_shows_files_and_leaves_out_temporary_names_hidden_ones_and_our_own_folders(inbox: Path, store: Store) -> None:
    for name in ("loans.csv", "loans.csv.done", "x.part", "X.PART", ".hidden", "~$x.csv", "x.tmp", "x.filepart", "old~"):
        (inbox / name).write_text("x")
    for folder in ("archive", "receipts", "sub", "sub/archive", ".git"):
        (inbox / folder).mkdir()
        (inbox / folder / "in.csv").write_text("xy")
    assert [seen.path for seen in store.list()] == ["loans.csv", "loans.csv.done"]
    assert [seen.path for seen in store.list(recursive=True)] == ["loans.csv", "loans.csv.done", "sub/archive/in.csv", "sub/in.csv"]
    assert [seen.path for seen in store.list("LOANS*.csv")] == ["loans.csv"]
    status = (inbox / "loans.csv").stat()
    assert store.list("loans.csv") == [Seen("loans.csv", 1, status.st_mtime_ns)] == [store.stat("loans.csv")]


def test_a_link_a_pipe_and_a_name_with_a_line_break_are_refused_and_their_neighbour_is_delivered(inbox: Path, store: Store) -> None:
    (inbox / "good.csv").write_text("x")
    (inbox / "link.csv").symlink_to("/etc/hostname")
    (inbox / "dangling.csv").symlink_to("nowhere")
    os.mkfifo(inbox / "pipe.csv")
    (inbox / "two\nlines.csv").write_text("x")
    (inbox / os.fsdecode(b"latin\xe5.csv")).write_text("x")
    started = time.monotonic()
    listing = store.list()
    assert refusals(listing) == {
        "link.csv": "FILE_IS_LINK",
        "dangling.csv": "FILE_IS_LINK",
        "pipe.csv": "FILE_NOT_REGULAR",
        "two\nlines.csv": "FILE_NAME_UNSAFE",
        "latin\\udce5.csv": "FILE_NAME_UNSAFE",
    }
    assert [seen.path for seen in listing if not seen.refused] == ["good.csv"]
    assert code_of(lambda: store.open_read("link.csv")) == "FILE_IS_LINK"
    assert code_of(lambda: store.open_read("pipe.csv")) == "FILE_NOT_REGULAR"
    assert code_of(lambda: store.open_read("two\nlines.csv")) == "FILE_NAME_UNSAFE"
    assert time.monotonic() - started < 60, "nothing waits for a pipe's writer, who never comes"
    assert shown("two\nlines.csv") == "two\\x0alines.csv"


def test_names_in_either_unicode_form_match_the_same_pattern(inbox: Path, store: Store) -> None:
    composed, decomposed = "lån_å.csv", unicodedata.normalize("NFD", "lån_å2.csv")
    for name in (composed, decomposed):
        (inbox / name).write_text("x")
    listing = store.list(unicodedata.normalize("NFD", "lån_*"))
    assert {seen.path for seen in listing} == {composed, decomposed}, "the path stays as the file system spells it"
    assert {seen.name for seen in listing} == {composed, "lån_å2.csv"}
    noted = {seen.name: remarks(seen, NOW) for seen in listing}
    assert "FILE_NAME_DECOMPOSED" in noted["lån_å2.csv"] and "FILE_NAME_DECOMPOSED" not in noted[composed]
    with store.open_read(decomposed) as file:
        assert file.read() == b"x"


@pytest.mark.parametrize(
    ("seconds", "note"),
    [(0, ["FILE_TIME_OLD"]), (-10_000_000, ["FILE_TIME_OLD"]), (4_000_000_000, ["FILE_TIME_FUTURE"]), (NOW.timestamp() - 60, [])],
)
def test_an_old_or_future_time_is_remarked_on_and_is_no_reason_to_refuse(
    inbox: Path, store: Store, seconds: float, note: list[str]
) -> None:
    (inbox / "x.csv").write_text("x")
    os.utime(inbox / "x.csv", (seconds, seconds))
    seen = store.list()[0]
    assert seen.refused is None and seen.mtime_ns == int(seconds) * 10**9
    assert remarks(seen, NOW) == note


def test_a_listing_asks_the_system_once_for_each_file_and_does_little_more(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / f"bib_{number:04}.mrc").touch()
    store = open_store(f"file://{tmp_path}")
    calls = _calls(store.list)
    asked = {name: calls[name] for name in ("stat", "lstat", "open", "scandir", "listdir", "readlink")}
    assert asked == {"stat": 1000, "lstat": 0, "open": 0, "scandir": 1, "listdir": 0, "readlink": 0}
    assert calls.total() < 25 * 1000


def _calls(work: Callable[[], object]) -> Counter[str]:
    """What is called, and how often: a measure that a busy machine does not change."""
    found: Counter[str] = Counter()

    def called(frame: FrameType, event: str, own: Any) -> None:
        if event in {"call", "c_call"}:
            found[own.__name__ if event == "c_call" else frame.f_code.co_name] += 1

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return found


def test_a_file_is_written_whole_under_its_final_name_or_not_at_all(inbox: Path, store: Store) -> None:
    def blocks() -> Iterator[bytes]:
        yield b"half"
        assert [path.suffix for path in inbox.iterdir()] == [".part"], "only a temporary name while it is written"
        raise OSError(errno.ENOSPC, "disk full")

    assert code_of(lambda: store.put("out.csv", blocks())) == "STORE_FULL"
    assert list(inbox.iterdir()) == []
    assert store.put("sub/out.csv", b"one") == 3
    with (inbox / "sub/out.csv").open("rb") as source:
        assert store.put("sub/out.csv", source) == 3, "replaces what was there"
    assert [path.name for path in (inbox / "sub").iterdir()] == ["out.csv"]


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "a//x", "./x", "", "a\\..\\x", "a\nb", "a/\x00"])
def test_no_path_leads_out_of_the_store(store: Store, path: str) -> None:
    for work in (lambda: store.put(path, b"x"), lambda: store.open_read(path), lambda: store.rename("x", path), lambda: store.delete(path)):
        assert code_of(work) == "FILE_NAME_UNSAFE"


def test_a_folder_that_is_a_link_to_elsewhere_is_not_written_through(tmp_path: Path, inbox: Path, store: Store) -> None:
    (tmp_path / "elsewhere").mkdir()
    (inbox / "archive").symlink_to(tmp_path / "elsewhere")
    (inbox / "x.csv").write_text("x")
    assert code_of(lambda: store.put("archive/y.csv", b"x")) == "FILE_IS_LINK"
    assert code_of(lambda: store.rename("x.csv", "archive/x.csv")) == "FILE_IS_LINK"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (inbox / "x.csv").exists()


def test_renaming_keeps_what_is_there_unless_told_and_deleting_twice_is_no_error(inbox: Path, store: Store) -> None:
    (inbox / "a").write_text("a")
    (inbox / "b").write_text("b")
    assert code_of(lambda: store.rename("a", "b")) == "FILE_NAME_TAKEN"
    store.rename("a", "archive/2026-11/a")
    store.rename("archive/2026-11/a", "b", overwrite=True)
    assert (inbox / "b").read_text() == "a"
    assert store.exists("b") and not store.exists("a")
    store.delete("b")
    store.delete("b")
    assert code_of(lambda: store.rename("a", "c")) == "FILE_GONE"
    assert code_of(lambda: store.open_read("gone.csv")) == "FILE_GONE"
    assert code_of(lambda: store.stat("gone.csv")) == "FILE_GONE"
    (inbox / "folder").mkdir()
    assert code_of(lambda: store.open_read("folder")) == "FILE_NOT_REGULAR"


def test_an_inbox_that_is_not_there_says_so(tmp_path: Path) -> None:
    assert code_of(open_store(f"file://{tmp_path}/none").list) == "INBOX_MISSING"
    with pytest.raises(SettingsError):
        open_store("file:inbox")


@pytest.mark.parametrize(
    ("number", "writing", "code"),
    [
        (errno.EACCES, False, "FILE_UNREADABLE"),
        (errno.EACCES, True, "INBOX_READ_ONLY"),
        (errno.EROFS, True, "INBOX_READ_ONLY"),
        (errno.ENOSPC, True, "STORE_FULL"),
        (errno.EDQUOT, True, "STORE_FULL"),
        (errno.ETIMEDOUT, False, "STORE_TIMEOUT"),
        (errno.EIO, False, "UNREACHABLE"),
    ],
)
def test_what_the_system_says_is_told_with_its_reason_code(store: Store, number: int, writing: bool, code: str) -> None:
    def failing() -> Iterator[bytes]:
        yield b""
        raise OSError(number, os.strerror(number))

    if writing:
        assert code_of(lambda: store.put("x", failing())) == code
    else:
        from include.engine.storage.drive import told

        def read() -> None:
            with told("file:x", "y"):
                list(failing())

        assert code_of(read) == code


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere: test_remote_inboxes.py has a server that refuses writes")
def test_a_read_only_folder_can_be_listed_and_read_and_says_so_when_written(inbox: Path, store: Store) -> None:
    (inbox / "x.csv").write_text("x")
    inbox.chmod(0o500)
    try:
        assert store.list() and store.open_read("x.csv").read() == b"x"
        assert code_of(lambda: store.put("y", b"x")) == "INBOX_READ_ONLY"
    finally:
        inbox.chmod(0o700)


def test_checking_a_folder_lists_reads_writes_renames_and_leaves_nothing(inbox: Path, store: Store, tmp_path: Path) -> None:
    assert [(line.step, line.ok) for line in check(store)] == [(step, True) for step in ("list", "read", "write", "rename", "delete")]
    (inbox / "x.csv").write_text("x")
    assert check(store)[1].detail == "x.csv can be read"
    assert [path.name for path in inbox.iterdir()] == ["x.csv"]
    assert [line.step for line in check(store, writes=False)] == ["list", "read"]
    failed = check(open_store(f"file://{tmp_path}/none"))
    assert [(line.step, line.ok, line.code) for line in failed] == [("list", False, "INBOX_MISSING")]


def test_errors_are_refusals_or_unreachable_and_name_the_place(store: Store) -> None:
    with pytest.raises(Refused, match=r"inbox.*gone\.csv"):
        store.open_read("gone.csv")
    assert issubclass(Unreachable, BinderyError)
    assert store.uri("a/b.csv").endswith("/inbox/a/b.csv") and parse(store.uri("a.csv")).scheme == "file"


def test_a_file_that_goes_while_the_folder_is_read_is_left_out(inbox: Path) -> None:
    for name in ("a", "b"):
        (inbox / name).touch()
    found = LocalDrive(inbox).entries("")
    first = next(found)
    (inbox / ("b" if first.name == "a" else "a")).unlink()
    assert [entry.name for entry in found] in ([], ["a"], ["b"])
