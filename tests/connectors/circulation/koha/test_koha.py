"""Koha as the library system: what it answers, refuses, wants confirmed, and fails at."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from connectors.circulation.backend import Away, Unsure
from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Note, Outcome, Pay, Renew, Request, Reserve
from connectors.circulation.koha import Koha
from include.sandbox.servers.ils.state import Debt
from tests.connectors.circulation.koha.conftest import Site

ME = Credentials("c1", "1234")


def _lend(site: Site, item: str = "b1", card: str = "c1", **more: object) -> Checkout:
    return Checkout("k", site.clock(), "main", patron=Credentials(card), item=item, **more)  # type: ignore[arg-type]


def _do(site: Site, *requests: Request, **settings: object) -> list[Outcome]:
    async def work(koha: Koha) -> list[Outcome]:
        return [await koha.perform(request) for request in requests]

    return site.run(work, **settings)


def test_a_loan_costs_two_calls_and_one_when_the_item_was_asked_about(site: Site) -> None:
    async def work(koha: Koha) -> None:
        await koha.patron(ME)
        site.calls()
        first = await koha.perform(_lend(site))
        assert (first.ok, first.due, first.item and first.item.title) == (True, site.library.loans["b1"].due, "One book")
        assert site.calls() == ["GET /items", "POST /checkouts"]
        await koha.patron(ME, whole=False)
        await koha.item("b2")
        site.calls()
        assert (await koha.perform(_lend(site, "b2"))).ok
        assert site.calls() == ["POST /checkouts"]

    site.run(work)


def test_a_patron_is_asked_for_once_while_a_kiosk_greets_them(site: Site) -> None:
    _do(site, _lend(site), Reserve("k", site.clock(), patron=ME, item="d1", pickup="north"))
    site.library.debts[9] = Debt(9, site.library.patrons[1], Decimal("10.50"), Decimal("10.50"), title="Late")
    site.calls()

    async def work(koha: Koha) -> None:
        one, two = await asyncio.gather(koha.patron(ME), koha.patron(ME))
        assert one == two and one is not None and one.pin_right is True
        assert ([loan.item for loan in one.loans], [hold.pickup for hold in one.holds], one.owes) == (["b1"], ["north"], Decimal("10.50"))
        assert (one.name, one.category, one.loans_limit) == ("Reader One", "adult", 4)
        asked = site.calls()
        assert sorted(set(asked)) == sorted(asked) and len(asked) == 6, asked
        assert await koha.patron(ME) == one
        assert site.calls() == []

    site.run(work)


def test_pins_are_asked_of_koha_and_a_right_one_is_remembered(site: Site) -> None:
    async def work(koha: Koha) -> list[bool | None]:
        found = [await koha.patron(Credentials("c1", pin), whole=False) for pin in ("1234", "1234", "4321", None)]
        assert sum("validation" in call for call in site.calls()) == 2
        assert (await koha.perform(Checkout("k", site.clock(), patron=Credentials("c1", "9"), item="b1"))).reason == "PIN_WRONG"
        return [one.pin_right if one else None for one in found]

    assert site.run(work) == [True, True, False, None]
    assert "b1" not in site.library.loans


@pytest.mark.parametrize(
    ("item", "card", "reason"),
    [
        ("r1", "c1", "ITEM_NOT_FOR_LOAN"),
        ("d1", "c2", "TOO_YOUNG"),
        ("b1", "c3", "CARD_EXPIRED"),
        ("none", "c1", "ITEM_UNKNOWN"),
        ("b1", "none", "CARD_UNKNOWN"),
    ],
)
def test_refusals_are_told_in_our_words(site: Site, item: str, card: str, reason: str) -> None:
    assert [(one.ok, one.reason) for one in _do(site, _lend(site, item, card))] == [(False, reason)]


def test_what_koha_wants_confirmed_is_refused_at_a_kiosk(site: Site) -> None:
    _do(site, _lend(site, card="c2"))
    assert _do(site, _lend(site))[0].reason == "ITEM_ON_LOAN"
    site.library.take_back(site.library.copies["b1"], "main")
    site.library.reserve(site.library.patrons[2], 1, "main", site.library.copies["b1"])
    assert _do(site, _lend(site))[0].reason == "ITEM_HELD"
    site.library.patrons[1].restricted = True
    assert _do(site, _lend(site, "d1"))[0].reason == "CARD_BLOCKED"


def test_the_patron_s_own_loan_is_renewed_where_that_is_allowed(site: Site) -> None:
    _do(site, _lend(site))
    assert _do(site, _lend(site))[0].reason == "LENT_TO_YOU"
    site.clock.on(days=3)
    again = _do(site, _lend(site, renewal_allowed=True))[0]
    assert (again.ok, again.renewed, again.due) == (True, True, site.library.loans["b1"].due)
    renewed, third, other = _do(site, *[Renew("k", site.clock(), patron=ME, item="b1")] * 2, Renew("k", site.clock(), patron=ME, item="b2"))
    assert (renewed.ok, third.reason, other.reason) == (True, "TOO_MANY_RENEWALS", "NOT_LENT")


def test_everything_is_renewed_as_far_as_each_may_be(site: Site) -> None:
    _do(site, _lend(site), _lend(site, "d1"))
    site.library.reserve(site.library.patrons[2], 2, "main")
    found = _do(site, Renew("k", site.clock(), patron=ME))[0]
    assert (found.done, found.not_done) == (("b1",), ("d1",))


@pytest.mark.parametrize("rest", [False, True], ids=["sip2", "rest"])
def test_a_return_says_where_the_item_goes(site: Site, rest: bool) -> None:
    _do(site, _lend(site), _lend(site, "b2"), _lend(site, "d1"))
    site.library.reserve(site.library.patrons[2], 2, "north")
    back = [Checkin("k", site.clock(), "main", item=item) for item in ("b1", "b2", "d1", "b1", "none")]
    home, north, held, twice, unknown = _do(site, *back, rest_checkin=rest)
    assert [(one.ok, one.reason, one.route) for one in (home, north, held, twice, unknown)] == [
        (True, "", ""), (True, "OTHER_BRANCH", "north"), (True, "HOLD_WAITING", "north"), (True, "NOT_LENT", ""), (False, "ITEM_UNKNOWN", ""),
    ]  # fmt: skip
    assert held.waiting is not None and held.waiting.name == "Reader Two"
    assert not site.library.loans


def test_a_loan_is_taken_back_but_a_return_is_not(site: Site) -> None:
    undone, other = _do(site, _lend(site), _lend(site, undo=True), _lend(site, undo=True))[1:]
    assert (undone.ok, other.reason, site.library.loans) == (True, "NOT_LENT", {})
    assert _do(site, Checkin("k", site.clock(), item="b1", undo=True))[0].reason == "TERMINAL_CANNOT"


def test_holds_are_placed_moved_and_cancelled(site: Site) -> None:
    def asked(change: str, pickup: str = "", item: str = "b1") -> Reserve:
        return Reserve("k", site.clock(), patron=ME, change=change, item=item, pickup=pickup)  # type: ignore[arg-type]

    placed, again, moved, gone, none = _do(
        site, asked("add", "north"), asked("add"), asked("alter", "main"), asked("delete"), asked("delete")
    )  # fmt: skip
    assert placed.hold is not None and (placed.hold.pickup, placed.hold.position) == ("north", 1)
    assert (again.reason, moved.hold and moved.hold.pickup, gone.ok, none.reason) == ("HELD_BY_YOU", "main", True, "HOLD_UNKNOWN")
    number = _do(site, asked("add", "north"))[0].hold
    assert number is not None and number.placed is not None
    by_number = Reserve("k", site.clock(), patron=ME, change="delete", hold=number.hold)
    assert [one.ok for one in _do(site, by_number, by_number)] == [True, False]


def test_money_is_written_down_once_and_found_again(site: Site) -> None:
    site.library.debts[9] = Debt(9, site.library.patrons[1], Decimal(50), Decimal(50))
    asked = Pay("k", site.clock(), "main", "key1", patron=ME, amount=Decimal("20.00"), currency="DKK", transaction="T1")
    paid = _do(site, asked)[0]
    assert (paid.ok, paid.transaction, site.library.debts[9].left) == (True, "T1", Decimal(30))
    found = site.run(lambda koha: koha.happened(asked, site.clock()))
    assert found is not None and found.ok
    assert _do(site, Pay("k", site.clock(), patron=ME, amount=Decimal(99)))[0].reason == "PAID_TOO_MUCH"


def test_what_koha_cannot_do_over_rest_is_said(site: Site) -> None:
    block, lift, note = _do(
        site, Block("k", site.clock(), patron=ME), Block("k", site.clock(), patron=ME, blocked=False), Note("k", site.clock(), item="b1")
    )  # fmt: skip
    assert (block.reason, lift.ok, note.reason) == ("TERMINAL_CANNOT", True, "TERMINAL_CANNOT")


def test_what_a_machine_did_alone_is_confirmed_and_known_again(site: Site) -> None:
    _do(site, _lend(site, card="c2"))
    site.clock.on(hours=1)
    alone = _lend(site, no_block=True)
    site.clock.on(minutes=5)
    first, again = _do(site, alone, alone)
    assert (first.ok, first.reason, again.ok, again.reason) == (True, "ITEM_ON_LOAN", True, "")
    assert site.library.lent == [("c2", "b1"), ("c1", "b1")]
    late = Checkin("k", site.clock() - timedelta(hours=3), item="b1", no_block=True, returned=site.clock() - timedelta(hours=3))
    assert _do(site, late)[0].reason == "RETURNED_BEFORE"
    assert "b1" in site.library.loans
    expired = _lend(site, "d1", "c3", no_block=True)
    assert (_do(site, expired)[0].ok, _do(site, expired)[0].reason) == (False, "CARD_EXPIRED")  # a blocker is beyond any confirming


class TestFaults:
    def test_an_expired_token_is_replaced_without_anybody_noticing(self, site: Site) -> None:
        async def work(koha: Koha) -> None:
            await koha.patron(ME)
            site.faults.set("token_expires")
            assert (await koha.perform(_lend(site))).ok

        site.run(work)
        assert site.faults.taken["token_expires"] == 1

    def test_asked_too_often_it_waits_and_asks_again(self, site: Site) -> None:
        site.faults.set("busy", 1)
        assert _do(site, _lend(site))[0].ok
        site.faults.retry_after = 30
        site.faults.set("busy", 1)
        with pytest.raises(Away, match="429"):
            site.run(lambda koha: koha.item("b1"))

    @pytest.mark.parametrize("fault", ["change_error", "change_hangs", "change_cut"])
    def test_a_change_without_an_answer_may_be_done_and_is_found(self, site: Site, fault: str) -> None:
        site.faults.seconds = 0.4
        site.faults.set(fault)
        asked = _lend(site)

        async def work(koha: Koha) -> Outcome | None:
            with pytest.raises(Unsure):
                await koha.perform(asked)
            await asyncio.sleep(0.3)
            return await koha.happened(asked, site.clock())

        found = site.run(work, call_seconds=0.25)
        assert found is not None and found.ok and found.due == site.library.loans["b1"].due
        assert site.library.lent == [("c1", "b1")]

    def test_a_change_that_failed_before_it_was_done_is_not_found(self, site: Site) -> None:
        asked = _lend(site)

        async def work(koha: Koha) -> Outcome | None:
            await koha.patron(ME)
            await koha.item("b1")
            site.faults.set("error")
            with pytest.raises(Unsure):
                await koha.perform(asked)
            return await koha.happened(asked, site.clock())

        assert site.run(work) is None

    def test_a_question_that_is_not_answered_is_away(self, site: Site) -> None:
        site.faults.set("maintenance", 1)
        with pytest.raises(Away) as error:
            site.run(lambda koha: koha.item("b1"))
        assert not isinstance(error.value, Unsure)
        site.faults.set("maintenance", 1)
        assert site.run(lambda koha: koha.online()) is False
        assert site.run(lambda koha: koha.online()) is True

    def test_all_of_a_message_s_calls_share_one_budget(self, site: Site) -> None:
        site.faults.seconds = 0.2
        site.faults.set("slow", 9)
        with pytest.raises(Away):
            _do(site, _lend(site), call_seconds=5, message_seconds=0.3)

    def test_a_sip_server_that_cuts_the_line_leaves_a_return_unsure(self, site: Site) -> None:
        _do(site, _lend(site))
        site.sip.drop = 1
        asked = Checkin("k", site.clock(), "main", item="b1")

        async def work(koha: Koha) -> Outcome | None:
            with pytest.raises(Unsure):
                await koha.perform(asked)
            found = await koha.happened(asked, site.clock())
            assert (await koha.perform(asked)).reason == "NOT_LENT"  # over a new connection
            return found

        found = site.run(work)
        assert found is not None and found.ok

    def test_a_connection_that_went_while_idle_is_noticed_before_a_return_is_sent(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connectors.circulation.koha.returning.IDLE_SECONDS", 0.0)
        _do(site, _lend(site))

        async def work(koha: Koha) -> None:
            assert (await koha.perform(Checkin("k", site.clock(), "main", item="b2"))).ok
            site.sip.cut()
            assert (await koha.perform(Checkin("k", site.clock(), "main", item="b1"))).ok

        site.run(work)
        assert site.sip.asked == ["93", "09", "93", "09"]

    def test_no_card_is_logged(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO"):
            _do(site, _lend(site, card="1234567890"), _lend(site))
            site.faults.set("change_error")
            with pytest.raises(Unsure):
                _do(site, _lend(site, "d1", "1234567890"), _lend(site, "d2"))
        assert "1234567890" not in caplog.text

    def test_a_library_system_that_is_not_there_is_away(self, site: Site) -> None:
        with pytest.raises(Away, match="no login"):
            site.run(lambda koha: koha.patron(ME), url="http://127.0.0.1:1")
