"""An installation in which people have left their traces everywhere: for the tests of erasure and retention."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from connectors.bi.feed import feed
from connectors.bi.house import house_of
from include.engine.credentials import EnvironmentCredentials
from include.engine.crypto.seal import open_sealed
from include.engine.delivery import Delivery
from include.engine.dispatch.look import look
from include.engine.engine import Engine
from include.engine.errors import KeyDestroyed, Tampered
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.lake import read as lake_read
from include.engine.ledger import Ledger, copies, deliveries
from include.engine.partner.settings import InboxFlow
from include.engine.privacy.pseudonym import Pseudonyms
from tests.engine import people
from tests.house import MASTER

PARTNER = """\
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
status: live
flows:
  people_import:
    inbox: file:inbox/lindeby
    every: 0s
    ready: {stable_for: 0s}
    deliveries:
      - {table: patron, files: "patrons_*", mode: full}
      - {table: loan, files: "loans_*", mode: append}
"""
ANNE = "N4711-QX;2990011223|CARD-77;010190-1234;Åse Qvistgaard;aase@qvist.example;"
CHILD = "5001;2990099999;020210-4321;Bo Qvistgaard-Holm;;N4711-QX"
OTHER = "6002;2990055555;030380-1111;Carl Holm;carl@holm.example;"
BROKEN = "N4711-QX;2990011223;010190-1234;Åse Qvistgaard"  # too few fields
TRACES = ["N4711-QX", "2990011223", "CARD-77", "010190-1234", "0101901234", "Åse Qvistgaard", "aase@qvist.example"]


@dataclass
class House:
    engine: Engine

    def deliver(self, name: str, lines: list[str] | bytes) -> Delivery:
        inbox = self.engine.home / "inbox" / "lindeby"
        inbox.mkdir(parents=True, exist_ok=True)
        (inbox / name).write_bytes(lines if isinstance(lines, bytes) else "".join(f"{line}\r\n" for line in lines).encode())
        [claimed] = look(self.engine, patience=10)
        return self.run(claimed.id)

    def run(self, id: str) -> Delivery:
        for step in (receive, gate, publish, acknowledge):
            step(self.engine, id, people)
        return deliveries.get(self.engine.ledger, id)

    def rows(self, table: str) -> list[dict]:
        return lake_read.read(self.engine.lake, table, partner="lindeby").to_pylist()

    def every_readable_byte(self) -> dict[str, bytes]:
        """Each file as it lies there, and opened by whatever opens it: key, ZIP, Parquet, Arrow."""
        found: dict[str, bytes] = {}
        for path in sorted(self.engine.home.rglob("*")):
            if path.is_file():
                name = str(path.relative_to(self.engine.home))
                for number, body in enumerate(opened(path.read_bytes(), self.engine)):
                    found[f"{name}#{number}"] = body
        return found

    def traces(self, traces: list[str]) -> list[str]:
        pseudonyms = []
        for purpose in ("lake", "bi"):
            names = Pseudonyms(self.engine.keys, "lindeby", purpose)
            lake = Pseudonyms(self.engine.keys, "lindeby", "lake")
            own = [lake.one("N4711-QX"), lake.one("2990011223", "card"), lake.one("CARD-77", "card")]
            pseudonyms += own if purpose == "lake" else [names.one(one) for one in own]
        forms = [form for trace in [*traces, *pseudonyms] for form in (trace.encode(), trace.encode("latin-1"), trace.encode("utf-16-le"))]
        return [f"{name}: {form!r}" for name, body in self.every_readable_byte().items() for form in forms if form in body]


def opened(body: bytes, engine: Engine) -> Iterator[bytes]:
    yield body
    try:
        if body.startswith(b"BINDSEAL"):
            for context in contexts(engine):
                try:
                    yield from opened(open_sealed(io.BytesIO(body), engine.keys, context=context).read(), engine)
                except KeyDestroyed:
                    return
                except Tampered:  # sealed in another context
                    continue
        elif body.startswith(b"PAR1"):
            yield json.dumps(pq.read_table(io.BytesIO(body)).to_pylist(), default=str, ensure_ascii=False).encode()
        elif body.startswith(b"ARROW1"):
            yield from (cell for row in pa.ipc.open_file(body).read_all().to_pylist() for cell in spelled(row))
        elif body.startswith(b"\xff\xff\xff\xff"):
            yield from (cell for row in pa.ipc.open_stream(body).read_all().to_pylist() for cell in spelled(row))
        elif body.startswith(b"PK"):
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                for name in archive.namelist():
                    yield from opened(archive.read(name), engine)
    except (ValueError, OSError):
        return


def contexts(engine: Engine) -> list[str]:
    sealed = [path.relative_to(engine.home).as_posix() for path in engine.home.rglob("*.sealed")]
    return ["", "landed", *(f"file:{path}" for path in sealed), *(f"erasure/{Path(path).stem}" for path in sealed)]


def spelled(row: dict) -> list[bytes]:
    return [value if isinstance(value, bytes) else str(value).encode() for value in row.values()]


def opened_at(base: Path, migrated: Path | None = None) -> House:
    home, partners = base / "home", base / "partners"
    if migrated is not None:
        home.mkdir()
        (home / "ledger.db").write_bytes(migrated.read_bytes())
    partners.mkdir(exist_ok=True)
    (partners / "lindeby.yaml").write_text(PARTNER)
    return House(opened_at_again(base))


def opened_at_again(base: Path) -> Engine:
    """The engine of what lies there already."""
    home, credentials = base / "home", EnvironmentCredentials(MASTER)
    return Engine(home, Ledger(f"sqlite:///{home}/ledger.db"), credentials, {"people_import": InboxFlow}, base / "partners")


def live_in(house: House) -> None:
    """A person's traces everywhere: two exports, loans by id and by card, a quarantined record, a BI snapshot, a copy that went out."""
    house.deliver("patrons_1.csv", [ANNE, CHILD, OTHER])
    house.deliver("loans_1.csv", ["L1;N4711-QX;;2026-10-01;2026-10-09", "L2;;CARD-77;2026-10-02;", "L3;6002;;2026-10-03;"])
    feed(house_of(house.engine))
    house.deliver("patrons_2.csv", [ANNE.replace("aase@", "aase2@"), CHILD, OTHER, BROKEN, "6002;broken"])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("loans.csv", "L4;6002;;2026-10-04;\r\nL5;;2990011223;2026-10-05;\r\n")
    zipped = house.deliver("loans_2.zip", archive.getvalue())
    feed(house_of(house.engine))
    sent = house.engine.home / "outbound" / "crm.csv"
    sent.parent.mkdir()
    sent.write_text("patron;mail\nN4711-QX;aase@qvist.example\n")
    copies.add(house.engine.ledger, zipped.id, ["file:outbound/crm.csv", "sftp://crm_vendor/in/crm.csv"])
    with house.engine.ledger.autocommit() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
