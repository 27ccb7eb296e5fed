"""Damaged MARC: what loses nothing is repaired and said; what cannot be read costs only its own record."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from include.engine.delivery import Delivery, State
from include.engine.reasons import LANGUAGES, reason
from tests.connectors.ils.marc_records import iso, item
from tests.flows.conftest import Make
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
    for file in FILES:
        kind = "auth" if "auth-" in file.name else "bib"
        library.drop(f"{kind}_{file.name}" if kind == "auth" else f"bib_{file.name}.mrc", file.read_bytes())
    done = library.all_taken()
    assert len(done) == len(FILES)
    outcomes: Counter[str] = Counter()
    for name, one in done.items():
        outcomes[one.state] += 1
        assert one.counts.balanced(), name
        aside = library.kept(one)
        if one.state == State.DUPLICATE:
            continue
        assert one.counts.in_ > 0, name
        assert all(reason(code).kind == "record" for code in aside), (name, list(aside))
        assert all(raw for bytes_kept in aside.values() for raw in bytes_kept), "the original bytes are kept"
        if one.state == State.BLOCKED:
            assert one.reason == "TOO_MANY_SET_ASIDE", (name, one.message)
            assert one.counts.quarantined + one.counts.held + one.counts.filtered == one.counts.in_
        else:
            assert one.state == State.ACKNOWLEDGED, (name, one.state, one.message)
            assert one.counts.published + one.counts.quarantined + one.counts.filtered == one.counts.in_
        told = library.receipt_json(one)
        assert {group["reason"] for group in told["groups"]} == set(aside)
    assert outcomes[State.ACKNOWLEDGED] > 30
