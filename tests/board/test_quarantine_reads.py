"""Pages of the quarantine on both databases: whatever is asked, the pages together are the records that fit, in order, each once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from include.engine.delivery import NewDelivery
from include.engine.ledger import Ledger, deliveries, quarantined
from include.engine.ledger.quarantined import Fate
from include.engine.ledger.schema import quarantined as table
from plugins.board.reads.quarantine import MANY, Asked, counted, named, page, reasons_there
from tests.conftest import sqlite_ledger

START = datetime(2026, 11, 1, tzinfo=UTC)
PARTNERS, REASONS = ("aarhus", "lindeby", "molendal"), ("DATE_UNREADABLE", "KEY_MISSING", "ROW_RAGGED")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Ledger]:
    """Four hundred records of three partners; many of the same moment."""
    if request.param == "sqlite":
        found = sqlite_ledger(tmp_path_factory.mktemp("reads") / "ledger.db", migrated_file)
    else:
        server = Ledger(request.getfixturevalue("postgres_url"))
        name = f"reads_{uuid4().hex[:8]}"
        with server.autocommit() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        found = Ledger(sa.make_url(server.url).set(database=name).render_as_string(hide_password=False))
        found.migrate()
    chance = random.Random(5)
    with found.begin() as tx:
        for number in range(20):
            partner, flow = PARTNERS[number % 3], ("ils_import", "oai_harvest")[number % 2]
            new = NewDelivery(
                f"{partner}__{number}", partner, flow, "loan", START + timedelta(days=number), path=f"loans_{number:02}_50%.csv"
            )
            deliveries.see(found, new, tx=tx)
        tx.execute(sa.text("UPDATE delivery SET count_quarantined = 20"))
        rows = [
            {
                "delivery_id": f"{PARTNERS[number % 20 % 3]}__{number % 20}", "step": "gate", "member": "", "record": number, "offset": 0, "length": 1,
                "reason": chance.choice(REASONS), "column": None, "blob_uri": "file:x", "blob_row": number, "state": chance.choice(list(Fate)),
                "note": None, "at": START + timedelta(days=chance.randrange(8)), "partner": PARTNERS[number % 20 % 3],
                "flow": ("ils_import", "oai_harvest")[number % 20 % 2],
            }
            for number in range(400)
        ]  # fmt: skip
        tx.execute(sa.insert(table), rows)
    yield found


def all_pages(ledger: Ledger, partners: frozenset[str] | None, asked: Asked, size: int) -> list[int]:
    found: list[int] = []
    before = None
    with ledger.read() as tx:
        while some := page(tx, partners, asked, before, size):
            found += [one.id for one in some]
            before = some[-1].at, some[-1].id
    return found


def test_pages_hold_whatever_fits_once_and_in_order(ledger: Ledger) -> None:
    every = quarantined.find(ledger)
    chance = random.Random(11)
    for _ in range(60):
        partners = chance.choice([None, None, frozenset({"aarhus"}), frozenset(PARTNERS[:2]), frozenset[str]()])
        asked = Asked(
            partner=chance.choice(["", "", *PARTNERS]), flow=chance.choice(["", "", "oai_harvest"]), reason=chance.choice(["", "", *REASONS]),
            delivery=chance.choice(["", "", "", "aarhus__3", "lindeby__4"]), state=chance.choice(["", *Fate]),
            since=chance.choice([None, START + timedelta(days=3)]), until=chance.choice([None, START + timedelta(days=5)]),
            **chance.choice([{}, {}, {"reasons": REASONS[:2], "deliveries": ("aarhus__0", "lindeby__1")}, {"reasons": (), "deliveries": ()}]),
        )  # fmt: skip

        def fits(one: quarantined.Quarantined, partners: frozenset[str] | None = partners, asked: Asked = asked) -> bool:
            return all((
                partners is None or one.partner in partners, asked.partner in ("", one.partner), asked.flow in ("", one.flow),
                asked.reason in ("", one.reason), asked.delivery in ("", one.delivery_id), asked.state in ("", one.state),
                asked.since is None or one.at >= asked.since, asked.until is None or one.at < asked.until,
                asked.reasons is None or one.reason in asked.reasons or one.delivery_id in (asked.deliveries or ()),
            ))  # fmt: skip

        expected = [one.id for one in sorted(filter(fits, every), key=lambda one: (one.at, one.id), reverse=True)]
        assert all_pages(ledger, partners, asked, chance.choice([7, 50])) == expected, asked
        with ledger.read() as tx:
            assert counted(tx, partners, asked) == min(len(expected), MANY + 1)


def test_a_question_about_very_many_is_one_question(ledger: Ledger) -> None:
    many = Asked(state="", reasons=(), deliveries=tuple(f"{PARTNERS[n % 3]}__{n}" for n in range(20)))
    assert len(all_pages(ledger, None, many, 300)) == 400
    assert len(all_pages(ledger, frozenset({"aarhus"}), many, 300)) == sum(one.partner == "aarhus" for one in quarantined.find(ledger))


def test_reasons_and_files_are_those_that_may_be_seen(ledger: Ledger) -> None:
    with ledger.read() as tx:
        assert reasons_there(tx, None) == reasons_there(tx, frozenset(PARTNERS)) == sorted(REASONS)
        assert reasons_there(tx, frozenset()) == reasons_there(tx, frozenset({"nobody"})) == []
        assert named(tx, None, "LOANS_03_50%") == ("aarhus__3",)
        assert named(tx, frozenset({"lindeby"}), "loans_03") == ()
        assert len(named(tx, None, "_50%.csv")) == 20
        assert named(tx, None, "loans_x3") == ()
