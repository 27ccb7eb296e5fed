"""A store in PostgreSQL whose connections are cut, and whose server goes and comes: refused meanwhile, back by itself, nothing lost or doubled."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from connectors.circulation.backend import Away
from connectors.circulation.domain import Checkout, Credentials, Outcome, Request
from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.store import ADDRESS
from connectors.circulation.embedded.terms import Terms
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.journal import read
from connectors.circulation.keeping import keep
from connectors.circulation.sip2.codec import parse
from include.engine.crypto.keys import MemoryKeyStore
from tests.conftest import postgres_server
from tests.connectors.circulation.conftest import Clock, take_over
from tests.connectors.circulation.running import Raw, running

NOW = "20261120    130000"


class Server:
    """A PostgreSQL server of these tests' own, for it is stopped."""

    def __init__(self, server: Any) -> None:
        self._server, self.url = server, str(server.get_uri())

    def cut(self) -> int:
        """End every connection but ours; returns how many there were."""
        with psycopg.connect(self.url, autocommit=True) as own:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            return len(own.execute(query).fetchall())

    def settle(self) -> None:
        """Have everything that was committed on disk."""
        with psycopg.connect(self.url, autocommit=True) as own:
            own.execute("CHECKPOINT")

    def stop(self) -> None:
        """At once, as when its machine goes: what it had not written to disk is lost."""
        os.kill(self._server.get_pid(), signal.SIGQUIT)
        _until(lambda: not self._server.get_postmaster_info().is_running())

    def start(self) -> None:
        self._server.ensure_postgres_running()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with postgres_server() as found:
        yield Server(found)


@pytest.fixture
def database(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(ADDRESS, server.url)
    return "postgres"


@pytest.fixture
def checkout(clock: Clock) -> Checkout:
    return Checkout("kiosk1", clock(), "main", key="k1", patron=Credentials("c1"), item="b1")


def _do(library: Embedded, request: Request) -> Outcome:
    return asyncio.run(library.perform(request))


def _until(true: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_its_database_the_store_is_away_and_comes_back_with_all_it_had(
    server: Server, library: Embedded, checkout: Checkout
) -> None:
    assert _do(library, checkout).ok  # not committed: it is in the journal alone
    assert server.cut() == 1
    for request in (checkout, replace(checkout, key="k2", item="b2")):
        with pytest.raises(Away, match="does not answer"):
            _do(library, request)
    assert not asyncio.run(library.online())
    library.open_again()
    assert asyncio.run(library.online())
    assert (again := _do(library, checkout)).ok and again.again
    assert [row["item"] for row in library.store.rows("loan")] == ["b1"]


def test_what_is_in_the_journal_when_the_database_goes_is_answered_ok(
    server: Server, library: Embedded, checkout: Checkout, home: Path, keys: MemoryKeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = library.store.apply

    def cut(changes: Any) -> None:
        server.cut()
        plain(changes)

    monkeypatch.setattr(library.store, "apply", cut)
    assert _do(library, checkout).ok
    monkeypatch.undo()
    with pytest.raises(Away):
        _do(library, checkout)
    library.open_again()
    assert _do(library, checkout).again
    assert [entry.data["kind"] for entry in read(home / "journal", keys)] == ["checkout"]


def test_a_transaction_that_the_database_breaks_off_is_trouble_like_any_other(library: Embedded, checkout: Checkout) -> None:
    assert _do(library, checkout).ok
    with pytest.raises(Away):
        library.store._db.run("INSERT INTO loan VALUES ('b2', 'p1', 1, 99999999999999999999999, 0)")
    with pytest.raises(Away):
        library.commit()
    library.open_again()
    assert [row["item"] for row in library.store.rows("loan")] == ["b1"]


def test_a_store_that_is_away_at_the_end_costs_nothing(server: Server, library: Embedded, checkout: Checkout, keys: MemoryKeyStore) -> None:
    assert _do(library, checkout).ok
    server.cut()
    library.close()
    again = opened(library._folder, keys, library.terms.rules)
    assert [row["item"] for row in again.store.rows("loan")] == ["b1"]
    take_over(library, again)


def test_what_was_filled_is_on_the_server_s_disk_once_the_store_is_closed(server: Server, library: Embedded, keys: MemoryKeyStore) -> None:
    library.store.fill("item", [{"item": "last", "title": "The last book"}])
    library.close()
    server.stop()
    server.start()
    again = opened(library._folder, keys, library.terms.rules)
    assert again.store.get("item", "last")["title"] == "The last book"
    take_over(library, again)


def test_a_copy_whose_store_is_away_knows_nobody_until_it_is_back(server: Server, library: Embedded) -> None:
    copy = Copy(library.terms.rules, library.store)

    async def known() -> list[bool]:
        return [await copy.patron(Credentials("c1")) is not None, copy.item("b1") is not None]

    async def over_an_outage() -> None:
        assert await known() == [True, True]
        server.settle()
        server.cut()
        assert await known() == [False, False]
        server.stop()
        try:
            await copy.look()
            assert await known() == [False, False]
        finally:
            server.start()
        await copy.look()
        assert await known() == [True, True]

    asyncio.run(over_an_outage())


def test_a_copy_leaves_no_transaction_open(server: Server, library: Embedded, tmp_path: Path) -> None:
    library.commit()  # its own is open while it serves; here it is at rest
    copy = Copy.at(tmp_path / "copy", library.terms.rules)
    copy.store.fill("card", [{"card": "c9", "patron": "p9"}])

    def open_ones() -> int:
        with psycopg.connect(server.url, autocommit=True) as own:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            return int(own.execute(query).fetchall()[0][0])

    assert open_ones() == 0
    assert asyncio.run(copy.patron(Credentials("c9"))) is None and copy.item("b1") is None
    assert open_ones() == 0
    copy.store.open_again()
    assert copy.store.count("card") == 1 and open_ones() == 0
    copy.close()


def test_kiosks_go_on_over_cut_connections_and_a_server_that_is_killed(
    server: Server, library: Embedded, clock: Clock, home: Path, keys: MemoryKeyStore
) -> None:
    rounds, kiosks = 30, 3
    library.store.fill(
        "item",
        [{"item": f"k{n}{m:03}", "title_id": f"t{n}{m}", "title": "T", "material": "book"} for n in range(kiosks) for m in range(rounds)],
    )
    library.commit()
    done, refused, stop = Counter[tuple[str, str]](), Counter[str](), threading.Event()
    turns = threading.Semaphore(0)  # so that they are not through before the last cut, however fast they are

    def said(kiosk: Raw, line: str) -> None:
        turns.acquire()
        while not stop.is_set():
            answer = parse(kiosk.ask(line))
            if answer.fixed["ok"] == "1":
                return
            refused[answer.fields["AF"]] += 1
            time.sleep(0.01)

    def kiosk(number: int, port: int) -> None:
        with Raw(port) as line:
            line.log_in()
            for one in range(rounds):
                stamp, item = f"20261120    13{one // 60:02}{one % 60:02}", f"k{number}{one:03}"
                said(line, f"11NN{stamp}{' ' * 18}AO|AAc1|AB{item}|AC|")
                done["checkout", item] += 1
                if one % 10:
                    said(line, f"09N{stamp}{stamp}AP|AO|AB{item}|AC|")
                    done["checkin", item] += 1

    library.terms = Terms(library.terms.rules.model_copy(update={"defaults": dataclasses.replace(library.terms.rules.defaults, loans=99)}))
    chance = random.Random(6)
    with running(library, now=clock) as here:
        keeping = asyncio.run_coroutine_threadsafe(keep(library, 0.05), here.loop)
        threads = [threading.Thread(target=kiosk, args=(number, here.port), daemon=True) for number in range(kiosks)]
        for one in threads:
            one.start()
        try:
            for time_ in range(6):
                turns.release(24)
                enough = done.total() + chance.randrange(3, 12)
                _until(lambda enough=enough: done.total() >= enough)
                if time_ == 3:
                    server.stop()
                    with Raw(here.port) as other:
                        other.log_in("kiosk2")
                        assert other.ask("9900802.00").startswith("98N")
                        assert parse(other.ask(f"11NN{NOW}{NOW}AO|AAc2|ABb1|AC|")).fixed["ok"] == "0"
                        server.start()
                        _until(lambda other=other: other.ask("9900802.00").startswith("98Y"))
                else:
                    server.cut()
            turns.release(kiosks * 2 * rounds)
            for one in threads:
                one.join(300)
            assert not any(one.is_alive() for one in threads)
        finally:
            stop.set()
            turns.release(kiosks * 2 * rounds)
        keeping.cancel()
    assert done.total() == kiosks * (rounds + rounds - rounds // 10)
    assert set(refused) <= {"The library system does not answer"} and refused
    journal = Counter((entry["kind"], entry["asked"]["item"]) for _, entry in read(home / "journal", keys))
    assert journal == done
    assert {row["item"] for row in library.store.rows("loan")} == {f"k{n}{m:03}" for n in range(kiosks) for m in range(0, rounds, 10)}
