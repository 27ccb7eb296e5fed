"""Two Danish libraries upload their loans; posthus decrypts what it got, and every line is held against the lake."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from include.engine import clock
from include.engine.crypto.ledger_keys import LedgerKeyStore
from include.engine.delivery import Delivery, State
from include.engine.lake import read as lake_read
from include.engine.lake.table import Lake
from include.engine.ledger import parts
from include.engine.privacy.pseudonym import Pseudonyms
from include.sandbox.demo.acts import Outcome, Play
from include.sandbox.demo.installation import Installation
from include.sandbox.demo.stage import Stage
from include.sandbox.servers.imap import imap_server
from include.sandbox.servers.posthus import Posthus, posthus_server
from include.sandbox.servers.receivers import Receiver, certificate, openpgp

FLOW, TITLE = "adhl_upload", "Loans to posthus (ADHL)"
LIBRARIES = {"lindeby": "799001", "havnsund": "899002"}
LATE = timedelta(days=400)  # the flow's own default


@dataclass(frozen=True)
class _Taken:
    """A line as posthus has it: the day, the pseudonym, and of a line of several titles each title for itself."""

    day: str
    borrower: str
    sex: str
    year: str
    title: str


def prepare(installation: Installation, stack: ExitStack) -> Play:
    """A posthus with a key for each scheme and a mailbox, and the partners' files with the fingerprints of these keys."""
    keys = {"dbc_openpgp": openpgp("Posthus"), "dbc_certificate": certificate("posthus")}
    folder = installation.home / "servers"
    mailbox = stack.enter_context(imap_server(folder / "posthus_mailbox"))
    secrets = {"openpgp": keys["dbc_openpgp"].secret, "cms": keys["dbc_certificate"].secret}
    there = stack.enter_context(posthus_server(folder / "posthus", secrets, post=mailbox.deliver))
    installation.env["AIRFLOW_CONN_POSTHUS"] = there.connection_uri
    installation.env["AIRFLOW_CONN_POSTHUS_MAILBOX"] = mailbox.connection_uri
    for name, key in keys.items():
        installation.env[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps({"conn_type": "generic", "extra": {"key": key.text}})
    _agree(installation, keys)

    def play(stage: Stage) -> Outcome:
        with ThreadPoolExecutor(len(LIBRARIES)) as threads:
            found = list(threads.map(lambda library: _uploaded(stage, there, library), LIBRARIES))
        said = [f"posthus wrote {len(there.mails)} mails about faults"]
        wrong = [words for _, text in there.mails for words in [f"posthus: {text}"]]
        return Outcome(TITLE, [line for one in found for line in one.lines] + said, [words for one in found for words in one.wrong] + wrong)

    return play


def _agree(installation: Installation, keys: dict[str, Receiver]) -> None:
    """The fingerprints of the demo's keys in its copy of the partners' files: a real one is agreed with the receiver, and stands there for years."""
    for library in LIBRARIES:
        file = Path(installation.env["BINDERY_PARTNERS"]) / f"{library}.yaml"
        text = file.read_text(encoding="utf-8")
        for name, key in keys.items():
            text = re.sub(rf'(connection: {name}, fingerprint: )"[^"]*"', rf'\g<1>"{key.fingerprint}"', text)
        file.write_text(text, encoding="utf-8")


def _uploaded(stage: Stage, there: Posthus, library: str) -> Outcome:
    """One library's upload, and a second one, which has nothing left to send."""
    outcome = Outcome(TITLE)
    agency = LIBRARIES[library]
    done = stage.deliver(library, FLOW)
    if done.state != State.ACKNOWLEDGED:
        outcome.wrong.append(f"{library}: its upload ended {done.state}: {done.message}")
        return outcome
    stage.until(
        lambda: not any(there.inbox.glob(f"{agency}*")) and _taken(there, agency)[0].total() >= done.counts.published,
        30,
        lambda: f"{library}: posthus has not taken and decrypted the upload",
    )
    taken, lines = _taken(there, agency)
    due = _due(stage, library)
    facts = parts.of(stage.ledger, done.id)[0].facts if parts.of(stage.ledger, done.id) else {}
    outcome.lines.append(f"{library}: {_counts(done)}; {len(lines):,} lines, encrypted by {facts.get('scheme', 'nothing')}")
    many, few = (taken - due).total(), (due - taken).total()
    if not many and not few and taken.total() == done.counts.published > 0:
        people = len({one.borrower for one in taken})
        outcome.lines.append(f"{library}: decrypted lines match: {taken.total():,} loans of {people:,} pseudonyms, as the lake has them")
    else:
        outcome.wrong.append(f"{library}: of {due.total():,} loans that are due, {few} are missing; {many} lines too many were decrypted")
    again = stage.deliver(library, FLOW)
    outcome.lines.append(f"{library}, again: {again.counts.published} loans sent")
    if again.counts.published or there.lines(agency) != lines:
        outcome.wrong.append(f"{library}: the second upload sent {again.counts.published} loans")
    return outcome


def _counts(done: Delivery) -> str:
    counts = done.counts
    return f"{counts.in_:,} records, {counts.published:,} loans sent, {counts.filtered:,} left out, {counts.quarantined:,} set aside"


def _taken(there: Posthus, agency: str) -> tuple[Counter[_Taken], list[str]]:
    lines = there.lines(agency)
    fields = [line.split(",") for line in lines]
    return Counter(_Taken(one[0], one[1], one[2], one[3], title) for one in fields for title in one[4:]), lines


def _due(stage: Stage, library: str) -> Counter[_Taken]:
    """What must have been sent, worked out from the lake row by row."""
    lake = Lake(str(stage.installation.home / "lake"))

    def rows(table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = lake_read.read(lake, table, partner=library, version="newest").to_pylist()
        return found

    today = clock.now().astimezone(ZoneInfo("Europe/Copenhagen")).date()
    master = base64.b64decode(json.loads(stage.installation.env["AIRFLOW_CONN_BINDERY_MASTER"])["password"])
    names = Pseudonyms(LedgerKeyStore(stage.ledger, master), library, "adhl", f"{today:%Y}")
    titles = {row["item_id"]: row["control_number"] for row in rows("item")}
    patrons = {row["patron"]: row for row in rows("patron") if not row["placeholder"] and not row["institution"]}
    merged = {row["alias"]: row["patron"] for row in rows("patron_alias")}
    found: Counter[_Taken] = Counter()
    for loan in rows("loan"):
        patron = loan["patron"]
        while patron in merged:
            patron = merged[patron]
        who, title = patrons.get(patron), loan["control_number"] or titles.get(loan["item_id"])
        if (loan["event"], loan["kind"]) == ("loan", "home") and who and title and _recent(loan["loaned_on"], today):
            sex, year = who["gender"], who["birth_year"]
            if sex in {"m", "k"} and year:
                found[_Taken(f"{loan['loaned_on']:%Y%m%d}", names.one(patron), sex, str(year), re.sub(r"[\s-]", "", title))] += 1
    return found


def _recent(day: date, today: date) -> bool:
    return today - LATE <= day <= today
