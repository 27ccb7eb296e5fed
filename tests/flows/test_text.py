"""Damaged text: each fault costs its own record, has its reason in the receipt, and its bytes are kept; all other rows are delivered."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from include.engine.delivery import Delivery, State
from include.engine.reasons import LANGUAGES
from tests.flows.conftest import Make
from tests.flows.files import ITEMS, csv, item, items
from tests.house import House, refused, tells

DAMAGED = {
    "CHARSET_WRONG": "901,t901,B901,Højbjerg,BK,2020-01-01,99.00\n".encode("latin-1"),
    "NUL_IN_TEXT": b"902,t902,B902,MA\0IN,BK,2020-01-01,99.00\n",
    "ROW_RAGGED": b"903,t903,B903\n",
    "QUOTE_UNCLOSED": b'904,t904,B904,"MAIN,BK,2020-01-01,99.00\n',
    "FORMULA_IN_CELL": b"905,t905,B905,=HYPERLINK(1),BK,2020-01-01,99.00\n",
    "HEADER_REPEATED": ITEMS.encode() + b"\n",
    "DATE_UNREADABLE": b"906,t906,B906,MAIN,BK,20261301,99.00\n",
    "NUMBER_UNREADABLE": b"907,t907,B907,MAIN,BK,2020-01-01,many\n",
}


@dataclass(frozen=True)
class Damaged:
    library: House
    done: Delivery


@pytest.fixture(scope="module")
def damaged(shared: Make) -> Damaged:
    """A file with a byte order mark and mixed line ends in which every fault stands between good rows."""
    library = shared()
    whole = b"\xef\xbb\xbf" + csv(ITEMS, items(1, 300), end="\r\n")
    for number, row in enumerate(DAMAGED.values()):
        whole += row + csv(ITEMS, items(401 + number, 1)).split(b"\n", 1)[1]
    return Damaged(library, library.deliver("items_damaged.csv", whole))


def test_every_good_row_is_delivered_and_every_record_accounted_for(damaged: Damaged) -> None:
    done = damaged.done
    assert done.state == State.ACKNOWLEDGED
    assert (done.counts.in_, done.counts.published, done.counts.quarantined) == (316, 308, 8)
    assert done.counts.balanced()
    assert len(damaged.library.rows("item")) == 308


@pytest.mark.parametrize("code", DAMAGED)
def test_a_fault_is_set_aside_with_its_bytes_and_said_in_four_languages(damaged: Damaged, code: str) -> None:
    assert damaged.library.kept(damaged.done)[code] == [DAMAGED[code]]
    for language in LANGUAGES:
        receipt = damaged.library.receipt_in(damaged.done, language)
        assert tells(receipt, code, language), receipt


def test_a_receipt_leads_to_the_record_and_shows_its_value_in_the_partners_language(damaged: Damaged) -> None:
    receipt = damaged.library.receipt(damaged.done)
    assert "316 poster: 308 modtaget, 8 lagt til side" in receipt
    assert "acquired_on er 20261301: ikke en dato eller et tidspunkt (dette bibliotek skriver YYYY-MM-DD, YYYY-MM-DD hh:mm:ss)" in receipt
    told = damaged.library.receipt_json(damaged.done)
    places = {line["reason"]: line["record"] for group in told["groups"] for line in group["lines"]}
    assert places == {code: 301 + 2 * number for number, code in enumerate(DAMAGED)}


def test_no_english_is_left_in_a_receipt_of_another_language(damaged: Damaged) -> None:
    for language in ("da", "sv", "nl"):
        words = set(damaged.library.receipt_in(damaged.done, language).lower().split())
        assert not words & {"the", "and", "with", "of", "not", "expected", "records", "accepted", "mend"} - (
            {"records", "of"} if language == "nl" else set()
        )


def test_a_header_with_a_column_twice_is_refused(library: House) -> None:
    done = library.deliver("items_header.csv", csv(ITEMS.replace("barcode", "itemnumber"), items(1, 3)))
    refused(library, done, "HEADER_DUPLICATE")
    assert "kolonnen itemnumber står mere end én gang" in library.receipt(done)
    assert library.landed(done).startswith(b"itemnumber,biblionumber,itemnumber")
    assert done.counts.in_ == 0


def test_a_formula_that_only_wraps_a_number_is_read_and_said(library: House) -> None:
    done = library.deliver("items_wrapped.csv", csv(ITEMS, [item(1).replace("B00001", '="00001"')]))
    assert (done.state, library.rows("item")[0]["barcode"]) == (State.ACKNOWLEDGED, "00001")
    assert tells(library.receipt(done), "FORMULA_UNWRAPPED", "da")


def test_too_many_bad_rows_block_the_whole_and_the_receipt_shows_them(library: House) -> None:
    done = library.deliver("items_many.csv", csv(ITEMS, [*items(1, 1100), *["torn"] * 100]))
    refused(library, done, "TOO_MANY_SET_ASIDE")
    receipt = library.receipt(done)
    assert "100 af 1.200 rækker ville blive sat til side, mere end de 5%" in receipt
    assert "1.200 poster: 0 modtaget, 100 lagt til side, 1.100 holdt tilbage" in receipt
    assert "(og 80 til)" in receipt
    assert len(library.kept(done)["ROW_RAGGED"]) == 100
    assert library.rows("item") == []
