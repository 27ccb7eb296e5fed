"""What every library system behind the sidecar answers alike, whatever its interface looks like."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from connectors.circulation.backend import Away, Unsure
from connectors.circulation.domain import Checkin, Checkout, Credentials, Note, Outcome, Pay, Renew, Reserve
from connectors.circulation.forwarding import Policy
from connectors.circulation.remote.system import System
from include.sandbox.servers.ils.state import Debt
from tests.connectors.circulation.remote.site import ME, Site


def test_a_patron_is_asked_for_once_while_a_kiosk_greets_them(site: Site) -> None:
    site.do(site.lend(), Reserve("k", site.clock(), "main", patron=ME, item="d1", pickup="north"))
    site.library.debts[9] = Debt(9, site.library.patrons[1], Decimal("10.50"), Decimal("10.50"), title="Late")
    site.calls()

    async def work(system: System) -> None:
        one, two = await asyncio.gather(system.patron(ME), system.patron(ME))
        assert one == two and one is not None and one.pin_right is True
        assert ([loan.item for loan in one.loans], [hold.pickup for hold in one.holds], one.owes) == (["b1"], ["north"], Decimal("10.50"))
        assert (one.name, one.category, one.loans_limit) == ("Reader One", "adult", 4)
        asked = site.calls()
        assert sorted(set(asked)) == sorted(asked) and len(asked) == {"koha": 6, "folio": 8}[site.kind], asked
        assert await system.patron(ME) == one
        assert site.calls() == []

    site.run(work)


def test_pins_are_asked_of_the_system_and_a_right_one_is_remembered(site: Site) -> None:
    async def work(system: System) -> list[bool | None]:
        found = [await system.patron(Credentials("c1", pin), whole=False) for pin in ("1234", "1234", "4321", None)]
        assert sum("validation" in call or "pin" in call for call in site.calls()) == 2
        assert (await system.perform(Checkout("k", site.clock(), "main", patron=Credentials("c1", "9"), item="b1"))).reason == "PIN_WRONG"
        return [one.pin_right if one else None for one in found]

    assert site.run(work) == [True, True, False, None]
    assert "b1" not in site.library.loans


@pytest.mark.parametrize(
    ("item", "card", "reason"),
    [("r1", "c1", "ITEM_NOT_FOR_LOAN"), ("b1", "c3", "CARD_EXPIRED"), ("none", "c1", "ITEM_UNKNOWN"), ("b1", "none", "CARD_UNKNOWN")],
)
def test_refusals_are_told_in_our_words(site: Site, item: str, card: str, reason: str) -> None:
    assert [(one.ok, one.reason) for one in site.do(site.lend(item, card))] == [(False, reason)]


def test_the_patron_s_own_loan_is_renewed_where_that_is_allowed(site: Site) -> None:
    site.do(site.lend())
    assert site.do(site.lend())[0].reason == "LENT_TO_YOU"
    site.clock.on(days=3)
    again = site.do(site.lend(renewal_allowed=True))[0]
    assert (again.ok, again.renewed, again.due) == (True, True, site.library.loans["b1"].due)
    mine = [Renew("k", site.clock(), "main", patron=ME, item=item) for item in ("b1", "b1", "b2")]
    assert [(one.ok, one.reason) for one in site.do(*mine)] == [(True, ""), (False, "TOO_MANY_RENEWALS"), (False, "NOT_LENT")]
    assert site.do(Renew("k", site.clock(), patron=Credentials("c2"), item="b1"))[0].reason == "NOT_LENT_TO_YOU"


def test_everything_is_renewed_as_far_as_each_may_be(site: Site) -> None:
    site.do(site.lend(), site.lend("d1"))
    site.library.reserve(site.library.patrons[2], 2, "main")
    found = site.do(Renew("k", site.clock(), patron=ME))[0]
    assert (found.done, found.not_done) == (("b1",), ("d1",))


def test_a_return_says_where_the_item_goes(site: Site) -> None:
    returns_are_answered(site)


def returns_are_answered(site: Site, **more: object) -> None:
    """`more`: settings that say how a return is made."""
    site.do(site.lend(), site.lend("b2"), site.lend("d1"))
    site.library.reserve(site.library.patrons[2], 2, "north")
    back = [Checkin("k", site.clock(), "main", item=item) for item in ("b1", "b2", "d1", "b1", "none")]
    home, north, held, twice, unknown = site.do(*back, **more)
    assert [(one.ok, one.reason, one.route) for one in (home, north, held, twice, unknown)] == [
        (True, "", ""), (True, "OTHER_BRANCH", "north"), (True, "HOLD_WAITING", "north"), (True, "NOT_LENT", ""), (False, "ITEM_UNKNOWN", ""),
    ]  # fmt: skip
    assert held.waiting is not None and held.waiting.name == "Reader Two"
    assert not site.library.loans


def test_a_loan_is_taken_back_but_a_return_is_not_nor_is_a_note_written(site: Site) -> None:
    undone, other = site.do(site.lend(), site.lend(undo=True), site.lend(undo=True))[1:]
    assert (undone.ok, other.reason, site.library.loans) == (True, "NOT_LENT", {})
    for asked in (Checkin("k", site.clock(), "main", item="b1", undo=True), Note("k", site.clock(), item="b1")):
        assert site.do(asked)[0].reason == "TERMINAL_CANNOT"


def test_holds_are_placed_moved_and_cancelled(site: Site) -> None:
    def asked(change: str, pickup: str = "", item: str = "b1") -> Reserve:
        return Reserve("k", site.clock(), "main", patron=ME, change=change, item=item, pickup=pickup)  # type: ignore[arg-type]

    placed, again, moved, gone, none = site.do(
        asked("add", "north"), asked("add"), asked("alter", "main"), asked("delete"), asked("delete")
    )  # fmt: skip
    assert placed.hold is not None and (placed.hold.pickup, placed.hold.position) == ("north", 1)
    assert (again.reason, moved.hold and moved.hold.pickup, gone.ok, none.reason) == ("HELD_BY_YOU", "main", True, "HOLD_UNKNOWN")
    number = site.do(asked("add", "north"))[0].hold
    assert number is not None and number.placed is not None
    by_number = Reserve("k", site.clock(), patron=ME, change="delete", hold=number.hold)
    assert [one.ok for one in site.do(by_number, by_number)] == [True, False]


def test_money_is_written_down_once_and_found_again(site: Site) -> None:
    site.library.debts[9] = Debt(9, site.library.patrons[1], Decimal(50), Decimal(50))
    asked = Pay("k", site.clock(), "main", "key1", patron=ME, amount=Decimal("20.00"), currency="DKK", transaction="T1")
    paid = site.do(asked)[0]
    assert (paid.ok, paid.transaction, site.library.debts[9].left) == (True, "T1", Decimal(30))
    found = site.run(lambda system: system.happened(asked, site.clock()))
    assert found is not None and found.ok
    over = site.do(Pay("k", site.clock(), "main", patron=ME, amount=Decimal(99)))[0]
    assert (over.reason, over.fee, site.library.debts[9].left) == ("PAID_TOO_MUCH", Decimal(69), Decimal(0))


def test_what_a_machine_did_alone_is_insisted_upon_and_known_again(site: Site) -> None:
    site.do(site.lend(card="c2"))
    site.clock.on(hours=1)
    alone = site.lend(no_block=True)
    site.clock.on(minutes=5)
    first, again = site.do(alone, alone)
    assert (first.ok, first.reason, again.ok, again.reason) == (True, "ITEM_ON_LOAN", True, "")
    assert site.library.lent == [("c2", "b1"), ("c1", "b1")]
    late = Checkin("k", site.clock() - timedelta(hours=3), "main", item="b1", no_block=True, returned=site.clock() - timedelta(hours=3))
    assert site.do(late)[0].reason == "RETURNED_BEFORE"
    assert "b1" in site.library.loans
    expired = site.do(site.lend("d1", "c3", no_block=True))[0]
    assert (expired.ok, expired.reason) == (False, "CARD_EXPIRED")  # neither lets that be overruled


def test_an_expired_token_is_replaced_without_anybody_noticing(site: Site) -> None:
    async def work(system: System) -> None:
        await system.patron(ME)
        site.faults.set("token_expires")
        assert (await system.perform(site.lend())).ok

    site.run(work)
    assert site.faults.taken["token_expires"] == 1


@pytest.mark.parametrize("fault", ["change_error", "change_hangs", "change_cut"])
def test_a_loan_without_an_answer_may_be_made_and_is_found(site: Site, fault: str) -> None:
    site.faults.seconds = 1.5
    site.faults.set(fault)
    asked = site.lend()

    async def work(system: System) -> Outcome | None:
        with pytest.raises(Unsure):
            await system.perform(asked)
        while "b1" not in site.library.loans:
            await asyncio.sleep(0.01)
        return await system.happened(asked, site.clock())

    found = site.run(work, **({"call_seconds": 1} if fault == "change_hangs" else {}))
    assert found is not None and found.ok and found.due == site.library.loans["b1"].due
    assert site.library.lent == [("c1", "b1")]


def test_a_question_that_is_not_answered_is_away(site: Site) -> None:
    site.faults.set("maintenance", 1)
    with pytest.raises(Away) as error:
        site.run(lambda system: system.item("b1"))
    assert not isinstance(error.value, Unsure)
    site.faults.set("maintenance", 1)
    assert site.run(lambda system: system.online()) is False
    assert site.run(lambda system: system.online()) is True


def test_a_library_system_that_is_not_there_is_away(site: Site) -> None:
    with pytest.raises(Away, match="no login"):
        site.run(lambda system: system.patron(ME), url="http://127.0.0.1:1")


def test_a_hold_that_was_to_be_moved_is_not_taken_for_moved_because_it_is_there(site: Site) -> None:
    site.do(Reserve("k", site.clock(), "main", patron=ME, item="b1", pickup="main"))
    asked = Reserve("k", site.clock(), "main", patron=Credentials("c1"), change="alter", item="b1", pickup="north")

    assert site.run(lambda system: site.unanswered(system, asked, "change_lost")) is None
    assert site.do(asked)[0].ok and [hold.pickup for hold in site.library.holds.values()] == ["north"]


def test_more_than_was_owed_is_told_though_the_answer_was_lost(site: Site) -> None:
    site.owed("50")
    asked = Pay("k", site.clock(), "main", "key1", patron=ME, amount=Decimal(99), transaction="T1")

    found = site.run(lambda system: site.unanswered(system, asked, "change_error"))
    assert found is not None and (found.ok, found.reason, found.fee, found.transaction) == (True, "PAID_TOO_MUCH", Decimal(49), "T1")


def test_a_payment_is_not_taken_for_another_whose_key_begins_alike(site: Site) -> None:
    site.owed("50")
    ten, one = (Pay("k", site.clock(), "main", key, patron=ME, amount=Decimal(5)) for key in ("key10", "key1"))
    assert site.do(ten)[0].ok
    assert site.run(lambda system: system.happened(one, site.clock())) is None


def test_a_time_zone_that_there_is_not_is_told_when_the_settings_are_read(site: Site) -> None:
    with pytest.raises(ValueError, match="no IANA time zone"):
        site.opened(timezone="Europe/Copenhagn")


def test_a_pattern_of_cards_that_may_take_for_ever_is_told_when_the_settings_are_read() -> None:
    with pytest.raises(ValueError, match="repetition of a repetition"):
        Policy(cards="(a+)+b")
