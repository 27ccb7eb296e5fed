"""A kiosk of the Swedish library lends and takes back: the sidecar's store is filled out of the lake, its journal is read into the lake, and
each loan is in the analysts' Parquet, figure by figure."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import yaml

from include.engine import clock
from include.engine.delivery import Delivery, State
from include.engine.engine import ROOT
from include.engine.lake import read as lake_read
from include.engine.lake.table import Lake, exists
from include.sandbox.demo.acts import Outcome, Play
from include.sandbox.demo.installation import Installation, environment_of
from include.sandbox.demo.reading import snapshot
from include.sandbox.demo.stage import Stage
from include.sandbox.servers.ports import HOST, PASSWORD, free_port
from include.sandbox.servers.process import served

TITLE = "A kiosk lends and takes back (SIP2)"
LIBRARY, ZONE, LOGIN, BRANCH = "almvik", ZoneInfo("Europe/Stockholm"), "kiosk1", "main"
JOURNAL, FILL = "circulation_journal", "circulation_fill"
SECONDS = 90.0


@dataclass(frozen=True)
class Chosen:
    """Who borrows, by card and pseudonym, and two items that nobody has borrowed yet, by barcode and number."""

    card: str
    patron: str
    items: dict[str, str]


def prepare(installation: Installation, stack: ExitStack) -> Play:
    """The sidecar, as a process on a free port, with one kiosk and an empty store."""
    _at_once(Path(installation.env["BINDERY_PARTNERS"]) / f"{LIBRARY}.yaml")
    environment, port = environment_of(installation), free_port()
    kiosk = {LOGIN: {"password": PASSWORD, "branch": BRANCH, "location": "entrance"}}
    settings = installation.home / "circulation.yaml"
    settings.write_text(yaml.safe_dump({"terminals": {"institution": LIBRARY, "timezone": ZONE.key, "language": "sv", "terminals": kiosk}}))
    subprocess.run([sys.executable, "-m", "connectors.circulation", "load", str(settings)], cwd=ROOT, env=environment, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    arguments = ["serve", "--sip2-port", str(port), "--http-port", str(free_port())]
    log = installation.home / "logs" / "circulation.log"
    stack.enter_context(served("connectors.circulation", arguments, port, env=environment, log=log))

    def play(stage: Stage) -> Outcome:
        outcome = Outcome(TITLE)
        filled = stage.deliver(LIBRARY, FILL)
        chosen = _chosen(Lake(stage.installation.home / "lake", ledger=stage.ledger))
        _filled(stage, filled, outcome)
        if outcome.wrong:
            return outcome
        _at_the_kiosk(port, chosen, outcome)
        told = stage.deliver(LIBRARY, JOURNAL)
        _told(told, outcome)
        stage.until(lambda: len(_facts(stage, chosen)) >= 4, SECONDS, lambda: "the kiosk's loans have not come to the BI snapshot")
        _seen(_facts(stage, chosen), chosen, outcome)
        return outcome

    return play


def _at_once(file: Path) -> None:
    """In the demo's copy of the YAML an entry is read as soon as it is there, and no clock starts the flow in between."""
    text = file.read_text(encoding="utf-8").replace('schedule: "*/5 * * * *"', 'schedule: "0 3 1 1 *"')
    file.write_text(re.sub(r"wait: .*", "wait: 0s", text), encoding="utf-8")


def _filled(stage: Stage, done: Delivery, outcome: Outcome) -> None:
    answers = done.facts.get("answers", [])
    if done.state != State.ACKNOWLEDGED or not answers or answers[-1]["code"] != "STORE_FILLED":
        outcome.wrong.append(f"the store was not filled: {done.state}, {done.message or answers}")
        return
    lake = Lake(stage.installation.home / "lake", ledger=stage.ledger)
    people = [one for one in _rows(lake, "patron_identity") if not one["deleted"] and not one["merged_into"]]
    items = {one["barcode"] for one in _rows(lake, "item") if one["barcode"] and not one["placeholder"]}
    said = {kind: int(count.replace(",", "")) for count, kind in re.findall(r"(\d[\d,]*) (\w+)", answers[-1]["words"])}
    due = {"patron": len(people), "item": len(items)}
    outcome.lines.append(f"the store was filled while it served: {answers[-1]['words']}")
    outcome.wrong += [f"{said.get(kind, 0):,} rows of {kind} in the store, and {count:,} were due" for kind, count in due.items()
                      if said.get(kind, 0) != count]  # fmt: skip


def _chosen(lake: Lake) -> Chosen:
    """A grown-up who has borrowed nothing and owes nothing, and items that were never lent: whatever is counted of them is the kiosk's."""
    loans = _rows(lake, "loan", ["patron", "item_id"])
    borrowers, lent = {one["patron"] for one in loans}, {one["item_id"] for one in loans}
    owing = {one["patron"] for one in _rows(lake, "fee", ["patron"])} | {one["patron"] for one in _rows(lake, "hold", ["patron"])}
    today = clock.now().astimezone(ZONE).date()

    def may(one: dict[str, Any]) -> bool:
        good = not any(one[name] for name in ("deleted", "merged_into", "blocked", "institution", "protected"))
        grown = one["birth_date"] is not None and one["birth_date"] < date(today.year - 20, 1, 1)
        return good and grown and bool(one["card_numbers"]) and (one["valid_until"] is None or one["valid_until"] > today)

    people = sorted((one for one in _rows(lake, "patron_identity") if may(one)), key=lambda one: str(one["patron"]))
    who = next(one for one in people if one["patron"] not in borrowers | owing)
    items = [one for one in _rows(lake, "item") if one["barcode"] and one["status"] == "available" and one["item_id"] not in lent]
    held = {one["control_number"] for one in _rows(lake, "hold", ["control_number"])}
    free = sorted((one for one in items if one["control_number"] not in held), key=lambda one: str(one["barcode"]))
    return Chosen(who["card_numbers"][0], who["patron"], {one["barcode"]: one["item_id"] for one in free[:2]})


def _at_the_kiosk(port: int, chosen: Chosen, outcome: Outcome) -> None:
    """Borrow two, renew one, give the other back."""
    first, second = chosen.items
    with socket.create_connection((HOST, port), 20) as line:

        def ask(text: str) -> str:
            line.sendall(f"{text}\r".encode())
            found = b""
            while not found.endswith(b"\r"):
                block = line.recv(4096)
                if not block:
                    raise ConnectionError("the sidecar closed the connection")
                found += block
            return found.decode().strip()

        now = f"{clock.now():%Y%m%d   Z%H%M%S}"
        common = f"AO{LIBRARY}|AC|"
        answers = {
            "login": ask(f"9300CN{LOGIN}|CO{PASSWORD}|")[:3],
            "first loan": ask(f"11NN{now}{' ' * 18}{common}AA{chosen.card}|AB{first}|")[:3],
            "second loan": ask(f"11NN{now}{' ' * 18}{common}AA{chosen.card}|AB{second}|")[:3],
            "renewal": ask(f"29NN{now}{' ' * 18}{common}AA{chosen.card}|AB{second}|")[:3],
            "return": ask(f"09N{now}{now}{common}AP{BRANCH}|AB{first}|")[:3],
        }
    due = {"login": "941", "first loan": "121", "second loan": "121", "renewal": "301", "return": "101"}
    outcome.wrong += [f"the kiosk's {name} was answered {answers[name]}" for name in due if answers[name] != due[name]]
    outcome.lines.append("the kiosk lent two items, renewed one and took one back: each was answered ok")


def _told(done: Delivery, outcome: Outcome) -> None:
    counts = done.counts
    outcome.lines.append(f"the journal: entries {done.facts.get('journal', {}).get('after', 0) + 1} to "
                         f"{done.facts.get('journal', {}).get('until', 0)}, {counts.published} events of loans into the lake")  # fmt: skip
    if (done.state, counts.published, counts.added) != (State.ACKNOWLEDGED, 4, 4):
        outcome.wrong.append(f"the journal's delivery is {done.state} with {counts}: {done.message or ''}")


def _facts(stage: Stage, chosen: Chosen) -> list[dict[str, Any]]:
    """What the newest snapshot says of the two items."""
    keys = [f"{LIBRARY}:{item}" for item in chosen.items.values()]
    columns = "event, item_key, patron_key, CAST(date AS DATE) AS day, kind, loans, renewals, returns, lending_branch"
    query = f"SELECT {columns} FROM read_parquet(?) WHERE list_contains(?, item_key)"
    with duckdb.connect() as db:
        found = db.execute(query, [f"{snapshot(stage.installation)}/fact_loan/**/*.parquet", keys])
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _seen(facts: list[dict[str, Any]], chosen: Chosen, outcome: Outcome) -> None:
    first, second = (f"{LIBRARY}:{item}" for item in chosen.items.values())
    found = sorted((one["item_key"], one["event"], one["loans"], one["renewals"], one["returns"]) for one in facts)
    due = sorted([(first, "loan", 1, 0, 0), (first, "return", 0, 0, 1), (second, "loan", 1, 0, 0), (second, "renewal", 0, 1, 0)])
    if found != due:
        outcome.wrong.append(f"BI says {found}, and {due} was due")
    today = clock.now().astimezone(ZONE).date()
    if (
        {one["day"] for one in facts} - {today}
        or {one["kind"] for one in facts} != {"home"}
        or len({one["patron_key"] for one in facts}) != 1
    ):
        outcome.wrong.append("BI has another day, kind or patron for what the kiosk did")
    branches = {one["lending_branch"] for one in facts if one["event"] == "loan"}
    if branches != {f"{LIBRARY}:{BRANCH}"}:
        outcome.wrong.append(f"BI says that the loans were made at {branches}")
    if not outcome.wrong:
        outcome.lines.append("BI has them the same day: 2 loans, 1 renewal and 1 return of one patron, each once")


def _rows(lake: Lake, table: str, columns: list[str] | None = None) -> list[dict[str, Any]]:
    if not exists(lake, table):
        return []
    rows: list[dict[str, Any]] = lake_read.read(lake, table, partner=LIBRARY, columns=columns).to_pylist()
    return rows
