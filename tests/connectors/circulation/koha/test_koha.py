"""Koha as the library system: what it answers, refuses, wants confirmed, and fails at."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from connectors.circulation.backend import Away, Unsure
from connectors.circulation.domain import Block, Checkin, Credentials, Outcome
from connectors.circulation.koha.site import since
from connectors.circulation.remote.system import System
from tests.connectors.circulation.remote.site import ME, Site
from tests.connectors.circulation.remote.test_alike import returns_are_answered


def test_a_loan_costs_two_calls_and_one_when_the_item_was_asked_about(site: Site) -> None:
    async def work(system: System) -> None:
        await system.patron(ME)
        site.calls()
        first = await system.perform(site.lend())
        assert (first.ok, first.due, first.item and first.item.title) == (True, site.library.loans["b1"].due, "One book")
        assert site.calls() == ["GET /items", "POST /checkouts"]
        await system.patron(ME, whole=False)
        await system.item("b2")
        site.calls()
        assert (await system.perform(site.lend("b2"))).ok
        assert site.calls() == ["POST /checkouts"]

    site.run(work)


def test_what_koha_wants_confirmed_is_refused_at_a_kiosk(site: Site) -> None:
    site.do(site.lend(card="c2"))
    assert site.do(site.lend())[0].reason == "ITEM_ON_LOAN"
    site.library.take_back(site.library.copies["b1"], "main")
    site.library.reserve(site.library.patrons[2], 1, "main", site.library.copies["b1"])
    assert site.do(site.lend())[0].reason == "ITEM_HELD"
    site.library.patrons[1].restricted = True
    assert site.do(site.lend("d1"))[0].reason == "CARD_BLOCKED"


def test_a_koha_with_the_newest_endpoint_takes_returns_over_rest(site: Site) -> None:
    returns_are_answered(site, checkin={"by": "rest"})
    assert "POST /checkins" in site.calls()


def test_a_child_is_refused_what_is_not_for_children(site: Site) -> None:
    assert site.do(site.lend("d1", "c2"))[0].reason == "TOO_YOUNG"


def test_what_koha_cannot_do_over_rest_is_said(site: Site) -> None:
    block, lift = site.do(Block("k", site.clock(), patron=ME), Block("k", site.clock(), patron=ME, blocked=False))
    assert (block.reason, lift.ok) == ("TERMINAL_CANNOT", True)


def test_a_new_patron_whose_pin_koha_refuses_is_not_made(site: Site) -> None:
    assert site.run(lambda system: system.admit(site.enrol("n1", "1"))).reason == "ILS_REFUSED"
    assert site.library.patron("n1") is None
    assert site.run(lambda system: system.admit(site.enrol("n1", "4711"))).ok


def test_a_new_patron_who_cannot_be_taken_away_again_is_told_of(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.faults.refuses["DELETE", "/api/v1/patrons/.*"] = 403
    with caplog.at_level(logging.WARNING, "bindery.circulation"):
        assert site.run(lambda system: system.admit(site.enrol("n1", "1"))).reason == "ILS_REFUSED"
    assert "could not be taken away" in caplog.text and "n1" not in caplog.text


def test_after_an_answer_that_was_lost_nobody_else_gets_the_new_pin(site: Site) -> None:
    found = site.run(lambda system: system.happened(site.enrol("c1", "4711"), site.clock()))
    assert found is not None and found.reason == "CARD_KNOWN"
    assert site.library.patrons[1].pin == "1234"


class TestFaults:
    def test_asked_too_often_it_waits_and_asks_again(self, site: Site) -> None:
        site.faults.set("busy", 1)
        assert site.do(site.lend())[0].ok
        site.faults.retry_after = 30
        site.faults.set("busy", 1)
        with pytest.raises(Away, match="429"):
            site.run(lambda system: system.item("b1"))

    def test_a_change_that_failed_before_it_was_done_is_not_found(self, site: Site) -> None:
        asked = site.lend()

        async def work(system: System) -> Outcome | None:
            await system.patron(ME)
            await system.item("b1")
            return await site.unanswered(system, asked, "error")

        assert site.run(work) is None

    def test_all_of_a_message_s_calls_share_one_budget(self, site: Site) -> None:
        site.faults.seconds = 0.2
        site.faults.set("slow", 9)
        with pytest.raises(Away):
            site.do(site.lend(), call_seconds=5, message_seconds=0.3)

    def test_a_sip_server_that_cuts_the_line_leaves_a_return_unsure(self, site: Site) -> None:
        site.do(site.lend())
        site.sip.drop = 1
        asked = Checkin("k", site.clock(), "main", item="b1")

        async def work(system: System) -> Outcome | None:
            found = await site.unanswered(system, asked)
            assert (await system.perform(asked)).reason == "NOT_LENT"  # over a new connection
            return found

        found = site.run(work)
        assert found is not None and found.ok

    def test_a_connection_that_went_while_idle_is_noticed_before_a_return_is_sent(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connectors.circulation.koha.returning.IDLE_SECONDS", 0.0)
        site.do(site.lend())

        async def work(system: System) -> None:
            assert (await system.perform(Checkin("k", site.clock(), "main", item="b2"))).ok
            site.sip.cut()
            assert (await system.perform(Checkin("k", site.clock(), "main", item="b1"))).ok

        site.run(work)
        assert site.sip.asked == ["93", "09", "93", "09"]

    def test_no_card_is_logged(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level("INFO"):
            site.do(site.lend(card="1234567890"), site.lend())
            site.faults.set("change_error")
            with pytest.raises(Unsure):
                site.do(site.lend("d1", "1234567890"), site.lend("d2"))
        assert "1234567890" not in caplog.text


def test_a_password_of_somebody_whose_user_name_is_this_card_does_not_open_it(site: Site) -> None:
    site.library.patrons[2].userid, site.library.patrons[2].pin = "c1", "9999"
    assert [site.run(lambda system, pin=pin: system.patron(Credentials("c1", pin))).pin_right for pin in ("9999", "1234")] == [False, True]


def test_an_encoding_that_there_is_not_is_told_when_the_settings_are_read(site: Site) -> None:
    with pytest.raises(ValueError, match="no encoding"):
        site.opened(checkin=site.defaults["checkin"] | {"encoding": "utf-9"})


class _Mute:
    """A SIP2 server that takes connections and says nothing; `open` are those that still stand."""

    def __init__(self) -> None:
        self.open = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            await reader.read()
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()


class TestReturnsOverSip2:
    def test_an_answer_to_something_else_does_not_say_that_a_copy_came_back(self, site: Site) -> None:
        assert site.sip is not None
        site.do(site.lend())
        site.sip.busy = 1
        asked = Checkin("k", site.clock(), "main", item="b1")

        async def work(system: System) -> Outcome | None:
            assert await site.unanswered(system, asked) is None
            return await system.perform(asked)

        again = site.run(work)
        assert again is not None and (again.ok, again.reason, site.library.loans) == (True, "", {})

    def test_a_server_that_says_nothing_holds_up_nobody_longer_than_a_message_may_take_and_keeps_no_connection(self, site: Site) -> None:
        mute = _Mute()

        async def work() -> None:
            listening = await asyncio.start_server(lambda reader, writer: mute(reader, writer), "127.0.0.1", 0)
            there = {"by": "sip", "host": "127.0.0.1", "port": listening.sockets[0].getsockname()[1], "accounts": {"main": "main"}}
            system = site.opened(checkin=there, message_seconds=1)
            returns = [system.perform(Checkin("k", site.clock(), "main", item=item)) for item in ("b1", "b2", "d1", "d2")]
            async with asyncio.timeout(20):  # one after the other, each with a time-out of its own, they would take half a minute
                found = await asyncio.gather(*returns, return_exceptions=True)
                assert [type(one) for one in found] == [Away] * 4  # nothing was sent
                while mute.open:
                    await asyncio.sleep(0.01)
            await system.close()
            listening.close()

        asyncio.run(work())


def test_a_moment_is_asked_for_on_the_library_s_clock_which_a_database_that_reads_no_offset_has_too() -> None:
    zone = ZoneInfo("Europe/Copenhagen")
    summer, winter = (datetime(2026, month, 20, 12, tzinfo=UTC) for month in (7, 11))
    assert since("checkin_date", summer, zone) == {"checkin_date": {">=": "2026-07-20T14:00:00+02:00"}}
    assert since("checkin_date", winter, zone) == {"checkin_date": {">=": "2026-11-20T13:00:00+01:00"}}
