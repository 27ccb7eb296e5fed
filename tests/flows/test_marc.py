"""Damaged MARC: what loses nothing is repaired and said; what cannot be read costs only its own record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.engine.delivery import Delivery, State
from include.engine.ledger import quarantined
from include.engine.quarantine import store
from include.engine.reasons import LANGUAGES, reason
from tests.connectors.ils.marc_records import iso, item
from tests.flows.conftest import Make
from tests.flows.files import zipped
from tests.house import House, tells

NAME = "Højbjerg"
MARC8 = b"H\xb2jbjerg"
OVERSIZE = [("500", b"  \x1fa" + b"x" * 9000) for _ in range(12)]
REPAIRED: dict[str, bytes] = {
    "MARC_LENGTH_WRONG": b"00099" + iso("length")[5:],
    "MARC_TERMINATOR_MISSING": iso("terminator")[:-1],
    "MARC_OVERSIZE": iso("oversize", extra=OVERSIZE),
    "MARC_MARC8_DECLARED_UTF8": iso("marc8", title=MARC8, coding="a"),
    "MARC_UTF8_DECLARED_MARC8": iso("utf8", title=NAME.encode(), coding=" "),
}
UNREADABLE: dict[str, bytes] = {
    "MARC_LEADER_INVALID": iso("leader").replace(b"nam", b"n\xe5m", 1),
    "MARC_CHARSET_WRONG": iso("charset", title=b"\x80\xff\xfe", coding="a"),
}
TRUNCATED = iso("truncated")[:-40]
#: Samples whose records have no control number (001): none can be told from another, so none is taken in.
NUMBERLESS = {"mrrc__10k_records.mrc", "Evergreen__nepali.marc"}
SAMPLES = Path(os.environ.get("MARC_SAMPLES", Path(__file__).parents[3] / "shared" / "samples" / "marc"))
FILES = sorted(SAMPLES.glob("*")) if SAMPLES.is_dir() else []


@pytest.fixture(scope="module")
def damaged(shared: Make) -> tuple[House, Delivery]:
    """One file in which each fault stands between good records, and the last record is cut off."""
    library = shared()
    whole = iso("g0", extra=[item("i0")])
    for number, fault in enumerate([*REPAIRED.values(), *UNREADABLE.values()], start=1):
        whole += fault + iso(f"g{number}", extra=[item(f"i{number}")])
    return library, library.deliver("bib_damaged.mrc", whole + TRUNCATED)


def test_all_good_and_all_repaired_records_are_delivered_with_their_items(damaged: tuple[House, Delivery]) -> None:
    library, done = damaged
    assert done.state == State.ACKNOWLEDGED
    assert (done.counts.in_, done.counts.published, done.counts.quarantined) == (16, 13, 3)
    titles = {row["control_number"]: row["title"] for row in library.rows("bibliographic", "control_number")}
    assert titles.keys() == {*(f"g{n}" for n in range(8)), "length", "terminator", "oversize", "marc8", "utf8"}
    assert titles["marc8"] == titles["utf8"] == NAME
    assert {row["item_id"] for row in library.rows("item")} == {f"i{n}" for n in range(8)}


@pytest.mark.parametrize("code", REPAIRED)
def test_a_repair_is_said_in_four_languages(damaged: tuple[House, Delivery], code: str) -> None:
    library, done = damaged
    assert done.facts["warnings"][code] >= 1
    for language in LANGUAGES:
        assert tells(library.receipt_in(done, language), code, language)


@pytest.mark.parametrize("code", [*UNREADABLE, "MARC_TRUNCATED"])
def test_what_cannot_be_read_is_set_aside_with_its_bytes_and_said_in_four_languages(damaged: tuple[House, Delivery], code: str) -> None:
    library, done = damaged
    assert library.kept(done)[code] == [TRUNCATED if code == "MARC_TRUNCATED" else UNREADABLE[code]]
    for language in LANGUAGES:
        assert tells(library.receipt_in(done, language), code, language)


def test_an_item_that_cannot_be_read_is_set_aside_and_its_record_goes_on_and_counts_once(library: House) -> None:
    bad = ("952", item("i2")[1] + b"\x1fdyesterday")
    done = library.deliver("bib_item.mrc", iso("b1", extra=[item("i1"), bad]) + iso("b2", extra=[item("i3")]))
    assert (done.state, done.counts.in_, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 2, 2, 0)
    assert {row["item_id"] for row in library.rows("item")} == {"i1", "i3"}
    assert done.facts["derived"] == {"item": {"rows": 3, "set_aside": 1}}
    assert "acquired_on er yesterday" in library.receipt(done)


@pytest.mark.skipif(not FILES, reason="the public MARC samples are not at hand (MARC_SAMPLES names their folder)")
def test_every_sample_file_goes_through_the_flow_and_each_record_is_published_or_set_aside_with_its_reason(shared: Make) -> None:
    library = shared()
    packed: dict[str, dict[str, bytes]] = {"bib_samples.zip": {}, "auth_samples.zip": {}}
    for file in FILES:
        if file.name in NUMBERLESS:
            packed[f"bib_{file.name}.zip"] = {file.name: file.read_bytes()}
        else:
            packed[f"{'auth' if 'auth-' in file.name else 'bib'}_samples.zip"][file.name] = file.read_bytes()
    for name, files in packed.items():
        done = library.deliver(name, zipped(files))
        aside = quarantined.find(library.engine.ledger, delivery_id=done.id, limit=100_000)
        inside = sum(part["set_aside"] for part in done.facts["derived"].values()) if "derived" in done.facts else 0
        assert len(aside) == done.counts.quarantined + inside
        assert {reason(one.reason).kind for one in aside} <= {"record"}
        if all(file in NUMBERLESS for file in files):
            assert (done.state, done.reason, done.counts.published) == (State.BLOCKED, "TOO_MANY_SET_ASIDE", 0)
        else:
            assert done.state == State.ACKNOWLEDGED, done.message
            assert done.counts.in_ == done.counts.published + done.counts.quarantined + done.counts.filtered
        for one in aside[:: max(1, len(aside) // 50)]:
            [raw] = store.read(library.engine.home, one.blob_uri, library.engine.keys, [one.blob_row]).column("raw").to_pylist()
            assert raw == files[one.member][one.offset : one.offset + one.length], "the original bytes are kept"
    assert len(library.rows("bibliographic", "control_number")) > 1000
