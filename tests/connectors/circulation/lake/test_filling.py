"""The sidecar's store is filled out of the lake at one stroke, while kiosks go on; nothing that a kiosk has done is lost by it."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.circulation.domain import Block, Checkout, Credentials, Pay, Reserve
from connectors.circulation.embedded.fillfile import SUFFIX, answer_of, fills
from connectors.circulation.embedded.store import ADDRESS
from connectors.circulation.keeping import _take
from connectors.circulation.lake import outbound
from connectors.circulation.pins import hashed
from include.engine.delivery import Delivery, State
from include.engine.dispatch.start import start
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from tests.connectors.circulation.lake.conftest import House
from tests.flows.files import ITEMS, csv, item

BOTH = pytest.mark.parametrize("filled", ["sqlite", "postgres"], indirect=True)


def sent(house: House) -> Delivery:
    """A fill, as far as the sidecar's folder."""
    made = start(house.engine, house.partner, "circulation_fill", who="kirsten")
    assert [one.id for one in house.claimed()] == [made.id]
    for step in (select, render, send):
        step(house.engine, made.id, outbound)
    return house.get(made.id)


def path_of(house: House, delivery: Delivery) -> Path:
    return fills(house.folder) / f"{delivery.id}{SUFFIX}"


def take(house: House, delivery: Delivery) -> dict[str, Any]:
    """What the sidecar does with it."""
    assert house.kiosk is not None
    path = path_of(house, delivery)
    asyncio.run(_take(path, house.folder, house.engine.keys, house.kiosk))
    said = answer_of(path)
    assert said is not None and not path.exists()
    return said


def fill(house: House) -> Delivery:
    delivery = sent(house)
    said = take(house, delivery)
    assert said["taken"], said
    confirm(house.engine, delivery.id, outbound)
    return house.get(delivery.id)


@pytest.fixture
def filled(request: pytest.FixtureRequest, house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """The library's sidecar with a store of the lake; what it had before goes on."""
    if getattr(request, "param", "") == "postgres":
        import psycopg

        assert house.kiosk is not None
        url = request.getfixturevalue("postgres_url")
        with psycopg.connect(url.replace("+psycopg2", ""), autocommit=True) as there:
            there.execute("DROP SCHEMA IF EXISTS circulation CASCADE")
        monkeypatch.setenv(ADDRESS, url)
        house.kiosk.close()
        house.open()
    assert house.kiosk is not None
    house.kiosk.store.amend("patron", "2", {"pin": hashed("1234")})
    house.kiosk.commit()
    done = fill(house)
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 2 + 2 + 5), done.message
    return house


def loans(house: House) -> dict[str, str]:
    assert house.kiosk is not None
    return {row["item"]: row["patron"] for row in house.kiosk.store.rows("loan")}


def test_what_the_lake_has_is_in_the_store(filled: House) -> None:
    assert filled.kiosk is not None
    lent = filled.now - timedelta(days=2)
    filled.loans(filled.lent(10, 1, lent), filled.lent(11, 2, lent, patron="2", back=filled.now), filled.lent(12, 3, lent, renewals=2))
    filled.export("items_2.csv", csv(ITEMS + ",onloan", [f"{item(n)},{'2026-12-01' if n in (1, 3) else ''}" for n in range(1, 6)]))
    fill(filled)
    store = filled.kiosk.store
    assert (store.patron_of("C1")["name"], store.get("item", "B00001")["title_id"]) == ("Ida Holm", "t1")
    assert {row["item"]: (row["patron"], row["renewals"]) for row in store.rows("loan")} == {"B00001": ("1", 0), "B00003": ("1", 2)}
    assert {row["item"] for row in store.rows("item") if row["status"] == "on_loan"} == {"B00001", "B00003"}
    assert store.patron_of("C2")["pin"].startswith("scrypt$")


def test_what_a_kiosk_does_after_the_lake_was_read_stays(filled: House) -> None:
    kept = filled.borrow(1)
    filled.read()
    filled.at(minutes=1)
    filled.borrow(2)
    delivery = sent(filled)
    filled.at(minutes=1)
    filled.borrow(3)
    filled.bring(1)
    assert take(filled, delivery)["taken"]
    assert loans(filled) == {"B00002": "1", "B00003": "1"}
    assert filled.kiosk is not None
    assert {row["item"]: row["status"] for row in filled.kiosk.store.rows("item")}["B00003"] == "on_loan"
    filled.kiosk.close()
    filled.open()
    assert loans(filled) == {"B00002": "1", "B00003": "1"}
    filled.read()
    assert {(number, event) for number, event, _ in filled.told()} >= {(kept, "loan"), (kept, "return")}


@BOTH
def test_what_comes_while_the_new_store_is_made_is_in_it(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.circulation import keeping

    plain = keeping.build

    def slow(*arguments: Any) -> Any:
        made = plain(*arguments)
        asyncio.run_coroutine_threadsafe(borrowed(), loop[0]).result(10)
        return made

    async def borrowed() -> None:
        assert filled.kiosk is not None
        asked = Checkout("k1", filled.now, "main", key="late", patron=Credentials("C2", "1234"), item="B00004")
        outcome = await filled.kiosk.perform(asked)
        assert outcome.ok, outcome.reason

    loop: list[asyncio.AbstractEventLoop] = []

    async def both() -> None:
        loop.append(asyncio.get_running_loop())
        assert filled.kiosk is not None
        await _take(path_of(filled, delivery), filled.folder, filled.engine.keys, filled.kiosk)

    monkeypatch.setattr(keeping, "build", slow)
    delivery = sent(filled)
    asyncio.run(both())
    assert loans(filled) == {"B00004": "2"}
    assert filled.kiosk is not None
    again = Checkout("k1", filled.now, "main", key="late", patron=Credentials("C2", "1234"), item="B00004")
    assert asyncio.run(filled.kiosk.perform(again)).again


def test_what_was_not_on_disk_yet_when_the_filling_began_is_in_it(filled: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from connectors.circulation import keeping

    disk, plain, lacked = threading.Event(), keeping.build, list[int]()

    def build(*arguments: Any) -> Any:
        assert filled.kiosk is not None
        lacked.append(filled.kiosk._journal.newest - filled.kiosk._journal.durable)
        disk.set()
        return plain(*arguments)

    async def both() -> None:
        assert filled.kiosk is not None
        filled.kiosk._journal._sync = lambda _: disk.wait(20) and None
        lending = asyncio.ensure_future(filled.kiosk.perform(Checkout("k1", filled.now, "main", patron=Credentials("C2"), item="B00004")))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.3, disk.set)
        await _take(path_of(filled, delivery), filled.folder, filled.engine.keys, filled.kiosk)
        assert (await lending).ok

    monkeypatch.setattr(keeping, "build", build)
    delivery = sent(filled)
    asyncio.run(both())
    assert (lacked, loans(filled)) == ([0], {"B00004": "2"})


@BOTH
def test_holds_payments_and_blocks_stay_until_the_library_system_has_told_of_later(filled: House) -> None:
    assert filled.kiosk is not None
    card = Credentials("C1")
    filled.do(Reserve, patron=card, item="B00005", pickup="main")
    filled.do(Block, patron=card, card_retained=True)
    filled.do(Pay, patron=card, amount=Decimal(5), currency="DKK")
    filled.read()
    fill(filled)
    store = filled.kiosk.store
    assert [row["title_id"] for row in store.rows("hold")] == ["t5"]
    assert [row["reason"] for row in store.rows("conflict")] == ["CARD_BLOCKED_BY_TERMINAL", "PAID_TOO_MUCH"]
    # The patrons were exported by the clock of the test's machine, hours after the block: the library system has had its say since.
    assert store.patron_of("C1")["block"] == ""
    filled.at(hours=9)
    filled.do(Block, patron=card, card_retained=True)
    fill(filled)
    assert store.patron_of("C1")["block"] == "CARD_BLOCKED_BY_TERMINAL"
    assert store.patron_of("C1")["name"] == "Ida Holm"


def test_a_return_of_a_loan_that_the_store_has_of_the_lake_is_that_loan_s(filled: House) -> None:
    one = filled.borrow(1)
    filled.read()
    filled.loans(filled.lent(4711, 1, filled.now + timedelta(minutes=3)))
    fill(filled)
    assert loans(filled) == {"B00001": "1"}
    filled.at(hours=1)
    filled.bring(1)
    filled.read()
    assert filled.told() == {(one, "loan", "once"), (one, "return", "once")}


def test_a_fill_that_lacks_most_people_is_not_taken(filled: House) -> None:
    assert filled.kiosk is not None
    filled.kiosk.store.fill("patron", [{"patron": f"x{n}"} for n in range(10)])
    filled.kiosk.commit()
    delivery = sent(filled)
    assert (take(filled, delivery)["code"], filled.kiosk.store.count("patron")) == ("FILL_TOO_SMALL", 12)
    confirm(filled.engine, delivery.id, outbound)
    done = filled.get(delivery.id)
    assert (done.state, done.reason) == (State.RETRACTED, "FILL_TOO_SMALL")


def test_a_fill_that_was_altered_or_made_for_another_is_not_taken(filled: House) -> None:
    delivery = sent(filled)
    path = path_of(filled, delivery)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + bytes(20))
    assert take(filled, delivery)["code"] == "FILL_FAILED"
    path.with_name("other.fill").write_bytes(whole)
    assert filled.kiosk is not None
    asyncio.run(_take(path.with_name("other.fill"), filled.folder, filled.engine.keys, filled.kiosk))
    assert answer_of(path.with_name("other.fill"))["code"] == "FILL_FAILED"
    (filled.folder / "journal" / "identity").write_text("another")
    path.write_bytes(whole)
    assert take(filled, delivery)["code"] == "FILL_OTHER_JOURNAL"


def test_no_name_and_no_card_lies_open_in_the_folder(filled: House) -> None:
    delivery = sent(filled)
    sealed = path_of(filled, delivery)
    assert b"Holm" not in sealed.read_bytes() and sealed.stat().st_mode & 0o077 == 0


def test_a_sidecar_that_is_stopped_is_not_waited_for(filled: House) -> None:
    delivery = sent(filled)
    confirm(filled.engine, delivery.id, outbound)
    assert filled.get(delivery.id).state == State.ACKNOWLEDGED
    assert path_of(filled, delivery).exists()
