"""What was expected and is not here, on both databases; and however much is wrong, the overview asks the ledger as often as when little is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors import flow_models
from include.engine import clock
from include.engine.delivery import NewDelivery, State
from include.engine.ledger import Ledger, claims, deliveries
from include.engine.partner.loading import Partners, load_partners
from include.engine.partner.settings import Partner
from plugins.board.reads import costly, expected, lanes
from plugins.board.reads.expected import Missing
from plugins.board.reads.overview import overview
from tests.conftest import sqlite_ledger

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
YAML = """\
name: A library
timezone: UTC
status: live
flows:
  ils_import:
    profile: koha
    inbox: file:inbox/{id}
    deliveries:
      - {{table: item, files: "items_*", mode: full, expected: "daily 06:00"}}
      - {{table: loan, files: "loans_*", mode: delta, loans: history, expected: "daily 06:00"}}
      - {{table: loan, files: "more_*", mode: delta, loans: history, expected: "daily 06:00"}}
"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[Ledger]:
    """A ledger in which each test has partners of its own."""
    if request.param == "sqlite":
        yield sqlite_ledger(tmp_path_factory.mktemp("expected") / "ledger.db", migrated_file)
        return
    url = request.getfixturevalue("postgres_url")
    server = Ledger(url)
    with server.autocommit() as connection:
        connection.exec_driver_sql("CREATE DATABASE expected")
    ledger = Ledger(url.replace("/postgres?", "/expected?"))
    ledger.migrate()
    yield ledger
    with server.autocommit() as connection:
        connection.exec_driver_sql("DROP DATABASE expected WITH (FORCE)")


def libraries(folder: Path, *ids: str) -> list[Partner]:
    folder.mkdir()
    for id in ids:
        (folder / f"{id}.yaml").write_text(YAML.format(id=id))
    found = load_partners(folder, flow_models())
    assert found.mistakes == ()
    return list(found.partners.values())


def came(ledger: Ledger, partner: str, table: str, path: str, hours: float, origin: str | None = None) -> str:
    id = f"{partner}__{table}__{path}__{hours}"
    deliveries.see(ledger, NewDelivery(id, partner, "ils_import", table, NOW - timedelta(hours=hours), path=f"in/{path}", origin=origin))
    return id


def missing(ledger: Ledger, partners: list[Partner]) -> list[Missing]:
    with ledger.read() as tx:
        found = expected.missing(tx, partners, NOW, lanes.newest(tx, None))
        assert found == expected.missing(tx, partners, NOW)  # also without what the overview knows already
    return found


def test_each_kind_of_file_is_missed_by_its_own_name(fresh: Ledger, tmp_path: Path) -> None:
    a, b, c = libraries(tmp_path / "partners", "almvik", "havnsund", "lindeby")
    came(fresh, "almvik", "loan", "loans_1", 100)
    came(fresh, "almvik", "loan", "more_1", 6)  # the newest of its table, and no word of the other
    first = came(fresh, "almvik", "item", "items_1", 50)
    came(fresh, "almvik", "item", "items_1", 5, first)  # a replay is no new file
    for hours in (8, 7, 6):
        came(fresh, "havnsund", "loan", f"more_{hours}", hours)
        came(fresh, "havnsund", "item", f"items_{hours}", hours)
    found = [
        (one.partner, one.files, None if one.last is None else (NOW - one.last) / timedelta(hours=1)) for one in missing(fresh, [a, b, c])
    ]
    assert found == [
        ("almvik", "items_*", 50),
        ("almvik", "loans_*", 100),
        ("havnsund", "loans_*", None),
        *(("lindeby", files, None) for files in ("items_*", "loans_*", "more_*")),
    ]
    assert {one.due for one in missing(fresh, [a])} == {NOW.replace(hour=6)}


@contextmanager
def asked() -> Iterator[list[str]]:
    """Every statement that goes to a database meanwhile."""
    statements: list[str] = []

    def note(*seen: Any) -> None:
        statements.append(seen[2])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def test_for_many_late_files_and_stopped_deliveries_the_overview_asks_as_often_as_for_one_library_s(
    fresh: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(costly, "FACTOR", 0.0)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    many = libraries(tmp_path / "partners", *(f"lib{number}" for number in range(12)))
    for one in many:
        came(fresh, one.id, "loan", "loans_1", 50)
        stopped = came(fresh, one.id, "item", "items_1", 49)
        claims.claim(fresh, stopped)
        claims.advance(fresh, claims.take(fresh, stopped, "receive"), State.BLOCKED, reason="FILE_EMPTY")
    counts: list[int] = []
    for some in (many[:1], many):
        settled = Partners({one.id: one for one in some})
        with asked() as statements:
            found = overview(fresh, settled, frozenset(settled.partners))
        counts.append(len(statements))
        kinds = Counter(one.kind for one in found.troubles)
        assert (kinds["missing"], kinds["blocked"]) == (len(some), len(some))
    assert counts[0] == counts[1] > 0
