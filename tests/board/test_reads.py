"""What the pages read is the same from SQLite and from PostgreSQL, and nothing of another partner comes with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine

from include.engine.delivery import State
from include.engine.engine import Engine
from include.engine.errors import UnknownDelivery
from include.engine.gate.result import RuleResult
from include.engine.ledger import Ledger, deliveries, gate_results
from include.engine.partner.loading import Partners, load_partners
from plugins.board.reads import contracts, figures
from plugins.board.reads.deliveries import listed
from plugins.board.reads.life import life
from plugins.board.reads.overview import overview
from tests.board.busy import NOW, busy
from tests.conftest import sqlite_ledger


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Engine]:
    base = tmp_path_factory.mktemp("reads")
    if request.param == "sqlite":
        ledger = sqlite_ledger(base / "ledger.db", migrated_file)
    else:
        url = request.getfixturevalue("postgres_url")
        with Ledger(url).autocommit() as connection:
            connection.exec_driver_sql("CREATE DATABASE board_reads")
        ledger = Ledger(url.replace("/postgres?", "/board_reads?"))
        ledger.migrate()
    made = busy(base, ledger, days=1)
    with time_machine.travel(NOW, tick=False):
        yield made


def settled(engine: Engine, only: str | None = None) -> Partners:
    found = load_partners(engine.partners_folder, engine.flows)
    return found if only is None else Partners({only: found.partners[only]})


def test_the_overview_of_two_days(engine: Engine) -> None:
    found = overview(engine.ledger, settled(engine), None)
    kinds = {(one.partner, one.kind) for one in found.troubles}
    assert kinds >= {("sondervig", "mistake"), ("havnsund", "blocked"), ("molendal", "unreachable"), ("tavsby", "missing_never")}
    assert kinds >= {("lindeby", "held"), ("lindeby", "backlog"), ("almvik", "stuck")}
    cells = {(row.partner, flow): cell for row in found.rows for flow, cell in row.cells.items()}
    days = cells["lindeby", "ils_import"].days
    assert len(days) == figures.DAYS and days[-1].day == NOW.date() and days[-1].deliveries == 7 and days[-2].records > 0
    assert cells["havnsund", "ils_import"].days[-1].stopped == 1
    assert found.rows[0].level == "stop" and found.flows[0] == "ils_import"


def test_the_overview_of_one_partner_has_nothing_of_others(engine: Engine) -> None:
    found = overview(engine.ledger, settled(engine, "almvik"), frozenset({"almvik"}))
    assert {row.partner for row in found.rows} == {"almvik"} == {one.partner for one in found.troubles}
    assert overview(engine.ledger, Partners(), frozenset()).rows == ()


def test_how_contracts_fare(engine: Engine) -> None:
    with engine.ledger.read() as tx:
        fares, own = contracts.fares(tx, None), contracts.fares(tx, {"molendal"})
        rules = contracts.rules(tx, "ils_patron", None)
        versions = contracts.versions(tx, "ils_patron", None)
        broken = contracts.broken(tx, "ils_patron", None)
        daily = contracts.daily(tx, "ils_patron", None)
    fare = fares["ils_patron"]
    assert fare.deliveries == versions[0].deliveries == sum(judged for _, judged, _ in daily) > own["ils_patron"].deliveries
    assert fare.broken == len(broken) == sum(bad for _, _, bad in daily)
    assert fare.rate == 1 - fare.broken / fare.deliveries
    assert rules["patron_id_given"].row_rate == 1.0
    assert [one.version for one in versions] == ["1.0.0"]


@pytest.mark.parametrize(("severity", "stops"), [("warn", False), ("quarantine", True), ("block", True)])
def test_a_rule_that_only_warns_stops_no_delivery_however_many_rows_break_it(engine: Engine, severity: str, stops: bool) -> None:
    with engine.ledger.read() as tx:
        one = listed(tx, None, state="acknowledged")[0]
    contract = f"made_up_{severity}"
    gate_results.add(engine.ledger, one.id, contract, contract, "1.0.0", [RuleResult("r", severity, "CURRENCY_MISSING", 100, 84, False)])
    with engine.ledger.read() as tx:
        assert contracts.fares(tx, None)[contract].stopped == contracts.rules(tx, contract, None)["r"].stopped == int(stops)
        assert [bad.stopped for bad in contracts.broken(tx, contract, None)] == [stops]


def test_a_list_and_a_life_are_of_what_may_be_seen(engine: Engine) -> None:
    with engine.ledger.read() as tx:
        held = listed(tx, None, state="held")
        assert [one.partner for one in held] == ["lindeby"]
        assert listed(tx, {"almvik"}, state="held") == [] == listed(tx, {"almvik"}, partner="lindeby")
        everything = listed(tx, None, limit=1000)
        assert [one.arrival for one in everything] == sorted((one.arrival for one in everything), reverse=True)
        assert {one.state for one in listed(tx, None, state="stopped")} == {State.BLOCKED}
    found = life(engine.ledger, held[0].id, {"lindeby"})
    assert found.steps[-1].state == State.HELD and found.results
    with pytest.raises(UnknownDelivery):
        life(engine.ledger, held[0].id, {"almvik"})
    assert deliveries.get(engine.ledger, held[0].id).counts.held == held[0].counts.in_
