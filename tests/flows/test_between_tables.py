"""A delivery of several tables is seen in all of them or in none, whoever else publishes between its commits, and however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from include.engine.delivery import Delivery, State
from include.engine.errors import BinderyError
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.lake import read as lake_read
from include.engine.ledger import manifests
from include.engine.retract import retract
from tests.flows.conftest import Make, yaml
from tests.flows.files import PATRONS, csv
from tests.house import MASTER, House

TABLES = ("patron", "patron_alias", "patron_identity")
PUBLISH = """
import sys
from connectors import flow_models
from connectors.ils import inbound
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.inbound.publish import publish
print(publish(Engine.open(EnvironmentCredentials(), flow_models()), sys.argv[1], inbound))
"""


def people(first: int, count: int) -> bytes:
    return csv(PATRONS, [f"{n},C{n},Holm,Ida,1990-01-01,MAIN,PT," for n in range(first, first + count)])


@pytest.fixture
def two(at: Make) -> House:
    """A house with a second library."""
    house = at()
    (house.engine.partners_folder / "almvik.yaml").write_text(yaml(inbox="file:inbox/almvik"), encoding="utf-8")
    return house


def gated(house: House, partner: str, name: str, content: bytes) -> Delivery:
    folder = house.engine.home / "inbox" / partner
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    [claimed] = house.claimed()
    receive(house.engine, claimed.id, house.connector)
    gate(house.engine, claimed.id, house.connector)
    return claimed


def killed_between(house: House, delivery: Delivery) -> None:
    """A real task that dies (-9) once its first table is committed."""
    there = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "BINDERY_HOME": str(house.engine.home),
        "BINDERY_LEDGER": house.engine.ledger.url,
        "BINDERY_PARTNERS": str(house.engine.partners_folder),
        "BINDERY_DIE_AT": "publish.table",
        **MASTER,
    }
    task = subprocess.run([sys.executable, "-c", PUBLISH, delivery.id], env=there, capture_output=True, text=True, check=False)
    assert task.returncode == -signal.SIGKILL, task.stderr


def seen(house: House) -> dict[str, dict[str, int]]:
    """How many rows of each partner a reader sees in each table."""
    found: dict[str, dict[str, int]] = {}
    for table in TABLES:
        for partner in lake_read.read(house.engine.lake, table, columns=["partner"])["partner"].to_pylist():
            rows = found.setdefault(partner, {})
            rows[table] = rows.get(table, 0) + 1
    return found


def all_of(count: int) -> dict[str, int]:
    return dict.fromkeys(TABLES, count)


def test_what_died_between_two_tables_is_in_no_table_though_another_library_publishes_and_in_all_once_it_is_done(two: House) -> None:
    mine = gated(two, "havnsund", "patrons_1.csv", people(1, 5))
    killed_between(two, mine)
    assert seen(two) == {}, "also a table that was never pinned shows nothing of it"
    theirs = gated(two, "almvik", "patrons_1.csv", people(1, 3))
    publish(two.engine, theirs.id, two.connector)
    acknowledge(two.engine, theirs.id, two.connector)
    assert "havnsund" not in seen(two)
    done = two.run(mine.id)
    assert done.state == State.ACKNOWLEDGED
    assert seen(two) == {"havnsund": all_of(5), "almvik": all_of(3)}


def test_readers_keep_what_they_had_and_no_version_they_get_ever_goes_back(two: House) -> None:
    for partner in ("havnsund", "almvik"):
        first = gated(two, partner, "patrons_1.csv", people(1, 2))
        two.run(first.id)
    before, rows = manifests.latest(two.engine.ledger), seen(two)
    mine = gated(two, "havnsund", "patrons_2.csv", people(3, 4))
    killed_between(two, mine)
    theirs = gated(two, "almvik", "patrons_2.csv", people(3, 1))
    two.run(theirs.id)
    assert manifests.latest(two.engine.ledger) == before
    assert seen(two) == rows
    two.run(mine.id)
    after = manifests.latest(two.engine.ledger)
    assert all(after[table] > version for table, version in before.items())
    assert seen(two) == {"havnsund": all_of(6), "almvik": all_of(3)}


def test_one_that_is_given_up_between_two_tables_keeps_no_other_library_waiting(two: House) -> None:
    mine = gated(two, "havnsund", "patrons_1.csv", people(1, 5))
    killed_between(two, mine)
    acknowledge(two.engine, mine.id, two.connector)
    assert two.get(mine.id).state == State.FAILED
    theirs = gated(two, "almvik", "patrons_1.csv", people(1, 3))
    two.run(theirs.id)
    assert seen(two)["almvik"] == all_of(3)


def test_a_retraction_that_dies_between_two_tables_is_seen_once_it_is_whole(two: House, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = two.run(gated(two, "havnsund", "patrons_1.csv", people(1, 5)).id)
    import include.engine.retract as step

    whole, done = step.retract_table, []

    def dies(*given: object) -> object:
        if done:
            raise BinderyError("it dies here")
        done.append(whole(*given))  # type: ignore[arg-type]
        return done[0]

    with monkeypatch.context() as patched:
        patched.setattr(step, "retract_table", dies)
        with pytest.raises(BinderyError):
            retract(two.engine, mine.id, who="test")
    two.run(gated(two, "almvik", "patrons_1.csv", people(1, 3)).id)
    assert seen(two) == {"havnsund": all_of(5)}
    retract(two.engine, mine.id, who="test")
    assert seen(two) == {"almvik": all_of(3)}
