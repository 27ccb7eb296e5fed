"""Each transaction is done once and is never lost, over retries, restarts and kills; PINs stay hashed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import bcrypt
import pytest
from msgspec.structs import replace

from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Note, Outcome, Pay, Request
from connectors.circulation.embedded.backend import KEPT_SECONDS, Embedded, opened
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.terms import Terms
from connectors.circulation.journal import read
from connectors.circulation.keeping import DAYS, retire_segments
from connectors.circulation.pins import hashed, matches, outdated
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.errors import SettingsError
from tests.connectors.circulation.conftest import Clock, take_over
from tests.house import stands_in


def _do(library: Embedded, *requests: Request) -> list[Outcome]:
    async def all_at_once() -> list[Outcome]:
        return await asyncio.gather(*map(library.perform, requests))

    return asyncio.run(all_at_once())


@pytest.fixture
def checkout(clock: Clock) -> Checkout:
    return Checkout("kiosk1", clock(), "main", key="k1", patron=Credentials("c1"), item="b1")


def _entries(home: Path, keys: MemoryKeyStore) -> list[str]:
    return [entry.data["kind"] for entry in read(home / "journal", keys)]


def test_the_same_request_again_gets_the_same_answer_and_is_done_once(
    library: Embedded, checkout: Checkout, home: Path, keys: MemoryKeyStore
) -> None:
    first, *others = _do(library, *[checkout] * 5)
    assert first.ok and not first.again
    assert all(other == replace(first, again=True, item=other.item) for other in others)
    assert _entries(home, keys) == ["checkout"]


def test_a_request_that_was_refused_may_be_tried_again(library: Embedded, checkout: Checkout) -> None:
    library.store.fill("loan", [{"item": "b1", "patron": "p2", "loaned_at": 1, "due": 2}])
    assert _do(library, checkout)[0].reason == "ITEM_ON_LOAN"
    library.store.apply([["-loan", "b1"]])
    assert _do(library, checkout)[0].ok


def test_a_request_is_known_again_after_a_restart(
    library: Embedded, checkout: Checkout, home: Path, keys: MemoryKeyStore, rules: Rules, clock: Clock
) -> None:
    due = _do(library, checkout)[0].due
    library.close()
    again = opened(home, keys, rules, now=clock)
    try:
        assert _do(again, checkout)[0] == replace(_do(again, checkout)[0], again=True, due=due)
        clock.on(seconds=KEPT_SECONDS.total_seconds() + 1)
        again.commit()
        assert list(again.store.rows("done")) == []
    finally:
        take_over(library, again)


def test_what_was_done_is_known_for_a_day_and_more_and_let_go_of_once_an_hour(library: Embedded, checkout: Checkout, clock: Clock) -> None:
    def done() -> list[str]:
        library.commit()
        return [row["key"] for row in library.store.rows("done")]

    first = clock()
    assert _do(library, replace(checkout, key="k1"))[0].ok
    clock.on(minutes=30)
    assert _do(library, replace(checkout, key="k2", item="b2"))[0].ok
    assert done() == ["k1", "k2"]
    for passed, there in ((timedelta(0), ["k1", "k2"]), (timedelta(minutes=31), ["k1", "k2"]), (timedelta(hours=1), [])):
        clock.on(seconds=(first + KEPT_SECONDS + passed - clock()).total_seconds())
        assert done() == there, passed


@pytest.fixture
def killed(library: Embedded, home: Path, keys: MemoryKeyStore, rules: Rules, clock: Clock) -> Iterator[Embedded]:
    """A second process over the first one's files, as a kill leaves them: the store is not committed, the journal is."""
    asked = [
        Checkout("kiosk1", clock(), "main", key="k1", patron=Credentials("c1"), item="b1"),
        Checkout("kiosk1", clock(), "main", key="k2", patron=Credentials("c1"), item="b2"),
        Checkin("kiosk1", clock(), "main", key="k3", item="b1"),
        Checkout("kiosk1", clock() - timedelta(hours=1), "main", key="k4", no_block=True, patron=Credentials("c3"), item="d1"),
    ]
    for request in asked:
        assert _do(library, request)[0].ok
    before = {table: list(library.store.rows(table)) for table in ("loan", "item", "done", "conflict", "returned")}
    library._journal.close()
    library.store.close()
    again = opened(home, keys, rules, now=clock)
    assert {table: list(again.store.rows(table)) for table in before} == before
    assert again.store.applied == 4
    yield again
    take_over(library, again)


def test_a_store_beside_a_journal_that_was_made_anew_loses_nothing_of_that_one(
    library: Embedded, checkout: Checkout, home: Path, keys: MemoryKeyStore, rules: Rules, clock: Clock
) -> None:
    assert all(one.ok for one in _do(library, checkout, replace(checkout, key="k2", item="b2"), replace(checkout, key="k3", item="d1")))
    library.close()
    (home / "journal").rename(home / "lost")
    again = opened(home, keys, rules, now=clock)
    assert _do(again, replace(checkout, key="k4", patron=Credentials("c2"), item="d2", no_block=True))[0].ok
    asyncio.run(again.commit_behind())
    again._journal.close()  # killed
    again.store.close()
    after = opened(home, keys, rules, now=clock)
    assert {row["item"] for row in after.store.rows("loan")} == {"b1", "b2", "d1", "d2"}
    take_over(library, after)


def test_what_a_machine_is_refused_again_and_again_is_one_conflict(library: Embedded, checkout: Checkout) -> None:
    alone = replace(checkout, patron=Credentials("nobody"), no_block=True)
    assert [one.reason for _ in range(3) for one in _do(library, alone)] == ["CARD_UNKNOWN"] * 3
    assert [one.reason for one in _do(library, replace(alone, key="k2"))] == ["CARD_UNKNOWN"]
    assert [row["reason"] for row in library.store.rows("conflict")] == ["CARD_UNKNOWN"] * 2
    library.store.fill("card", [{"card": "nobody", "patron": "p1"}])
    assert _do(library, alone)[0].ok


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("days", ["a month", "1e99"])
def test_days_that_are_no_number_are_told(
    library: Embedded, home: Path, keys: MemoryKeyStore, monkeypatch: pytest.MonkeyPatch, days: str
) -> None:
    monkeypatch.setenv(DAYS, days)
    with pytest.raises(SettingsError, match="BINDERY_JOURNAL_DAYS is no number of days"):
        asyncio.run(retire_segments(home, keys, library))


def test_what_was_answered_is_there_after_a_kill(killed: Embedded, clock: Clock) -> None:
    assert {row["item"]: row["patron"] for row in killed.store.rows("loan")} == {"b2": "p1", "d1": "p3"}
    assert [row["reason"] for row in killed.store.rows("conflict")] == ["CARD_EXPIRED"]


def test_what_is_kept_of_the_store_is_never_ahead_of_the_journal(library: Embedded, checkout: Checkout) -> None:
    def on_disk() -> int:
        reader = library.store.reader()
        try:
            return len(list(reader.rows("loan")))
        finally:
            reader.close()

    _do(library, checkout)
    assert on_disk() == 0
    library.commit()
    assert on_disk() == 1


def test_a_wrong_pin_lends_nothing(library: Embedded, checkout: Checkout) -> None:
    wrong, right = (replace(checkout, patron=Credentials("c1", pin)) for pin in ("4321", "1234"))
    assert _do(library, wrong)[0].reason == "PIN_WRONG"
    assert library.store.get("loan", "b1") is None
    assert _do(library, right)[0].ok


@pytest.mark.parametrize(("pin", "right"), [("1234", True), ("12345", False), ("", False), (None, None)])
def test_a_patron_is_told_whether_the_pin_is_right(library: Embedded, pin: str | None, right: bool | None) -> None:
    patron = asyncio.run(library.patron(Credentials("c1", pin)))
    assert patron is not None and patron.pin_right is right


def test_where_no_pin_is_kept_none_is_right_or_wrong(library: Embedded) -> None:
    patron = asyncio.run(library.patron(Credentials("c2", "1234")))
    assert patron is not None and patron.pin_right is None


def test_a_library_may_say_that_a_card_alone_does_not_serve(library: Embedded, checkout: Checkout) -> None:
    unknown, kept = replace(checkout, patron=Credentials("c2"), item="b2", key="k2"), replace(checkout, patron=Credentials("c1", "1234"))
    library.terms = Terms(library.terms.rules.model_copy(update={"card_alone": False}))
    assert [one.reason for one in _do(library, unknown, kept)] == ["PIN_NOT_KEPT", ""]
    library.terms = Terms(library.terms.rules.model_copy(update={"card_alone": True}))
    assert _do(library, unknown)[0].ok


def test_koha_s_hash_is_taken_and_replaced_by_ours_at_the_first_use(library: Embedded, home: Path, keys: MemoryKeyStore) -> None:
    library.store.apply([["patron", library.store.get("patron", "p2") | {"pin": bcrypt.hashpw(b"99", bcrypt.gensalt(4)).decode()}]])
    for _ in range(2):
        assert asyncio.run(library.patron(Credentials("c2", "99"))).pin_right
    assert not outdated(library.store.get("patron", "p2")["pin"])
    assert _entries(home, keys) == ["pin"]


def test_a_block_that_comes_while_a_pin_is_hashed_anew_stays(library: Embedded, clock: Clock) -> None:
    library.store.apply([["patron", library.store.get("patron", "p2") | {"pin": bcrypt.hashpw(b"99", bcrypt.gensalt(4)).decode()}]])

    async def blocked_meanwhile() -> None:
        looking = asyncio.create_task(library.patron(Credentials("c2", "99")))
        await asyncio.sleep(0)  # it has read the patron, and waits for the PIN
        await library.perform(Block("kiosk1", clock(), "main", patron=Credentials("c2"), blocked=True))
        assert (await looking).pin_right

    asyncio.run(blocked_meanwhile())
    kept = library.store.get("patron", "p2")
    assert kept["block"] and not outdated(kept["pin"])


def test_of_a_kept_pin_that_is_no_hash_no_pin_is_right() -> None:
    assert not any(
        matches(pin, kept)
        for pin in ("1234", "")
        for kept in ("1234", "", "$2b$broken", "scrypt$1$2", "scrypt$x$8$1$AA==$AA==", "scrypt$3$8$1$AA==$AA==")
    )
    assert matches("é", hashed("é")) and hashed("é") != hashed("é")


def test_no_pin_and_no_name_is_in_the_journal(library: Embedded, checkout: Checkout, home: Path, keys: MemoryKeyStore) -> None:
    _do(library, replace(checkout, patron=Credentials("c1", "1234")))
    text = str([entry.data for entry in read(home / "journal", keys)])
    assert not stands_in("1234", text) and "Reader One" not in text and "c1" in text


def test_money_is_taken_off_the_fee_that_is_named_or_the_oldest(library: Embedded, clock: Clock) -> None:
    library.store.fill("fee", [{"fee": f"f{n}", "patron": "p1", "outstanding": 1000 * n} for n in (1, 2, 3)])
    pay = Pay("till", clock(), patron=Credentials("c1"), amount=Decimal("15.00"), currency="DKK")
    assert _do(library, pay)[0].ok
    assert {fee["fee"]: fee["outstanding"] for fee in library.store.fees_of("p1")} == {"f2": 1500, "f3": 3000}
    assert _do(library, replace(pay, fee="f3", amount=Decimal(30)))[0].fee == 0
    assert [fee["fee"] for fee in library.store.fees_of("p1")] == ["f2"]


def test_money_that_no_fee_fits_is_written_down_for_staff(library: Embedded, clock: Clock) -> None:
    pay = Pay("till", clock(), patron=Credentials("c1"), amount=Decimal("15.00"), currency="DKK", transaction="T1")
    assert _do(library, pay)[0].reason == "PAID_TOO_MUCH"
    assert _do(library, replace(pay, patron=Credentials("nobody")))[0].reason == "CARD_UNKNOWN"
    assert [row["reason"] for row in library.store.rows("conflict")] == ["PAID_TOO_MUCH", "PAID_BY_NOBODY"]
    assert _do(library, replace(pay, currency="EUR"))[0].reason == "CURRENCY_WRONG"
    assert _do(library, replace(pay, amount=Decimal(-1)))[0].reason == "AMOUNT_WRONG"


def test_a_terminal_lifts_its_own_block_and_no_other(library: Embedded, clock: Clock, checkout: Checkout) -> None:
    block = Block("kiosk1", clock(), patron=Credentials("c1"), card_retained=True)
    assert _do(library, block)[0].ok
    assert _do(library, checkout)[0].reason == "CARD_BLOCKED_BY_TERMINAL"
    library.store.apply([["patron", library.store.get("patron", "p1") | {"block": "CARD_BLOCKED CARD_BLOCKED_BY_TERMINAL"}]])
    _do(library, replace(block, blocked=False))
    assert library.store.get("patron", "p1")["block"] == "CARD_BLOCKED"


def test_a_note_on_an_item_is_kept(library: Embedded, clock: Clock) -> None:
    assert _do(library, Note("kiosk1", clock(), item="b1", properties="worn"))[0].ok
    assert asyncio.run(library.item("b1")).properties == "worn"
    assert _do(library, Note("kiosk1", clock(), item="none"))[0].reason == "ITEM_UNKNOWN"
