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
    _loans(db, house, partner, "loan")
    told = Counter({reason or "": rows for reason, rows in db.execute("SELECT left_out, count(*) FROM told GROUP BY left_out").fetchall()})
    if told["no_title"]:
        before = _rows(db, "borrowed")
        _loans(db, house, partner, "loose")
        found = _rows(db, "borrowed") - before
        told += Counter({"": found})
        told -= Counter({"no_title": found})
        db.execute("DROP TABLE loose; DROP TABLE loose_number")
    _run(db, "forget")
    return told


def _loans(db: duckdb.DuckDBPyConnection, house: House, partner: str, name: str) -> None:
    """One step over the partner's loans as they stream by."""
    with closing(house.source.stream("loan", partner)) as reader:
        db.register("incoming", reader)
        _run(db, name)
        db.unregister("incoming")


def _rows(db: duckdb.DuckDBPyConnection, table: str) -> int:
    return int(db.table(table).count("*").fetchall()[0][0])


def _lists(db: duckdb.DuckDBPyConnection, settings: Settings) -> tuple[Places, Ids, dict[str, int]]:
    """(first, title) of all patrons, without those who are no person, and with the newest `most_titles` of the others; what was left out."""
    rows = db.sql("SELECT who, title, coalesce(day - DATE '1970-01-01', 0)::INTEGER AS day FROM borrowed ORDER BY who").fetchnumpy()
    db.execute("DROP TABLE borrowed")
    who, title, day = (np.asarray(rows.pop(name)) for name in ("who", "title", "day"))
    patron = np.zeros(len(who), np.int64)
    np.cumsum(who[1:] != who[:-1], out=patron[1:])
    del who
    begin = np.flatnonzero(np.diff(patron, prepend=-1))
    lengths = np.diff(np.append(begin, len(patron)))
    keep, left = np.ones(len(patron), np.bool_), Counter[str]()
    for one in np.flatnonzero(lengths > settings.most_titles):
        mine = slice(begin[one], begin[one] + lengths[one])
        chosen, aside = _newest(title[mine], day[mine], settings)
        keep[mine] = chosen
        left += aside
    key = (patron << 32) | title
    del patron, title, day
    key = key if keep.all() else key[keep]
    key.sort()
    key = key[np.diff(key, prepend=-1) > 0]
    ends = np.flatnonzero(np.diff(key >> 32, append=-1)) + 1  # where the next patron begins
    return np.concatenate([[0], ends]).astype(np.int64), (key & 0xFFFFFFFF).astype(np.int32), dict(left)


def _newest(title: Ids, day: Ids, settings: Settings) -> tuple[npt.NDArray[np.bool_], Counter[str]]:
    """Which of one patron's loans count: those of the newest titles, none of who is no person. Of one day, the titles that came first."""
    order = np.lexsort((title, -day))
    distinct, at = np.unique(title[order], return_index=True)
    if len(distinct) > settings.institution_titles:
        return np.zeros(len(title), np.bool_), Counter(
            {"patrons_who_are_no_person": 1, "titles_of_patrons_who_are_no_person": len(distinct)}
        )
    newest = distinct[np.argsort(at)][: settings.most_titles]
    surplus = len(distinct) - len(newest)
    return np.isin(title, newest), Counter({"titles_of_patrons_with_very_many": surplus} if surplus else {})


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
