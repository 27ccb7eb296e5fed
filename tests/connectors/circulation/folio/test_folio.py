"""FOLIO as the library system: what it answers, refuses, lets override, and fails at."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.circulation.backend import Away, Unsure
from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Note, Outcome, Pay, Renew, Request, Reserve
from connectors.circulation.folio import Folio, cql
from include.sandbox.servers.folio.rest import _CONDITION, _fits
from include.sandbox.servers.ils.state import Debt
from tests.connectors.circulation.folio.conftest import Site

ME = Credentials("c1", "1234")


def _lend(site: Site, item: str = "b1", card: str = "c1", **more: object) -> Checkout:
    return Checkout("k", site.clock(), "main", patron=Credentials(card), item=item, **more)  # type: ignore[arg-type]


def _do(site: Site, *requests: Request, **settings: object) -> list[Outcome]:
    async def work(folio: Folio) -> list[Outcome]:
        return [await folio.perform(request) for request in requests]

    return site.run(work, **settings)


def test_a_loan_costs_one_call_after_the_kiosk_has_greeted(site: Site) -> None:
    async def work(folio: Folio) -> None:
        await folio.patron(ME)
        site.calls()
        first = await folio.perform(_lend(site))
        assert (first.ok, first.due, first.item and first.item.title) == (True, site.library.loans["b1"].due, "One book")
        assert site.calls() == ["POST /circulation/check-out-by-barcode"]
        assert (await folio.perform(Checkin("k", site.clock(), "main", item="b1"))).ok
        assert site.calls() == ["POST /circulation/check-in-by-barcode"]

    site.run(work)


def test_a_patron_is_asked_for_once_while_a_kiosk_greets_them(site: Site) -> None:
    _do(site, _lend(site), Reserve("k", site.clock(), "main", patron=ME, item="d1", pickup="north"))
    site.library.debts[9] = Debt(9, site.library.patrons[1], Decimal("10.50"), Decimal("10.50"), title="Late")
    site.calls()

    async def work(folio: Folio) -> None:
        one, two = await asyncio.gather(folio.patron(ME), folio.patron(ME))
        assert one == two and one is not None and one.pin_right is True
        assert ([loan.item for loan in one.loans], [hold.pickup for hold in one.holds], one.owes) == (["b1"], ["north"], Decimal("10.50"))
        assert (one.name, one.category, one.loans_limit) == ("Reader One", "adult", 4)
        asked = site.calls()
        assert sorted(set(asked)) == sorted(asked) and len(asked) == 8, asked
        assert await folio.patron(ME) == one
        assert site.calls() == []

    site.run(work)


def test_pins_are_asked_of_folio_and_a_right_one_is_remembered(site: Site) -> None:
    async def work(folio: Folio) -> list[bool | None]:
        found = [await folio.patron(Credentials("c1", pin), whole=False) for pin in ("1234", "1234", "4321", None)]
        assert sum("pin" in call for call in site.calls()) == 2
        assert (await folio.perform(Checkout("k", site.clock(), "main", patron=Credentials("c1", "9"), item="b1"))).reason == "PIN_WRONG"
        return [one.pin_right if one else None for one in found]

    assert site.run(work) == [True, True, False, None]
    assert site.run(lambda folio: folio.patron(ME, whole=False), pin="none").pin_right is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("item", "card", "reason"),
    [
        ("r1", "c1", "ITEM_NOT_FOR_LOAN"),
        ("b1", "c3", "CARD_EXPIRED"),
        ("none", "c1", "ITEM_UNKNOWN"),
        ("b1", "none", "CARD_UNKNOWN"),
    ],
)
def test_refusals_are_told_in_our_words(site: Site, item: str, card: str, reason: str) -> None:
    assert [(one.ok, one.reason) for one in _do(site, _lend(site, item, card))] == [(False, reason)]


def test_what_stands_in_the_way_of_a_loan(site: Site) -> None:
    _do(site, _lend(site, card="c2"))
    assert _do(site, _lend(site))[0].reason == "ITEM_ON_LOAN"
    site.library.take_back(site.library.copies["b1"], "main")
    site.library.reserve(site.library.patrons[2], 1, "main", site.library.copies["b1"])
    assert _do(site, _lend(site))[0].reason == "ITEM_HELD"
    site.library.debts[9] = Debt(9, site.library.patrons[1], Decimal(150), Decimal(150))
    assert _do(site, _lend(site, "d1"))[0].reason == "OWES_TOO_MUCH"
    told = site.run(lambda folio: folio.patron(ME))
    assert told is not None and told.blocks == ("OWES_TOO_MUCH",)
    site.library.patrons[1].restricted = True
    assert _do(site, _lend(site, "d1"))[0].reason == "CARD_BLOCKED"


def test_the_patron_s_own_loan_is_renewed_where_that_is_allowed(site: Site) -> None:
    _do(site, _lend(site))
    assert _do(site, _lend(site))[0].reason == "LENT_TO_YOU"
    site.clock.on(days=3)
    again = _do(site, _lend(site, renewal_allowed=True))[0]
    assert (again.ok, again.renewed, again.due) == (True, True, site.library.loans["b1"].due)
    mine = [Renew("k", site.clock(), "main", patron=ME, item=item) for item in ("b1", "b1", "b2")]
    assert [(one.ok, one.reason) for one in _do(site, *mine)] == [(True, ""), (False, "TOO_MANY_RENEWALS"), (False, "NOT_LENT")]
    assert _do(site, Renew("k", site.clock(), patron=Credentials("c2"), item="b1"))[0].reason == "NOT_LENT_TO_YOU"


def test_everything_is_renewed_as_far_as_each_may_be(site: Site) -> None:
    _do(site, _lend(site), _lend(site, "d1"))
    site.library.reserve(site.library.patrons[2], 2, "main")
    found = _do(site, Renew("k", site.clock(), patron=ME))[0]
    assert (found.done, found.not_done) == (("b1",), ("d1",))


def test_a_return_says_where_the_item_goes(site: Site) -> None:
    _do(site, _lend(site), _lend(site, "b2"), _lend(site, "d1"))
    site.library.reserve(site.library.patrons[2], 2, "north")
    back = [Checkin("k", site.clock(), "main", item=item) for item in ("b1", "b2", "d1", "b1", "none")]
    home, north, held, twice, unknown = _do(site, *back)
    assert [(one.ok, one.reason, one.route) for one in (home, north, held, twice, unknown)] == [
        (True, "", ""), (True, "OTHER_BRANCH", "north"), (True, "HOLD_WAITING", "north"), (True, "NOT_LENT", ""), (False, "ITEM_UNKNOWN", ""),
    ]  # fmt: skip
    assert held.waiting is not None and held.waiting.name == "Reader Two"


def test_a_loan_is_taken_back_but_a_return_is_not(site: Site) -> None:
    undone, other = _do(site, _lend(site), _lend(site, undo=True), _lend(site, undo=True))[1:]
    assert (undone.ok, other.reason, site.library.loans) == (True, "NOT_LENT", {})
    assert _do(site, Checkin("k", site.clock(), "main", item="b1", undo=True))[0].reason == "TERMINAL_CANNOT"


def test_holds_are_placed_moved_and_cancelled(site: Site) -> None:
    def asked(change: str, pickup: str = "", item: str = "b1") -> Reserve:
        return Reserve("k", site.clock(), "main", patron=ME, change=change, item=item, pickup=pickup)  # type: ignore[arg-type]

    placed, again, moved, gone, none = _do(
        site, asked("add", "north"), asked("add"), asked("alter", "main"), asked("delete"), asked("delete")
    )
    assert placed.hold is not None and (placed.hold.pickup, placed.hold.position) == ("north", 1)
    assert (again.reason, moved.hold and moved.hold.pickup, gone.ok, none.reason) == ("HELD_BY_YOU", "main", True, "HOLD_UNKNOWN")
    number = _do(site, asked("add", "north"))[0].hold
    assert number is not None and number.placed == site.clock()
    by_number = Reserve("k", site.clock(), patron=ME, change="delete", hold=number.hold)
    assert [one.ok for one in _do(site, by_number, by_number)] == [True, False]


def test_money_is_written_down_once_and_found_again(site: Site) -> None:
    site.library.debts[9] = Debt(9, site.library.patrons[1], Decimal(50), Decimal(50))
    asked = Pay("k", site.clock(), "main", "key1", patron=ME, amount=Decimal("20.00"), currency="DKK", transaction="T1")
    paid = _do(site, asked)[0]
    assert (paid.ok, paid.transaction, site.library.debts[9].left) == (True, "T1", Decimal(30))
    found = site.run(lambda folio: folio.happened(asked, site.clock()))
    assert found is not None and found.ok
    over = _do(site, Pay("k", site.clock(), "main", patron=ME, amount=Decimal(99)))[0]
    assert (over.reason, over.fee, site.library.debts[9].left) == ("PAID_TOO_MUCH", Decimal(69), Decimal(0))


def test_a_machine_blocks_a_card_and_lifts_its_own_block_alone(site: Site) -> None:
    block, lift = Block("k", site.clock(), patron=ME), Block("k", site.clock(), patron=ME, blocked=False)
    assert [one.ok for one in _do(site, block, block)] == [True, True]
    told = site.run(lambda folio: folio.patron(ME))
    assert told is not None and told.blocks == ("CARD_BLOCKED",)
    assert _do(site, lift)[0].ok and not site.library.patrons[1].restricted
    assert _do(site, Note("k", site.clock(), item="b1"))[0].reason == "TERMINAL_CANNOT"


def test_what_a_machine_did_alone_is_insisted_upon_and_known_again(site: Site) -> None:
    _do(site, _lend(site, card="c2"))
    site.clock.on(hours=1)
    alone = _lend(site, no_block=True)
    site.clock.on(minutes=5)
    first, again = _do(site, alone, alone)
    assert (first.ok, first.reason, again.ok, again.reason) == (True, "ITEM_ON_LOAN", True, "")
    assert (site.library.lent, site.library.loans["b1"].at) == ([("c2", "b1"), ("c1", "b1")], alone.at)
    late = Checkin("k", site.clock() - timedelta(hours=3), "main", item="b1", no_block=True, returned=site.clock() - timedelta(hours=3))
    assert _do(site, late)[0].reason == "RETURNED_BEFORE"
    site.library.patrons[1].restricted = True
    assert (lambda one: (one.ok, one.reason))(_do(site, _lend(site, "r1", no_block=True))[0]) == (True, "CARD_BLOCKED")
    assert _do(site, _lend(site, "d1", "c3", no_block=True))[0].reason == "CARD_EXPIRED"  # nothing overrides that


class TestFaults:
    def test_an_expired_token_is_replaced_without_anybody_noticing(self, site: Site) -> None:
        async def work(folio: Folio) -> None:
            await folio.patron(ME)
            site.faults.set("token_expires")
            assert (await folio.perform(_lend(site))).ok

        site.run(work)
        assert site.faults.taken["token_expires"] == 1

    @pytest.mark.parametrize("fault", ["change_error", "change_hangs", "change_cut"])
    def test_a_change_without_an_answer_may_be_done_and_is_found(self, site: Site, fault: str) -> None:
        site.faults.seconds = 0.4
        site.faults.set(fault)
        asked = _lend(site)

        async def work(folio: Folio) -> Outcome | None:
            with pytest.raises(Unsure):
                await folio.perform(asked)
            await asyncio.sleep(0.3)
            return await folio.happened(asked, site.clock())

        found = site.run(work, call_seconds=0.25)
        assert found is not None and found.ok and found.due == site.library.loans["b1"].due
        assert site.library.lent == [("c1", "b1")]

    def test_a_return_and_a_renewal_without_an_answer_are_found(self, site: Site) -> None:
        _do(site, _lend(site))
        site.clock.on(days=1)
        for asked in (Renew("k", site.clock(), "main", patron=Credentials("c1"), item="b1"), Checkin("k", site.clock(), "main", item="b1")):

            async def work(folio: Folio, asked: Request = asked) -> Outcome | None:
                assert await folio.happened(asked, site.clock()) is None
                site.faults.set("change_error")
                with pytest.raises(Unsure):
                    await folio.perform(asked)
                return await folio.happened(asked, site.clock())

            found = site.run(work)
            assert found is not None and found.ok

    def test_a_question_that_is_not_answered_is_away(self, site: Site) -> None:
        site.faults.set("maintenance", 1)
        with pytest.raises(Away) as error:
            site.run(lambda folio: folio.item("b1"))
        assert not isinstance(error.value, Unsure)

    def test_a_pin_that_cannot_be_checked_is_a_question_without_an_answer(self, site: Site) -> None:
        site.faults.set("change_error")
        with pytest.raises(Away) as error:
            _do(site, Renew("k", site.clock(), "main", patron=ME, item="b1"))
        assert not isinstance(error.value, Unsure)

    def test_a_wrong_tenant_or_login_is_told(self, site: Site) -> None:
        with pytest.raises(Away, match="404"):
            site.run(lambda folio: folio.item("b1"), tenant="another")


@given(st.text(max_size=30))
def test_a_card_is_never_read_as_a_query(card: str) -> None:
    found = _CONDITION.findall(cql.both(cql.same("barcode", card), cql.OPEN_LOAN))
    assert [field for field, _, _ in found] == ["barcode", "status.name"]
    assert _fits(card, "==", found[0][2]) or card.endswith("*")
