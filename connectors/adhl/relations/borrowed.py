"""Who borrowed what: the lake's loans as one sparse list a patron. DuckDB reads and joins within its memory limit; only numbers leave it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from connectors.adhl.pid import LONGEST
from connectors.adhl.relations.house import House
from connectors.adhl.relations.settings import Settings
from include.engine.lake.steps import step

_SQL = Path(__file__).parent / "sql"
Ids = npt.NDArray[np.int32]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Borrowed:
    """`title[first[i]:first[i + 1]]` are the distinct titles of patron i, as places in `titles`, where they lie in the order of their pids.

    titles: columns pid, title, creator (the last two may be null). left_out: rows of the lake that did not count, by partner and reason.
    """

    first: Places
    title: Ids
    titles: pa.Table
    loans: int
    left_out: dict[str, dict[str, int]]

    @property
    def patrons(self) -> int:
        return len(self.first) - 1


def gather(house: House, work: Path) -> Borrowed:
    """Read the loans of all partners; `work` is a folder for scratch files."""
    left_out: dict[str, dict[str, int]] = {}
    loans = 0
    with _database(house.settings, work) as db:
        _run(db, "all")
        for partner in house.source.partners():
            told = _read(db, house, partner)
            loans += told.pop("", 0)
            left_out[partner] = dict(sorted(told.items()))
        texts = db.sql("SELECT pid, title, creator, id FROM title ORDER BY pid").to_arrow_table()
        place = np.empty(texts.num_rows, np.int32)
        place[np.asarray(texts["id"])] = np.arange(texts.num_rows, dtype=np.int32)
        first, title, aside = _lists(db, house.settings)
    if aside:
        left_out["all"] = aside
    return Borrowed(first, place[title], texts.drop_columns(["id"]), loans, left_out)


def _read(db: duckdb.DuckDBPyConnection, house: House, partner: str) -> Counter[str]:
    """One partner's loans into `borrowed`; rows by the reason why they do not count, "" for those that do."""
    for name, value in {"partner": partner, "catalogue": house.catalogue(partner), "longest": LONGEST}.items():
        db.execute(f"SET VARIABLE {name} = ?", [value])
    for table in ("bibliographic", "item", "patron", "patron_alias"):
        with closing(house.source.stream(table, partner)) as reader:
            db.register("incoming", reader)
            db.execute(f"CREATE TABLE {table} AS SELECT * FROM incoming")  # noqa: S608  the name is one of INPUTS
            db.unregister("incoming")
    db.execute(step("one_of"))
    db.execute(step("item_of_barcode"))
    _run(db, "title_of")
    with closing(house.source.stream("loan", partner)) as reader:
        db.register("incoming", reader)
        _run(db, "loan")
        db.unregister("incoming")
    told = Counter({reason or "": rows for reason, rows in db.execute("SELECT left_out, count(*) FROM told GROUP BY left_out").fetchall()})
    _run(db, "forget")
    return told


def _lists(db: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[Places, Ids, dict[str, int]]:
    """(first, title) of all patrons, without those who are no person, and with the newest `most_titles` of the others; what was left out."""
    rows = db.sql("SELECT who, title, day FROM borrowed ORDER BY who").fetchnumpy()
    who, title = np.asarray(rows["who"]), np.asarray(rows["title"], np.int32)
    first = np.flatnonzero(np.concatenate([[True], who[1:] != who[:-1], [True]])).astype(np.int64) if len(who) else np.zeros(1, np.int64)
    many = np.diff(first)
    heavy = np.flatnonzero(many > settings.most_titles)
    keep = np.ones(len(title), np.bool_)
    for patron in heavy:
        mine = slice(first[patron], first[patron + 1])
        keep[mine] = False
        if many[patron] <= settings.institution_titles:
            # Newest first; of one day, those that were catalogued first: the same choice every time.
            order = np.lexsort((title[mine], -np.asarray(rows["day"][mine]).astype("datetime64[D]").astype(np.int64)))
            keep[first[patron] + order[: settings.most_titles]] = True
    no_person = int((many[heavy] > settings.institution_titles).sum())
    left = {"patrons_who_are_no_person": no_person, "titles_of_patrons_with_very_many": int((~keep).sum())}
    if len(heavy):
        lengths = np.add.reduceat(keep, first[:-1]).astype(np.int64)
        first = np.concatenate([[0], np.cumsum(lengths[lengths > 0])])
        title = title[keep]
    return first, title, {name: count for name, count in left.items() if count}


@contextmanager
def _database(settings: Settings, work: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    db = duckdb.connect()  # what is more than its memory goes to the spill, and no byte is written in vain
    try:
        db.execute("SET memory_limit = ?", [settings.memory])
        db.execute("SET threads = ?", [settings.threads])
        db.execute("SET temp_directory = ?", [str(work / "spill")])
        db.execute("SET preserve_insertion_order = false")
        yield db
    finally:
        db.close()


def _run(db: duckdb.DuckDBPyConnection, name: str) -> None:
    db.execute((_SQL / f"{name}.sql").read_text(encoding="utf-8"))
