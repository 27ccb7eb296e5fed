"""Whatever is in a message, the answer is valid by the schema of its version, and nothing breaks."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.circulation.embedded.backend import opened
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.ncip.answering import KNOWN
from include.engine.crypto.keys import MemoryKeyStore
from tests.connectors.circulation.ncip.asking import Caller, caller, message, pair

CARDS, ITEMS = ["c1", "c2", "nobody", ""], ["b1", "b2", "x9", "ILLR", ""]
STRANGE = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12)
MOMENTS = st.sampled_from(["2026-11-20T12:00:00+01:00", "2026-11-20", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "soon", ""])


def _leaf(name: str, texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return texts.map(lambda text: f"<{name}>{escape(text)}</{name}>")


def _inside(name: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda found: f"<{name}>{''.join(found)}</{name}>")


CARD, ITEM, ANY = st.sampled_from(CARDS) | STRANGE, st.sampled_from(ITEMS) | STRANGE, STRANGE
KINDS = ["Name Information", "User Address Information", "Date Of Birth", "User Privilege", "Block Or Trap", "User Id", "Visible User Id",
         "User Language", "Bibliographic Description", "Circulation Status", "Location", "Hold Queue Length"]  # fmt: skip


def _parts(old: bool) -> st.SearchStrategy[str]:
    """The parts of a message, each of a kind that some service reads, with good and strange values."""
    prefix = "Unique" if old else ""
    kind = st.sampled_from(KINDS) | ANY
    element = st.tuples(st.sampled_from(["User", "Item"]), kind).map(
        lambda one: f"<{one[0]}ElementType>{pair(escape(one[1]), old)}</{one[0]}ElementType>"
    )
    proofs = st.tuples(st.sampled_from(["User Id", "PIN", "Barcode Id", "?"]), CARD | st.just("1234")).map(
        lambda one: (
            f"<AuthenticationInput><AuthenticationInputData>{escape(one[1])}</AuthenticationInputData>"
            f"<AuthenticationInputType>{pair(one[0], old)}</AuthenticationInputType></AuthenticationInput>"
        )
    )
    fiscal = _inside(
        "FiscalTransactionInformation", _leaf("FiscalActionType", st.just("Payment") | ANY),
        _inside("FiscalTransactionReferenceId", _leaf("FiscalTransactionIdentifierValue", ANY)),
        _inside("Amount", _leaf("CurrencyCode", st.just("DKK") | ANY), _leaf("MonetaryValue", st.sampled_from(["500", "-1", "1e9", "9" * 40, "x"]))),
    )  # fmt: skip
    return st.one_of(
        _inside(f"{prefix}UserId", _leaf("UserIdentifierValue", CARD)), _inside(f"{prefix}ItemId", _leaf("ItemIdentifierValue", ITEM)),
        _inside(f"{prefix}RequestId", _leaf("RequestIdentifierValue", ANY)), proofs, element, fiscal,
        _inside("BibliographicId", _inside("BibliographicRecordId", _leaf("BibliographicRecordIdentifier", st.just("t1") | ANY))),
        _inside("NameInformation", _inside("PersonalNameInformation", _leaf("UnstructuredPersonalUserName", ANY))),
        _inside("ItemOptionalFields", _inside("BibliographicDescription", _leaf("Title", ANY))),
        st.sampled_from(["AddUserFields", "DeleteUserFields"]).flatmap(lambda name: _inside(name, st.sampled_from(["<BlockOrTrap/>", "<x/>", ""]))),
        _inside("MandatedAction", _leaf("DateEventOccurred", MOMENTS)), _leaf("PickupLocation", ANY),
        st.sampled_from(["DesiredDateDue", "NeedBeforeDate", "PickupExpiryDate", "DateOfBirth"]).flatmap(lambda name: _leaf(name, MOMENTS)),
        st.sampled_from(["<LoanedItemsDesired/>", "<RequestedItemsDesired/>", "<UserFiscalAccountDesired/>"]),
    )  # fmt: skip


@pytest.fixture(scope="module")
def asker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """A library that goes on from message to message, as libraries do."""
    library = opened(tmp_path_factory.mktemp("any") / "circulation", MemoryKeyStore(), Rules())
    library.store.fill("patron", [{"patron": "p1", "name": "A & <B>", "municipality": "101", "home_library": "main"}, {"patron": "p2"}])
    library.store.fill("card", [{"card": "c1", "patron": "p1"}, {"card": "c2", "patron": "p2"}])
    library.store.fill(
        "item", [{"item": name, "title_id": "t1", "title": "Øl & <vin>", "owner": "north", "location": "main"} for name in ("b1", "b2")]
    )
    library.commit()
    from include.engine import clock

    with caller(library, clock.now) as found:
        yield found
    library.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_any_parts_in_any_service_get_a_valid_answer(asker: Caller, data: st.DataObject) -> None:
    old, service = data.draw(st.booleans()), data.draw(st.sampled_from(sorted(KNOWN)))
    parts = data.draw(st.lists(_parts(old), max_size=7))
    answer = asker.post(message(f"<{service}>{''.join(parts)}</{service}>", old=old))  # which checks it against the schema
    assert answer.status_code == 200, answer.text
