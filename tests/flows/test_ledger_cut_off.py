"""PostgreSQL ends the ledger's connection in the midst of a task: the task says so, is tried again, and nothing is lost or twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors import flow_models
from connectors.ils import inbound as ils
from include.engine.delivery import State
from include.engine.errors import Unreachable
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.ledger import Ledger
from tests.flows.conftest import yaml
from tests.flows.files import ITEMS, csv, items
from tests.house import House

STEPS = (receive, gate, publish, acknowledge)


@pytest.fixture
def house(postgres_url: str, tmp_path: Path) -> Iterator[House]:
    """A library whose ledger is a PostgreSQL database of its own."""
    server, name = Ledger(postgres_url), "cut_off"
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    ledger = Ledger(sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False))
    ledger.migrate()
    made = House.build(tmp_path, ledger, ils, flow_models(), "havnsund")
    made.write(yaml())
    yield made
    with server.autocommit() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


class _Cut:
    """Ends the connection before the `at`th thing that is asked of the ledger: a statement, or a commit."""

    def __init__(self, server: Ledger, at: int) -> None:
        self.server, self.at, self.asked = server, at, 0

    def count(self, connection: sa.Connection) -> None:
        self.asked += 1
        if self.asked == self.at:
            process = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
            with self.server.autocommit() as other:
                other.exec_driver_sql(f"SELECT pg_terminate_backend({process}, 5000)")


@contextmanager
def cut(ledger: Ledger, server: Ledger, at: int) -> Iterator[_Cut]:
    """Inside, the ledger's connection ends at that point, once."""
    found = _Cut(server, at)

    def asked(connection: sa.Connection, *_: Any) -> None:
        found.count(connection)

    engines = (ledger._writer, ledger._reader)
    for engine in engines:
        for event in ("before_cursor_execute", "commit"):
            sa.event.listen(engine, event, asked)
    try:
        yield found
    finally:
        for engine in engines:
            for event in ("before_cursor_execute", "commit"):
                sa.event.remove(engine, event, asked)


def test_cut_off_at_any_place_a_task_says_so_and_its_next_try_ends_as_if_nothing_had_been(house: House, postgres_url: str) -> None:
    house.drop("items_1.csv", csv(ITEMS, [*items(1, 40), "41,t41,B00041,MAIN,BK,no date,1"]))
    [claimed] = house.claimed()
    server, ended = Ledger(postgres_url), 0
    for step in STEPS:
        at = 1
        while True:
            with cut(house.engine.ledger, server, at) as hit:
                try:
                    step(house.engine, claimed.id, house.connector)
                except Unreachable as error:
                    assert "the ledger did not answer" in str(error), error
            if hit.asked < at:  # it came to its end before that
                break
            ended += 1
            state = house.get(claimed.id).state
            assert len(house.rows("item")) == (0 if state in {State.CLAIMED, State.STAGED} else len(house.rows("item")))
            at = at * 2 + 1
    done = house.get(claimed.id)
    assert ended >= 8
    assert (done.state, done.counts.in_, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 41, 40, 1)
    assert [row["item_id"] for row in house.rows("item")] == sorted(str(number) for number in range(1, 41))
    assert len(list((house.engine.home / "receipts" / "havnsund").glob("*.txt"))) == 1
