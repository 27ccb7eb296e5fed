"""A publish that meets somebody else in its table, between its preparation and its commit: a compaction, an erasure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from include.engine.lake import read as lake_read
from tests.crash.cases import Case, Found, Stage, to_the_end
from tests.crash.house import House
from tests.crash.processes import Process, Zygote
from tests.crash.state import data_files, differences, left
from tests.crash.targets import FRAGMENTS, TARGETS
from tests.crash.task import DONE, TROUBLE


def meetings(zygote: Zygote, folder: Path, seed: int) -> list[Found]:
    """Every meeting once, in worlds of this seed."""
    items = Stage.set(zygote, folder / "items", seed, FRAGMENTS)
    patrons = Stage.set(zygote, folder / "patrons", seed, TARGETS[0])
    played = [(items, _compaction), (items, _forgetting), (patrons, _erasure)]
    found = []
    for stage, play in played:
        one = Found(Case(f"met by {play.__name__.strip('_')}", seed, "publish", "lake.written"))
        found.append(one)
        house = stage.at("publish")
        env = house.env | {"BINDERY_STOP_AT": "lake.written"}
        publish = zygote.start("publish", house.delivery, home=house.home, env=env)
        if publish.wait_stopped():
            play(stage, house, publish, one)
        else:
            one.wrong.append(f"the publish ended with {publish.code} before it was met")
    return found


Meeting = Callable[[Stage, House, Process, Found], None]


def _compaction(stage: Stage, house: House, publish: Process, found: Found) -> None:
    """The files that the publish compared with are written together: it compares again, and the rows are the same."""
    files = len(data_files(house.engine, "item"))
    other = stage.zygote.start("compact", "item", home=house.home, env=house.env)
    if other.wait() != DONE or not other.said():
        found.wrong.append(f"nothing was compacted of {files} files: {other.said()}")
    _goes_on(stage, house, publish, found)
    found.wrong += differences(left(house.engine, house.delivery), stage.wanted)


def _forgetting(stage: Stage, house: House, publish: Process, found: Found) -> None:
    """Rows of somebody are taken out of the table and its past: the publish does not bring them back, and no file of theirs stays."""
    rows = lake_read.read(stage.house.engine.lake, "item", version="newest").to_pylist()
    gone = next(row["_row_hash"] for row in rows if row["placeholder"])  # one that the delivery does not bring
    other = stage.zygote.start("forget", "havnsund", "item", str(gone), home=house.home, env=house.env)
    if other.wait() != DONE or not other.said():
        found.wrong.append(f"nothing was forgotten: {other.said()}")
    _goes_on(stage, house, publish, found)
    without = Counter({text: count for text, count in stage.wanted.lake["item"].items() if f"'_row_hash': {gone}}}" not in text})
    wanted = replace(stage.wanted, lake=stage.wanted.lake | {"item": without})
    found.wrong += differences(left(house.engine, house.delivery), wanted)
    files = [path for path in data_files(house.engine, "item") if gone in _hashes(house.home / "lake" / "item" / path)]
    if files:
        found.wrong.append(f"the row is still in {files}")


def _hashes(file: Path) -> set[int]:
    return set(pq.read_table(file, columns=["_row_hash"], partitioning=None).column("_row_hash").to_pylist())


def _erasure(stage: Stage, house: House, publish: Process, found: Found) -> None:
    """Someone whose data is on its way is erased: the erasure waits for the delivery, and then finds everything."""
    rows = lake_read.read(stage.house.engine.lake, "patron_identity", columns=["patron", "patron_id"], version="newest").to_pylist()
    person = rows[len(rows) // 2]
    early = stage.zygote.start("erase", "lindeby", person["patron_id"], home=house.home, env=house.env)
    if early.wait() != TROUBLE or "ERASURE_WAITS" not in str(early.said()):
        found.wrong.append(f"the erasure did not wait: {early.said()}")
    _goes_on(stage, house, publish, found)
    found.wrong += differences(left(house.engine, house.delivery), stage.wanted)
    late = stage.zygote.start("erase", "lindeby", person["patron_id"], home=house.home, env=house.env)
    if late.wait() != DONE:
        found.wrong.append(f"the erasure ended with {late.code}: {late.said()}")
    for table in ("patron_identity", "patron", "patron_alias"):
        still = [row for row in lake_read.read(house.engine.lake, table).to_pylist() if row["patron"] == person["patron"]]
        if still:
            found.wrong.append(f"{len(still)} rows of the person stay in {table}")


def _goes_on(stage: Stage, house: House, publish: Process, found: Found) -> None:
    publish.resume()
    if publish.wait() != DONE:
        found.wrong.append(f"the publish ended with {publish.code}: {publish.said()}")
    to_the_end(stage.zygote, house, "acknowledge")
