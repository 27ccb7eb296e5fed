"""A harvest beside its peers, one server and the same records for all: python -m tests.bench.oai [--records 100000] [--repeats 3]

Each client runs in a process of its own against a server in another (loopback, pages ready made): what is measured is the client. Ours takes pages
strictly and gives identifiers, datestamps, sets and metadata as columns; sickle and oaipmh-scythe give their record objects; httpx with lxml
parses each page and reads identifier and datestamp. The flow is receive, gate and publish of the same list: oai_record and bibliographic.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.bench.row import row

FOLDER = Path(".bench/oai")
PAGE = 500
NAMESPACE = "http://www.openarchives.org/OAI/2.0/"
WORDS = (
    "huset",
    "havet",
    "natten",
    "krönika",
    "åskan",
    "bog",
    "sommeren",
    "ön",
    "liv",
    "rejse",
    "gåden",
    "fjäll",
    "skov",
    "byen",
    "æble",
    "vind",
)
SUBFIELDS = [
    ("100", "ad"),
    ("245", "abc"),
    ("260", "abc"),
    ("300", "abc"),
    ("440", "av"),
    ("500", "a"),
    ("520", "a"),
    ("600", "ad"),
    ("650", "ax"),
]


def pages(records: int) -> list[bytes]:
    """The list, page by page; made once and kept."""
    folder = FOLDER / f"pages-{records}"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        chance = random.Random(1)
        for start in range(0, records, PAGE):
            token = f'<resumptionToken completeListSize="{records}">{start + PAGE}</resumptionToken>' if start + PAGE < records else ""
            inside = "".join(_record(number, chance) for number in range(start, min(records, start + PAGE)))
            (folder / f"{start:08d}.xml").write_text(_document(f"<ListRecords>{inside}{token}</ListRecords>"), encoding="utf-8")
        (folder / "done").touch()
    return [path.read_bytes() for path in sorted(folder.glob("*.xml"))]


def _document(inside: str) -> str:
    head = f'<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="{NAMESPACE}"><responseDate>2026-11-22T00:00:00Z</responseDate>'
    return f'{head}<request verb="ListRecords">http://127.0.0.1/oai</request>{inside}</OAI-PMH>'


def _record(number: int, chance: random.Random) -> str:
    fields = "".join(
        f'<datafield tag="{tag}" ind1="1" ind2="0">'
        + "".join(f'<subfield code="{code}">{" ".join(chance.choices(WORDS, k=chance.randint(2, 7)))}</subfield>' for code in codes)
        + "</datafield>"
        for tag, codes in SUBFIELDS + chance.choices(SUBFIELDS, k=6)
    )
    return (
        f"<record><header><identifier>oai:bench.example:{number:08d}</identifier><datestamp>2026-{number % 11 + 1:02d}-01T00:00:00Z</datestamp>"
        f'<setSpec>books</setSpec></header><metadata><record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
        f'<controlfield tag="001">{number:08d}</controlfield><controlfield tag="003">SE-Bench</controlfield>'
        f'<controlfield tag="008">200101s2019    sw            000 0 swe d</controlfield>{fields}</record></metadata></record>'
    )


def serve(records: int) -> None:
    """Serve the pages until the parent ends; says its port."""
    ready = pages(records)
    identify = (
        "<Identify><repositoryName>Bench</repositoryName><earliestDatestamp>2026-01-01T00:00:00Z</earliestDatestamp>"
        "<deletedRecord>no</deletedRecord><granularity>YYYY-MM-DDThh:mm:ssZ</granularity></Identify>"
    )

    class Handler(BaseHTTPRequestHandler):
        protocol_version, disable_nagle_algorithm, wbufsize = "HTTP/1.1", True, 1 << 20

        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            start = int(asked.get("resumptionToken", ["0"])[0])
            body = _document(identify).encode() if asked["verb"] == ["Identify"] else ready[start // PAGE]
            self.send_response(200)
            self.send_header("Content-Type", "text/xml; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def bindery(url: str) -> int:
    from connectors.oai_pmh.harvest.client import Client
    from connectors.oai_pmh.harvest.columns import columns
    from connectors.oai_pmh.harvest.connection import session
    from connectors.oai_pmh.harvest.lists import Pages
    from include.engine.ahead import ahead

    count = 0
    with session(None) as opened, ahead(Client(url, opened, Pages).ListRecords(metadataPrefix="marcxml")) as answers:
        for answer in answers:
            found = columns(answer.page)
            count += len(found) - found.xml.null_count
    return count


def sickle(url: str) -> int:
    from sickle import Sickle

    return sum(1 for _ in Sickle(url).ListRecords(metadataPrefix="marcxml"))


def scythe(url: str) -> int:
    from oaipmh_scythe import Scythe

    with Scythe(url) as client:
        return sum(1 for _ in client.list_records(metadata_prefix="marcxml"))


def httpx_lxml(url: str) -> int:
    import httpx
    from lxml import etree

    count, params = 0, {"verb": "ListRecords", "metadataPrefix": "marcxml"}
    with httpx.Client() as client:
        while params:
            root = etree.fromstring(client.get(url, params=params).content)
            for header in root.iterfind(f"{{{NAMESPACE}}}ListRecords/{{{NAMESPACE}}}record/{{{NAMESPACE}}}header"):
                count += bool(header.findtext(f"{{{NAMESPACE}}}identifier") and header.findtext(f"{{{NAMESPACE}}}datestamp"))
            token = root.findtext(f".//{{{NAMESPACE}}}resumptionToken")
            params = {"verb": "ListRecords", "resumptionToken": token} if token else {}
    return count


def sickle_parse(records: int) -> int:
    """What sickle does with pages that are there already."""
    from sickle.models import Record
    from sickle.response import OAIResponse

    count = 0
    for content in pages(records):
        root = OAIResponse(SimpleNamespace(content=content), {}).xml
        count += sum(1 for _ in map(Record, root.iterfind(f".//{{{NAMESPACE}}}record/{{{NAMESPACE}}}header/..")))
    return count


def flow(url: str) -> int:
    """The steps of a delivery; what each took stands in the answer."""
    from connectors.oai_pmh import inbound
    from connectors.oai_pmh.settings import OaiHarvest
    from include.engine.credentials import EnvironmentCredentials
    from include.engine.dispatch.look import look
    from include.engine.dispatch.start import start
    from include.engine.engine import Engine
    from include.engine.inbound.gate import gate
    from include.engine.inbound.publish import publish
    from include.engine.inbound.receive import receive
    from tests.bench.house import MASTER_KEY

    home = (FOLDER / "home").absolute()
    shutil.rmtree(home, ignore_errors=True)
    (home / "partners").mkdir(parents=True)
    settings = f"schedule: hourly, url: '{url}', prefix: marcxml"
    text = f"name: Bench\nisil: SE-Bench\ntimezone: Europe/Stockholm\nstatus: live\nflows:\n  oai_harvest: {{{settings}}}\n"
    (home / "partners" / "bench.yaml").write_text(text)
    credentials = EnvironmentCredentials({"AIRFLOW_CONN_BINDERY_MASTER": MASTER_KEY})
    environment = {"BINDERY_HOME": str(home), "BINDERY_PARTNERS": str(home / "partners")}
    engine = Engine.open(credentials, {"oai_harvest": OaiHarvest}, environment)
    delivery = start(engine, "bench", "oai_harvest", who="bench")
    look(engine)
    for step in (receive, gate, publish):
        began, busy = time.perf_counter(), time.process_time()
        said = step(engine, delivery.id, inbound)
        TOLD[step.__name__] = [round(time.perf_counter() - began, 2), round(time.process_time() - busy, 2)]
    return int(str(said).split(":")[-1].split()[0].replace(",", "")) if said else 0


TOLD: dict[str, Any] = {}
CLIENTS: dict[str, Callable[[Any], int]] = {
    "Bindery's client": bindery,
    "sickle bare": sickle,
    "sickle's parse alone": sickle_parse,
    "oaipmh-scythe": scythe,
    "httpx and lxml": httpx_lxml,
    "the flow, to the lake": flow,
}


def child(name: str, given: str) -> None:
    """Run one client, and say seconds of clock and processor, and what it counted."""
    work = CLIENTS[name]
    import include.engine.inbound.gate
    import include.engine.inbound.publish  # noqa: F401  (imports are no part of the time)

    began, busy = time.perf_counter(), time.process_time()
    count = work(int(given) if given.isdecimal() else given)
    print(json.dumps([time.perf_counter() - began, time.process_time() - busy, count, TOLD]))


def main() -> None:
    """Run them in turn, as often as asked, and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.oai", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--child", nargs=2)
    asked = parser.parse_args()
    if asked.serve or asked.child:
        serve(asked.records) if asked.serve else child(*asked.child)
        return
    size = sum(map(len, pages(asked.records))) / asked.records
    again = [sys.executable, "-m", "tests.bench.oai", "--records", str(asked.records)]
    server = subprocess.Popen([*again, "--serve"], stdout=subprocess.PIPE, text=True)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in CLIENTS}
    steps: dict[str, Any] = {}
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/oai"
        for _ in range(asked.repeats):
            for name in CLIENTS:
                given = str(asked.records) if CLIENTS[name] is sickle_parse else url
                done = subprocess.run([*again, "--child", name, given], check=True, capture_output=True, text=True)
                clock, core, count, told = json.loads(done.stdout.splitlines()[-1])
                assert count == asked.records, f"{name} counted {count}"
                found[name].append((clock, core))
                steps |= told
    finally:
        server.terminate()
        server.wait()
    print(f"{asked.records:,} MARCXML records of {size:,.0f} bytes, {PAGE} to a page, medians of {asked.repeats}")
    medians = {name: tuple(statistics.median(run[at] for run in runs) for at in (0, 1)) for name, runs in found.items()}
    for name, (clock, core) in medians.items():
        goal = {"Bindery's client": "20,000", "the flow, to the lake": "sickle's parse alone"}.get(name, "")
        print(
            f"  {name:24} {asked.records / clock:9,.0f} records/s  {clock:6.2f} s  {core:6.2f} s of a core = {asked.records / core:9,.0f} records/s a core"
        )
        row("oai", f"{asked.records:,} records: {name}", asked.records / clock, "records/s", goal)
        row("oai", f"{asked.records:,} records: {name}, processor", core, "s")
    print(f"  the flow's steps (clock, processor): {steps}")
    row("oai", "the flow beside sickle's parse alone", medians["sickle's parse alone"][0] / medians["the flow, to the lake"][0], "x", "1")


if __name__ == "__main__":
    main()
