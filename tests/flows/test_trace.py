"""Where something went: titles, patrons, files and bytes through deliveries and hand-offs, in and out."""

from __future__ import annotations

import pyarrow as pa
import pytest

from include.engine import clock
from include.engine.delivery import Delivery, NewDelivery, State, delivery_id
from include.engine.ledger import claims, deliveries, manifests
from include.engine.ledger.manifests import Versions
from include.engine.outbound.settled import settle
from include.engine.replay import replay
from include.engine.trace import Traced, card_pseudonym, control_number, file_named, hashed, isbn, merged, pseudonym
from tests.connectors.ils.marc_records import iso
from tests.flows.conftest import Make
from tests.flows.files import LOANS, PATRONS, csv, loan
from tests.house import House

ISBN = ("020", b"  \x1fa978-87-00-00000-2")


def ids(found: Traced) -> list[tuple[str, str]]:
    return [(one.delivery.id, one.direction) for one in found.passages]


@pytest.fixture(scope="module")
def lived(shared: Make) -> tuple[House, dict[str, Delivery]]:
    """A title that came twice, another in between, patrons with cards, and their loans."""
    house = shared()
    done = {
        "first": house.deliver("bib_1.mrc", iso("t1", extra=[ISBN]) + iso("t2")),
        "other": house.deliver("bib_2.mrc", iso("t3")),
        "second": house.deliver("bib_3.mrc", iso("t1", title=b"Anden udgave", extra=[ISBN])),
        "patrons": house.deliver("patrons_1.csv", csv(PATRONS, ["5,2990099,Holm,Anne,1990-01-02,MAIN,A,"])),
        "loans": house.deliver("loans_1.csv", csv(LOANS, [loan(5)])),
    }
    return house, done


def test_a_title_is_followed_through_every_delivery_that_changed_it(lived: tuple[House, dict[str, Delivery]]) -> None:
    house, done = lived
    found = control_number(house.engine, "t1", None)
    assert ids(found) == [(done["first"].id, "in"), (done["second"].id, "in")]
    assert found.passages[0].tables["bibliographic"] == {1}
    assert ids(isbn(house.engine, "9788700000002", None)) == ids(found)
    assert ids(control_number(house.engine, "t9", None)) == []
    assert ids(isbn(house.engine, "9780000000000", None)) == []


def test_nothing_of_another_partner_is_found(lived: tuple[House, dict[str, Delivery]]) -> None:
    house, done = lived
    for partners in (frozenset[str](), frozenset({"lindeby"})):
        assert ids(control_number(house.engine, "t1", partners)) == []
        assert ids(isbn(house.engine, "9788700000002", partners)) == []
        assert ids(file_named(house.engine, "bib_1.mrc", partners)) == []
        assert ids(hashed(house.engine, done["first"].content_hash or "", partners)) == []
    assert len(ids(control_number(house.engine, "t1", frozenset({"havnsund"})))) == 2


def test_a_card_becomes_its_pseudonym_and_leads_to_the_patrons_deliveries(lived: tuple[House, dict[str, Delivery]]) -> None:
    house, done = lived
    name = card_pseudonym(house.engine, "havnsund", " 2990099 ")
    assert name is not None and "2990099" not in name
    found = pseudonym(house.engine, name, frozenset({"havnsund"}))
    assert {id for id, _ in ids(found)} == {done["patrons"].id} | ({done["loans"].id} if _borrowed(house) else set())
    assert card_pseudonym(house.engine, "lindeby", "2990099") is None
    assert card_pseudonym(house.engine, "havnsund", "  ") is None
    assert ids(pseudonym(house.engine, "0" * 32, None)) == []


def _borrowed(house: House) -> bool:
    patrons = {row["patron"] for row in house.rows("patron", "patron") if not row["placeholder"]}
    return any(row["patron"] in patrons for row in house.rows("loan"))


def test_a_file_and_its_bytes_are_found_with_their_replays(lived: tuple[House, dict[str, Delivery]]) -> None:
    house, done = lived
    again = replay(house.engine, done["other"].id, who="ida")
    assert house.run(house.claimed()[0].id).id == again.id
    by_file, by_hash = file_named(house.engine, "bib_2.mrc", None), hashed(house.engine, done["other"].content_hash or "", None)
    assert ids(by_file) == ids(by_hash) == [(done["other"].id, "in"), (again.id, "in")]
    assert ids(merged([by_file, by_hash, control_number(house.engine, "t3", None)])) == ids(by_file)
    assert ids(file_named(house.engine, "%", None)) == []


def test_an_empty_lake_has_nothing(library: House) -> None:
    assert ids(control_number(library.engine, "t1", None)) == []
    assert ids(isbn(library.engine, "978", None)) == []
    assert ids(pseudonym(library.engine, "0" * 32, frozenset({"havnsund"}))) == []


def test_a_loan_is_followed_out_to_whom_it_was_sent_and_who_read_the_lake_since(at: Make) -> None:
    house = at()
    came = house.deliver("loans_1.csv", csv(LOANS, [loan(5)]))
    [patron] = {row["patron"] for row in house.rows("loan")}
    sent, read, early = (_sent(house, flow, pins) for flow, pins in (("adhl_upload", came), ("crm_sync", came), ("crm_mailing", None)))
    rows = pa.RecordBatch.from_pylist(
        [{"record": "loan 5", "outcome": "sent", "digest": 1}, {"record": "loan 6", "outcome": "sent", "digest": 1}]
    )
    versions = settle(house.engine, sent, lambda: iter([rows]), lambda: None)
    manifests.pin(house.engine.ledger, sent.id, {"settled": Versions(versions.version_before, versions.version_after)})
    found = {passage.delivery.id: passage for passage in pseudonym(house.engine, patron, None).passages}
    assert {id: (one.direction, one.read) for id, one in found.items()} == {
        came.id: ("in", False),
        sent.id: ("out", False),
        read.id: ("out", True),
    }
    assert early.id not in found


def _sent(house: House, flow: str, came: Delivery | None) -> Delivery:
    """An outbound delivery that has been received; it read the lake as `came` left it, or before."""
    ledger = house.engine.ledger
    new = NewDelivery(delivery_id("havnsund", flow, clock.now(), "", 0, 0), "havnsund", flow, "", clock.now())
    deliveries.see(ledger, new)
    claims.claim(ledger, new.id)
    token = claims.take(ledger, new.id, "select")
    pins = {} if came is None else {"loan": manifests.of(ledger, came.id)[0].tables["loan"].after}
    for state in (State.STAGED, State.GATED, State.PUBLISHED):
        done = claims.advance(ledger, token, state, pins=pins)
    return done
