"""Bad files: each has its reason code and a receipt in the library's language, its bytes are kept, and its neighbours are delivered."""

from __future__ import annotations

import os
import time
import unicodedata
from dataclasses import dataclass

import pytest

from include.engine.delivery import Delivery, State
from tests.flows.conftest import Make
from tests.flows.files import GOOD, ITEMS, LOANS, NEIGHBOUR, csv, item, items
from tests.house import House, refused, tells

LINE_BREAK, LONG = "items_line\nbreak.csv", f"items_{'x' * 245}.csv"
DECOMPOSED, COMPOSED = unicodedata.normalize("NFD", "bøger_å.csv"), unicodedata.normalize("NFC", "bøger_ø.csv")
JUNK = b"\x00\x01this is no CSV\xff" * 10
YEAR = 365 * 86400


@dataclass(frozen=True)
class Full:
    """One inbox with everything in it, and what became of each file."""

    library: House
    done: dict[str, Delivery]

    def good(self, name: str, records: int) -> Delivery:
        one = self.done[name]
        assert (one.state, one.counts.published) == (State.ACKNOWLEDGED, records)
        assert one.counts.balanced()
        return one


@pytest.fixture(scope="module")
def full(shared: Make, tmp_path_factory: pytest.TempPathFactory) -> Full:
    library = shared(flow="    largest: 1 MB")
    library.drop("items_empty.csv", b"")
    library.drop("items_truncated.csv", csv(ITEMS, items(11, 5)) + b"6,t6,B0")
    library.drop("items_junk.csv", JUNK)
    library.drop(LINE_BREAK, GOOD)
    library.drop("notes.txt", b"Hello")
    with library.drop("items_huge.csv", GOOD).open("r+b") as file:
        file.truncate(2_000_000)
    secret = tmp_path_factory.mktemp("elsewhere") / "secret"
    secret.write_bytes(GOOD)
    (library.inbox / "items_link.csv").symlink_to(secret)
    os.mkfifo(library.inbox / "items_fifo.csv")
    for name, first, years in (("items_old.csv", 21, -30), ("items_future.csv", 31, 30)):
        when = time.time() + years * YEAR
        os.utime(library.drop(name, csv(ITEMS, items(first, 2))), (when, when))
    library.drop(DECOMPOSED, csv(ITEMS, items(41, 2)))
    library.drop(COMPOSED, csv(ITEMS, items(51, 2)))
    library.drop(LONG, csv(ITEMS, items(61, 2))).chmod(0o444)
    library.drop("items_neighbour.csv", NEIGHBOUR)
    return Full(library, library.all_taken(later=31))


def test_the_good_neighbour_of_all_of_them_is_delivered(full: Full) -> None:
    full.good("items_neighbour.csv", 3)
    delivered = {row["item_id"] for row in full.library.rows("item")}
    assert {"9001", "9002", "9003", "21", "31", "41", "51", "61"} <= delivered
    assert "1" not in delivered


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("items_empty.csv", "FILE_EMPTY"),
        (LINE_BREAK, "FILE_NAME_UNSAFE"),
        ("items_huge.csv", "FILE_TOO_LARGE"),
        ("items_link.csv", "FILE_IS_LINK"),
        ("items_fifo.csv", "FILE_NOT_REGULAR"),
        ("items_junk.csv", "CHARSET_REFUSED"),
        ("notes.txt", "FILE_UNDECLARED"),
    ],
)
def test_a_file_that_cannot_be_taken_in_is_refused_and_said_in_four_languages(full: Full, name: str, code: str) -> None:
    refused(full.library, full.done[name], code)


def test_a_limit_is_written_as_the_language_writes_numbers(full: Full) -> None:
    assert "1.000.000 bytes" in full.library.receipt(full.done["items_huge.csv"])
    assert "landed" not in full.done["items_huge.csv"].facts, "it was not read"


def test_a_truncated_file_costs_its_last_record(full: Full) -> None:
    done = full.good("items_truncated.csv", 5)
    assert (done.counts.in_, done.counts.quarantined) == (6, 1)
    assert full.library.kept(done) == {"ROW_RAGGED": [b"6,t6,B0"]}
    assert "andet antal felter end overskriften (3, ventet 7)" in full.library.receipt(done)


@pytest.mark.parametrize(("name", "code"), [("items_old.csv", "FILE_TIME_OLD"), ("items_future.csv", "FILE_TIME_FUTURE")])
def test_an_old_or_future_time_is_no_reason_to_refuse_and_is_said(full: Full, name: str, code: str) -> None:
    assert tells(full.library.receipt(full.good(name, 2)), code, "da")


def test_a_name_in_either_unicode_form_is_taken(full: Full) -> None:
    assert tells(full.library.receipt(full.good(DECOMPOSED, 2)), "FILE_NAME_DECOMPOSED", "da")
    assert "FILE_NAME" not in full.library.receipt(full.good(COMPOSED, 2))


def test_a_line_break_in_a_name_is_shown_as_what_it_is(full: Full) -> None:
    receipt = full.library.receipt(full.done[LINE_BREAK])
    assert receipt.startswith("items_line\\x0abreak.csv")
    assert next((full.library.inbox / "receipts").glob("items_line*.txt")).read_text() == receipt
    assert (full.library.inbox / LINE_BREAK).read_bytes() == GOOD, "it stays where it is"


def test_a_read_only_file_with_a_name_as_long_as_can_be_is_delivered_archived_and_told(full: Full) -> None:
    full.good(LONG, 2)
    assert not (full.library.inbox / LONG).exists()
    assert len(list((full.library.inbox / "archive").rglob("*xxx.csv"))) == 1
    assert len(list((full.library.inbox / "receipts").glob("items_xxx*"))) == 2


def test_a_link_or_a_pipe_is_never_opened_and_left_where_it_is(full: Full) -> None:
    for name in ("items_link.csv", "items_fifo.csv"):
        assert os.path.lexists(full.library.inbox / name)
        assert "landed" not in full.done[name].facts


def test_the_bytes_of_what_is_refused_are_kept_as_they_came(full: Full) -> None:
    assert full.library.landed(full.done["items_junk.csv"]) == JUNK


def test_a_growing_file_is_left_alone_until_it_rests(at: Make) -> None:
    library = at(ready="{stable_for: 10s}")
    for size in (1, 3, 5):
        library.drop("items_growing.csv", csv(ITEMS, items(1, size)))
        assert library.claimed(later=5) == []
    done = library.taken(later=11)
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 5)


def test_a_file_that_grows_after_it_was_claimed_is_refused_and_its_finished_form_is_delivered(library: House) -> None:
    library.drop("items_growing.csv", csv(ITEMS, items(1, 2)))
    [claimed] = library.claimed()
    library.drop("items_growing.csv", GOOD)
    refused(library, library.run(claimed.id), "FILE_CHANGED_IN_READ")
    finished = library.taken()
    assert (finished.state, finished.counts.published) == (State.ACKNOWLEDGED, 5)


def test_a_file_that_is_deleted_before_it_is_read(library: House) -> None:
    library.drop("items_gone.csv", GOOD)
    [claimed] = library.claimed()
    (library.inbox / "items_gone.csv").unlink()
    refused(library, library.run(claimed.id), "FILE_GONE")


def test_the_same_name_with_new_bytes_and_the_same_bytes_with_a_new_name(library: House) -> None:
    first = library.deliver("items_1.csv", GOOD)
    again = library.deliver("items_2.csv", GOOD)
    assert (again.state, again.reason) == (State.DUPLICATE, "FILE_DUPLICATE")
    assert f"De samme bytes er modtaget før ({first.id})" in library.receipt(again)
    mended = library.deliver("items_1.csv", csv(ITEMS, [*items(1, 4), item(5, price="1.00")]))
    assert (mended.state, mended.counts.changed, mended.counts.unchanged) == (State.ACKNOWLEDGED, 1, 4)
    assert tells(library.receipt(mended), "FILE_REDELIVERED", "da")
    assert len(library.rows("item")) == 5


def test_a_done_file_that_comes_first_waits_for_its_data(at: Make) -> None:
    library = at(ready='{done_file: "{name}.done"}')
    library.drop("items_1.csv.done", b"")
    assert library.claimed(later=60) == []
    library.drop("items_1.csv", GOOD)
    assert library.claimed() == [], "the marker is older than the file: it may be the last delivery's"
    done = library.taken(later=31)
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 5)
    assert list(library.inbox.glob("*.csv*")) == [], "the marker is archived with its file"


def test_a_missing_done_file_is_told_once_and_the_file_goes_on_waiting(at: Make) -> None:
    library = at(ready='{done_file: "{name}.done", overdue_after: 30 min}', language="nl")
    library.drop("items_1.csv", GOOD)
    assert library.claimed(later=60) == []
    told = library.taken(later=1800)
    refused(library, told, "FILE_DONE_MISSING")
    assert "wacht op zijn markering items_1.csv.done" in library.receipt(told)
    assert (library.inbox / "items_1.csv").exists()
    assert library.claimed(later=3600) == [], "told once"
    library.drop("items_1.csv.done", b"")
    done = library.taken()
    assert (done.state, done.counts.published, done.table) == (State.ACKNOWLEDGED, 5, "item")


def test_a_done_file_whose_data_never_comes_is_told_once(at: Make) -> None:
    library = at(ready='{done_file: "{name}.done", overdue_after: 30 min}', language="sv")
    library.drop("items_1.csv.done", b"")
    assert library.claimed() == []
    refused(library, library.taken(later=1801), "FILE_DATA_MISSING")
    assert library.claimed(later=3600) == []


def test_a_file_with_a_header_and_no_row_is_taken_in_as_nothing(library: House) -> None:
    done = library.deliver("loans_1.csv", csv(LOANS, []))
    assert (done.state, done.counts.in_) == (State.ACKNOWLEDGED, 0)
