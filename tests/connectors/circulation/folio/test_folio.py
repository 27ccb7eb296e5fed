"""FOLIO as the library system: what it answers, refuses, lets override, and fails at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.circulation.backend import Away, Unsure
from connectors.circulation.domain import Block, Checkin, Credentials, Outcome, Renew, Request
from connectors.circulation.folio import cql
from connectors.circulation.remote.system import System
from include.sandbox.servers.folio.rest import _CONDITION, _fits
from include.sandbox.servers.ils.state import Debt
from tests.connectors.circulation.remote.site import ME, Site


def test_a_loan_costs_one_call_after_the_kiosk_has_greeted(site: Site) -> None:
    async def work(system: System) -> None:
        await system.patron(ME)
        site.calls()
        first = await system.perform(site.lend())
        assert (first.ok, first.due, first.item and first.item.title) == (True, site.library.loans["b1"].due, "One book")
        assert site.calls() == ["POST /circulation/check-out-by-barcode"]
        assert (await system.perform(Checkin("k", site.clock(), "main", item="b1"))).ok
        assert site.calls() == ["POST /circulation/check-in-by-barcode"]

    site.run(work)


def test_where_folio_keeps_no_pins_none_is_checked(site: Site) -> None:
    assert site.run(lambda system: system.patron(ME, whole=False), pin="none").pin_right is None  # type: ignore[union-attr]


def test_what_stands_in_the_way_of_a_loan(site: Site) -> None:
    site.do(site.lend(card="c2"))
    assert site.do(site.lend())[0].reason == "ITEM_ON_LOAN"
    site.library.take_back(site.library.copies["b1"], "main")
    site.library.reserve(site.library.patrons[2], 1, "main", site.library.copies["b1"])
    assert site.do(site.lend())[0].reason == "ITEM_HELD"
    site.library.debts[9] = Debt(9, site.library.patrons[1], Decimal(150), Decimal(150))
    assert site.do(site.lend("d1"))[0].reason == "OWES_TOO_MUCH"
    told = site.run(lambda system: system.patron(ME))
    assert told is not None and told.blocks == ("OWES_TOO_MUCH",)
    site.library.patrons[1].restricted = True
    assert site.do(site.lend("d1"))[0].reason == "CARD_BLOCKED"


def test_a_machine_blocks_a_card_and_lifts_its_own_block_alone(site: Site) -> None:
    block, lift = Block("k", site.clock(), patron=ME), Block("k", site.clock(), patron=ME, blocked=False)
    assert [one.ok for one in site.do(block, block)] == [True, True]
    told = site.run(lambda system: system.patron(ME))
    assert told is not None and told.blocks == ("CARD_BLOCKED",)
    assert site.do(lift)[0].ok and not site.library.patrons[1].restricted


def test_what_a_machine_did_alone_begins_when_it_did_and_overrides_a_block(site: Site) -> None:
    site.do(site.lend(card="c2"))
    site.clock.on(hours=1)
    alone = site.lend(no_block=True)
    site.clock.on(minutes=5)
    assert site.do(alone)[0].ok and site.library.loans["b1"].at == alone.at
    site.library.patrons[1].restricted = True
    assert (lambda one: (one.ok, one.reason))(site.do(site.lend("r1", no_block=True))[0]) == (True, "CARD_BLOCKED")


def test_what_the_patron_was_told_becomes_the_day_that_folio_has_where_the_settings_say_so(site: Site) -> None:
    promised = site.clock() + timedelta(days=28)
    alone = site.lend("d1", due=promised, no_block=True)
    own = site.do(alone)[0].due
    assert own is not None and own.date() == (site.clock() + timedelta(days=7)).date()
    site.library.take_back(site.library.copies["d1"], "main")
    assert site.do(alone, promised=True)[0].due == promised == site.library.loans["d1"].due
    site.clock.on(days=1)
    later = promised + timedelta(days=3)
    asked = Renew("k", site.clock(), "main", patron=ME, item="d1", due=later, no_block=True)
    assert site.do(asked, promised=True)[0].due == later
    found = site.run(lambda system: system.happened(asked, site.clock()))
    assert found is not None and (found.renewed, found.due) == (True, later)  # though what FOLIO did last was to change the day


def test_days_are_compared_on_the_library_s_calendar(site: Site) -> None:
    promised = datetime(2026, 12, 18, 22, 59, tzinfo=UTC)  # one minute to midnight in Copenhagen
    site.library.due = lambda at, days: datetime(2026, 12, 18, 23, 30, tzinfo=UTC)  # type: ignore[method-assign]  # half past, the day after
    alone = site.lend("b1", due=promised, no_block=True)
    assert site.do(alone, promised=True)[0].due == promised == site.library.loans["b1"].due


class TestFaults:
    def test_a_return_and_a_renewal_without_an_answer_are_found(self, site: Site) -> None:
        site.do(site.lend())
        site.clock.on(days=1)
        for asked in (Renew("k", site.clock(), "main", patron=Credentials("c1"), item="b1"), Checkin("k", site.clock(), "main", item="b1")):

            async def work(system: System, asked: Request = asked) -> Outcome | None:
                assert await system.happened(asked, site.clock()) is None
                return await site.unanswered(system, asked, "change_error")

            found = site.run(work)
            assert found is not None and found.ok

    def test_a_pin_that_cannot_be_checked_is_a_question_without_an_answer(self, site: Site) -> None:
        site.faults.set("change_error")
        with pytest.raises(Away) as error:
            site.do(Renew("k", site.clock(), "main", patron=ME, item="b1"))
        assert not isinstance(error.value, Unsure)

    def test_a_wrong_tenant_or_login_is_told(self, site: Site) -> None:
        with pytest.raises(Away, match="404"):
            site.run(lambda system: system.item("b1"), tenant="another")


@given(st.text(max_size=30))
def test_a_card_is_never_read_as_a_query(card: str) -> None:
    found = _CONDITION.findall(cql.both(cql.same("barcode", card), cql.OPEN_LOAN))
    assert [field for field, _, _ in found] == ["barcode", "status.name"]
    assert _fits(card, "==", found[0][2]) or card.endswith("*")
