"""The board inside Airflow's UI: a fifth library that says it delivers and never does, and a look at what the board shows of it all."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import timedelta
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from include.engine import clock
from include.engine.delivery import Delivery, State
from include.engine.ledger import quarantined
from include.sandbox.demo.acts import Outcome, Play
from include.sandbox.demo.installation import Installation
from include.sandbox.demo.stage import Stage, of_files

STOPPED = {State.BLOCKED, State.HELD, State.FAILED}
_OVER = {"success", "failed"}
TITLE = "The board, in Airflow's UI"
SILENT, NAME, ZONE = "tavsby", "Tavsby Bibliotek", "Europe/Copenhagen"
YAML = """\
# A made-up library that is silent, for the board: nothing ever comes of what is expected of it.
name: {name}
timezone: {zone}
language: da
status: live
flows:
  ils_import:
    profile: cicero
    inbox: file:inbox/{id}
    deliveries:
      - {{table: loan, files: "loans_*.zip", mode: append, loans: events, expected: "daily {due:%H:%M}"}}
"""


def prepare(installation: Installation, stack: ExitStack) -> Play:
    """The silent library: what it said would come was due an hour ago."""
    due = (clock.now() - timedelta(hours=1)).astimezone(ZoneInfo(ZONE))
    (installation.home / "inbox" / SILENT).mkdir(parents=True, exist_ok=True)
    file = Path(installation.env["BINDERY_PARTNERS"]) / f"{SILENT}.yaml"
    file.write_text(YAML.format(name=NAME, zone=ZONE, id=SILENT, due=due), encoding="utf-8")
    return _looked


def _looked(stage: Stage) -> Outcome:
    """The pages as an engineer gets them, held against the ledger."""
    outcome = Outcome(TITLE, [f"{stage.airflow.url}/plugin/bindery"])
    with httpx.Client(base_url=f"{stage.airflow.url}/bindery", timeout=60, headers={"accept-language": "en"}, trust_env=False) as browser:
        overview = _page(browser, "/", outcome)
        for library in stage.installation.inboxes:
            name = _name(stage, library)
            if name not in overview:
                outcome.wrong.append(f"the overview does not show {name}")
        if not re.search(rf"{NAME} .{{0,80}}Expected by .{{0,40}}not here", overview):
            outcome.wrong.append(f"the overview does not say that {NAME} is silent")
        late = set(re.findall(r'class="line late" href="/bindery/partners/(\w+)"', browser.get("/").text))
        if slandered := late & stage.installation.inboxes.keys():
            outcome.wrong.append(f"the overview says that {', '.join(sorted(slandered))} did not deliver")
        found = of_files(stage.ledger)
        shown = [one for one in found if _shows(browser, one, outcome)]
        outcome.lines.append(f"{len(shown)} of {len(found)} deliveries as the ledger has them; {NAME} is silent, and it says so")
        _runs(stage, found, outcome)
        _quarantine(stage, browser, found, outcome)
    return outcome


def _shows(browser: httpx.Client, one: Delivery, outcome: Outcome) -> bool:
    """Whether the page of a delivery, by its run, has its figures."""
    page = _page(browser, f"/run/{one.flow}/{one.id}", outcome)
    figures = [f"{one.counts.in_:,} came in", f"{one.counts.published:,} published", f"{one.counts.quarantined:,} set aside"]
    missing = [words for words in figures if one.counts.in_ and words not in page]
    outcome.wrong += [f"{one.id}: its page does not say {words!r}" for words in missing]
    return one.id in page and not missing


def _runs(stage: Stage, found: list[Delivery], outcome: Outcome) -> None:
    """The run of a delivery that was stopped is red in Airflow, although its last step ended well.

    Of the others nothing is held against the answer sheet: of two first publishes that tell Airflow 3.3.2 of a table at once it takes one for failed.
    """
    stopped = [one for one in found if one.state in STOPPED]
    states: dict[str, str] = {}

    def over() -> bool:
        for flow in {one.flow for one in stopped}:
            states.update({run["dag_run_id"]: run["state"] for run in stage.airflow.api(f"dags/{flow}/dagRuns?limit=100")["dag_runs"]})
        return all(states.get(one.id) in _OVER for one in stopped)

    stage.until(over, 60, lambda: "a run of a delivery that was stopped goes on")
    outcome.wrong += [f"{one.id} is {one.state}, and its run {states[one.id]}" for one in stopped if states[one.id] != "failed"]
    outcome.lines.append(f"{len(stopped)} were stopped, and their runs are red")


def _quarantine(stage: Stage, browser: httpx.Client, found: list[Delivery], outcome: Outcome) -> None:
    """The list of what was set aside, and one record opened: its sealed bytes are read in the API server."""
    page = browser.get("/quarantine").text
    records = re.findall(r'href="/bindery/quarantine/(\d+)"', page)
    waiting = sum(len(quarantined.find(stage.ledger, delivery_id=one.id)) for one in found)
    if not records:
        outcome.wrong.append("the quarantine's page shows no record")
        return
    record = _page(browser, f"/quarantine/{records[0]}", outcome)
    outcome.lines.append(
        f"{waiting:,} records set aside; the newest, opened: {len(record):,} characters of text, read from its sealed file"
    )


def _page(browser: httpx.Client, path: str, outcome: Outcome) -> str:
    """The text of a page, without its marks."""
    answer = browser.get(path)
    if answer.status_code != 200:
        outcome.wrong.append(f"{path}: {answer.status_code}")
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", answer.text.partition("<main")[2])))


def _name(stage: Stage, library: str) -> str:
    text = (Path(stage.installation.env["BINDERY_PARTNERS"]) / f"{library}.yaml").read_text(encoding="utf-8")
    found = re.search(r"^name: (.+)$", text, re.MULTILINE)
    return found[1] if found else library
