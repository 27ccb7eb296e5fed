"""The Swedish library harvests the Danish one: Bindery's provider serves lindeby's titles over OAI-PMH, almvik's flow fetches them, and each
record that came, and the title that it became beside almvik's own, is held against the one it was made of."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

import pyarrow as pa
from lxml import etree

from include.engine.delivery import State
from include.engine.lake import read as lake_read
from include.engine.lake.table import Lake, exists
from include.sandbox.demo.acts import Outcome, Play
from include.sandbox.demo.installation import Installation, environment_of
from include.sandbox.demo.stage import Stage, Stuck
from include.sandbox.servers.ports import HOST, free_port
from include.sandbox.servers.process import served

TITLE = "A library harvests another (OAI-PMH)"
GIVES, TAKES, FLOW = "lindeby", "almvik", "oai_harvest"
PREFIX = "marcxml"
Key = tuple[str, str]


def prepare(installation: Installation, stack: ExitStack) -> Play:
    """The provider, as a process on a free port: it looks at the lake each second, and says "later" until there is something to serve."""
    port = free_port()
    own = {
        "BINDERY_OAI_URL": f"http://{HOST}:{port}/oai",
        "BINDERY_OAI_NAME": "Lindeby Biblioteker",
        "BINDERY_OAI_ADMIN": "drift@lindeby.example",
        "BINDERY_OAI_DOMAIN": "lindeby.example",
    }
    arguments = ["serve", "--port", str(port), "--every", "2", "--rate", "0"]
    log = installation.home / "logs" / "oai_provider.log"
    stack.enter_context(served("connectors.oai_pmh", arguments, port, env={**environment_of(installation), **own}, log=log))
    connection = {"conn_type": "http", "schema": "http", "host": HOST, "port": port}
    installation.env["AIRFLOW_CONN_ALMVIK_OAI"] = json.dumps(connection)

    def play(stage: Stage) -> Outcome:
        given = _titles(stage, GIVES)
        _until_served(stage, f"http://{HOST}:{port}/oai", len(given))
        own = _titles(stage, TAKES)
        done = stage.deliver(TAKES, FLOW)
        taken, titles = _records(stage), _titles(stage, TAKES)
        lines = [
            f"{GIVES} has {len(given):,} titles; {TAKES} got {len(taken):,}, and {done.counts.published - len(taken):,} tombstones",
            "each record is the title that it was made of, field by field" if taken == given else "the records are not those titles",
            f"{TAKES} has {len(titles):,} titles now: {len(own):,} of its own and {len(titles.keys() - own.keys()):,} of {GIVES}",
        ]
        wrong = _wrong(done.state, done.reason, given, taken)
        return Outcome(TITLE, lines, wrong + ([] if titles == own | given else [f"{TAKES}'s titles are not its own and those of {GIVES}"]))

    return play


def _wrong(state: State, reason: str | None, given: dict[Key, bytes], taken: dict[Key, bytes]) -> list[str]:
    wrong = [] if state == State.ACKNOWLEDGED else [f"the harvest is {state}: {reason}"]
    wrong += [f"{len(given.keys() - taken.keys()):,} titles did not come"] if given.keys() - taken.keys() else []
    wrong += [f"{len(taken.keys() - given.keys()):,} records came of titles that are not there"] if taken.keys() - given.keys() else []
    other = [key for key in given.keys() & taken.keys() if given[key] != taken[key]]
    return wrong + ([f"{len(other):,} records are other than their titles, such as {min(other)[1]}"] if other else [])


def _titles(stage: Stage, library: str) -> dict[Key, bytes]:
    """The living titles of a library, as the lake has them: by agency and number."""
    rows = _rows(stage, "bibliographic", library).to_pylist()
    return {(row["agency"], row["control_number"]): _plain(row["marcxml"]) for row in rows if not row["deleted"]}


def _records(stage: Stage) -> dict[Key, bytes]:
    """The living records that were harvested, by what the records themselves say."""
    found = {}
    for row in _rows(stage, "oai_record", TAKES).to_pylist():
        if not row["deleted"]:
            agency, number = re.fullmatch(r"oai:[^:]+:[^/]+/([^/]+)/(.+)", row["identifier"]).groups()  # type: ignore[union-attr]
            found[agency, number] = _plain(row["xml"])
    return found


def _rows(stage: Stage, table: str, library: str) -> pa.Table:
    lake = Lake(stage.installation.home / "lake", ledger=stage.ledger)
    return lake_read.read(lake, table, partner=library) if exists(lake, table) else pa.table({})


def _plain(xml: str) -> bytes:
    """The record whatever its spelling: its elements by name, with their own attributes (not where a schema lies) and text."""
    found = []
    for one in etree.fromstring(xml, etree.XMLParser(resolve_entities=False, remove_blank_text=True)).iter(tag=etree.Element):
        found.append((etree.QName(one).localname, sorted(pair for pair in one.attrib.items() if "{" not in pair[0]), one.text or ""))
    return json.dumps(found, ensure_ascii=False).encode()


def _until_served(stage: Stage, url: str, count: int, seconds: float = 90) -> None:
    """Until the provider announces as many living records as the lake has."""
    asked = f"{url}?verb=ListIdentifiers&metadataPrefix={PREFIX}&set=library:{GIVES}"
    until, seen = time.monotonic() + seconds, ""
    stage.stop.wait(5)  # the lake has just been filled: the provider looks every two seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - loopback only
                seen = answer.read().decode()
        except urllib.error.HTTPError as error:
            seen = f"HTTP {error.code}"
        size = re.search(r'completeListSize="(\d+)"', seen)
        living = seen.count("<header>") if size is None else int(size[1])
        if living >= count:
            return
        if stage.stop.wait(0.5):
            break
    raise Stuck(f"the provider does not show {count:,} records of {GIVES}: {seen[:200]}")
