"""Those who borrowed this also borrowed: a release from the demo's loans, asked for at the lookup service, held against Parquet and lake."""

from __future__ import annotations

import json
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import duckdb

from include.engine.lake.query import connect
from include.engine.lake.table import Lake
from include.sandbox.demo.acts import Outcome, Play
from include.sandbox.demo.installation import Installation, environment_of
from include.sandbox.demo.stage import Stage
from include.sandbox.servers.ports import free_port
from include.sandbox.servers.process import served

SECONDS = 120.0
CERTAIN = 9
"""Patrons from which a relation is shown whatever its secret edge: five, and at most four more."""
_A = "{http://oss.dbc.dk/ns/adhl}"


def prepare(installation: Installation, stack: ExitStack) -> Play | None:
    """The lookup service starts while there is no release yet, as it does in production."""
    root, port = installation.home / "adhl_relations", free_port()
    stack.enter_context(
        served(
            "connectors.adhl",
            ["serve", "--port", str(port), "--relations", str(root)],
            port,
            env=environment_of(installation),
            log=installation.home / "logs" / "adhl_service.log",
        )
    )

    def play(stage: Stage) -> Outcome:
        _release(stage)
        url = f"http://127.0.0.1:{port}/"
        snapshot = json.loads((root / "latest.json").read_text())
        stage.until(lambda: bool(_health(url) == snapshot["snapshot"]), SECONDS, lambda: "the ADHL service has not taken the new release")
        return _told(url, root / snapshot["path"], Lake(str(installation.home / "lake")))

    return play


def _release(stage: Stage) -> None:
    run = stage.airflow.api("dags/adhl_relations/dagRuns", {"logical_date": None})["dag_run_id"]
    state = [""]

    def ended() -> bool:
        state[0] = stage.airflow.api(f"dags/adhl_relations/dagRuns/{run}")["state"]
        return state[0] in {"success", "failed"}

    stage.until(ended, SECONDS, lambda: f"adhl_relations is still {state[0]}")
    if state[0] != "success":
        raise RuntimeError(f"the release has failed; its log is in {stage.airflow.logs}")


def _told(url: str, folder: Path, lake: Lake) -> Outcome:
    """Ask for the title with most relations, and compare."""
    with duckdb.connect() as db:
        for table in ("title", "relation"):
            db.execute(f"CREATE VIEW {table} AS FROM read_parquet('{folder}/{table}/*.parquet')")
        db.execute(
            """CREATE TABLE pair AS SELECT a.pid AS pid, b.pid AS other, relation.level, relation.at_least
            FROM relation JOIN title a USING (title_id) JOIN title b ON b.title_id = related_id"""
        )
        db.execute("CREATE TABLE way AS FROM pair UNION ALL SELECT other, pid, level, at_least FROM pair")
        relations, titles, least = db.execute("SELECT count(*), count(DISTINCT pid), min(at_least) FROM way").fetchall()[0]
        if not relations:
            return Outcome("Those who borrowed this also borrowed", wrong=["no relation was released"])
        pid, name = db.execute(
            "SELECT pid, title FROM way JOIN title USING (pid) GROUP BY ALL ORDER BY count(*) DESC, pid LIMIT 1"
        ).fetchall()[0]
        wanted = dict(db.execute("SELECT other, level FROM way WHERE pid = ?", [pid]).fetchall())
        shown = {frozenset(row) for row in db.execute("SELECT pid, other FROM pair").fetchall()}
    asked = [one.text or "" for one in _ask(url, "ADHLRequest", pid).iter(f"{_A}pid")]
    named = [
        (one.findtext(f"{_A}title") or "", one.findtext(f"{_A}pid") or "") for one in _ask(url, "pingRequest", pid).iter(f"{_A}recorddata")
    ]
    wrong, levels = [], [int(wanted.get(one, 0)) for one in asked]
    if set(asked) != set(wanted) or sorted(levels, reverse=True) != levels:
        wrong.append(f"the service relates {len(asked)} titles to {pid}, Parquet {len(wanted)}, or in another order")
    if [other for _, other in named] != asked:
        wrong.append("pingRequest names other titles than adhlRequest")
    if least < 5:
        wrong.append(f"a relation of {least} patrons is shown")
    missing = _certain(lake) - shown
    if missing:
        wrong.append(f"{len(missing)} relations of {CERTAIN} patrons or more are not shown")
    lines = [
        f"{relations // 2:,} relations of {titles:,} titles; none of fewer than five patrons; Parquet in {folder}",
        f"{url}?ADHLRequest&pid={pid}",
        f"{name}: those who borrowed it also borrowed {', '.join(title for title, _ in named[:3])}",
    ]
    return Outcome("Those who borrowed this also borrowed", lines, wrong)


def _certain(lake: Lake) -> set[frozenset[str]]:
    """Pairs of lindeby's titles that enough patrons borrowed for any edge, counted the plain way."""
    with connect(lake, ["loan", "item", "patron", "patron_alias"]) as db:
        rows = db.execute(
            """WITH borrowed AS (
                SELECT DISTINCT coalesce(patron_alias.patron, loan.patron) AS patron, coalesce(item.control_number, loan.control_number) AS number
                FROM loan LEFT JOIN patron_alias ON patron_alias.partner = loan.partner AND patron_alias.alias = loan.patron
                LEFT JOIN item ON item.partner = loan.partner AND item.item_id = loan.item_id
                WHERE loan.partner = 'lindeby' AND loan.event = 'loan' AND loan.kind = 'home'
            ), person AS (
                SELECT * FROM borrowed ANTI JOIN (SELECT patron FROM patron WHERE partner = 'lindeby' AND institution) USING (patron)
                WHERE patron IS NOT NULL AND number IS NOT NULL
            )
            SELECT one.number, two.number FROM person one JOIN person two ON one.patron = two.patron AND one.number < two.number
            GROUP BY ALL HAVING count(*) >= ?""",
            [CERTAIN],
        ).fetchall()
    return {frozenset(f"870970-basis:{number}" for number in row) for row in rows}


def _ask(url: str, request: str, pid: str) -> ElementTree.Element:
    with urllib.request.urlopen(f"{url}?{request}&{urlencode({'pid': pid, 'numRecords': 100})}", timeout=30) as answer:  # noqa: S310
        return ElementTree.fromstring(answer.read())  # noqa: S314 - our own service


def _health(url: str) -> object:
    try:
        with urllib.request.urlopen(f"{url}health", timeout=30) as answer:  # noqa: S310
            return json.load(answer)["release"]
    except OSError:  # 503: no release yet
        return None
