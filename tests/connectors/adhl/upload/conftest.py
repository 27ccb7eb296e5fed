"""A library whose loans go to a posthus of our own, over real FTP and IMAP."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pysequoia
import pytest

from connectors import flow_models
from connectors.adhl import outbound
from include.engine import clock
from include.engine.delivery import Delivery
from include.engine.dispatch.start import start
from include.engine.errors import BinderyError
from include.engine.lake.publish import publish
from include.engine.ledger import Ledger, manifests
from include.engine.ledger.manifests import Versions
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from include.engine.privacy.pseudonym import Pseudonyms
from include.sandbox.servers.posthus import Posthus, posthus_server
from tests import house as building
from tests.engine.crypto.envelope.keys import Key, certificate, openpgp

PARTNER = """\
name: Lindeby Biblioteker
isil: DK-799001
agency: "{agency}"
timezone: Europe/Copenhagen
language: {language}
status: {status}
flows:
  adhl_upload:
    schedule: "0 3 29 2 *"
    encryption: {encryption}
    keys: {keys}
    posthus: {{connection: posthus{posthus}}}
    {more}
"""
CPR = "0101904440"  # a made-up number: a woman born in 1990, and no modulus 11
DAY = timedelta(days=1)


def today() -> date:
    """The day as it is when a test asks: midnight may have come since the tests began."""
    return clock.now().date()


@dataclass
class Lending(building.House):
    """The house of these tests: loans come into the lake as rows, and leave by the four steps."""

    posthus: Posthus = field(default=None)  # type: ignore[assignment]
    keys: dict[str, Key] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    came: int = 0

    def settle(self, *, encryption: str = "openpgp", keys: Sequence[str] | None = None, status: str = "live", language: str = "en",
               agency: str = "799001", posthus: str = "", **more: object) -> None:  # fmt: skip
        """Write the partner's YAML; `more` are further settings of the flow."""
        named = keys or [encryption]
        shown = [{"connection": f"key_{name}", "fingerprint": self.keys[name].fingerprint} for name in named]
        for name in named:
            self.key(name, self.keys[name])
        lines = "\n    ".join(f"{name}: {json.dumps(value)}" for name, value in more.items())
        self.write(
            PARTNER.format(
                encryption=encryption, keys=json.dumps(shown), status=status, language=language, agency=agency, posthus=posthus, more=lines
            )
        )

    def key(self, name: str, key: Key, **extra: str) -> None:
        """The connection that holds a receiver's key."""
        connection = {"conn_type": "generic", "extra": {"key": armored(key), **extra}}
        self.environment[f"AIRFLOW_CONN_KEY_{name.upper()}"] = json.dumps(connection)

    def pseudonym(self, patron_id: str) -> str:
        """A patron as the lake knows them."""
        return Pseudonyms(self.engine.keys, self.partner, "lake").one(patron_id)

    def borrower(self, patron_id: str, epoch: str | None = None) -> str:
        """A patron as DBC knows them."""
        return Pseudonyms(self.engine.keys, self.partner, "adhl", epoch or f"{today():%Y}").one(self.pseudonym(patron_id))

    def bring(self, table: str, rows: Sequence[Mapping[str, Any]] | pa.Table, mode: str = "delta") -> str:
        """Rows come into the lake."""
        self.came += 1
        bringer = f"bringer-{self.came}"
        contract = self.engine.contract(table)
        if not isinstance(rows, pa.Table):
            names = [column for column in contract.columns if column.name in rows[0]]
            rows = pa.Table.from_pylist(list(rows), pa.schema([(column.name, column.type) for column in names]))
        made = publish(self.engine.lake, contract, self.partner, bringer, rows.to_reader, mode, lambda: None)  # type: ignore[arg-type]
        manifests.pin(self.engine.ledger, None, {table: Versions(made.version_before, made.version_after)})
        return bringer

    def patrons(self, *ids: str, **about: object) -> None:
        """Patrons with all that ADHL asks of them."""
        known = {"gender": "k", "birth_year": 1984, "institution": False, "placeholder": False} | about
        flags = dict.fromkeys(("minor", "protected", "blocked", "deleted"), False)
        self.bring("patron", [{"patron": self.pseudonym(one), "key_id": "k", **flags, **known} for one in ids])

    def identities(self, numbers: Mapping[str, str]) -> None:
        """What the one table of identities says."""
        flags = dict.fromkeys(("institution", "protected", "blocked", "deleted"), False)
        rows = [
            {"patron": self.pseudonym(one), "key_id": "k", "patron_id": one, "national_id": number, **flags}
            for one, number in numbers.items()
        ]
        self.bring("patron_identity", rows)

    def loans(self, *rows: Mapping[str, Any]) -> str:
        """Loans; what a row does not say is: a home loan of yesterday of patron 1, of title 12345678."""
        return self.bring("loan", [self.loan(**row) for row in rows])

    def loan(self, loan_id: str, patron: str | None = "1", **about: Any) -> dict[str, Any]:
        """One loan as the lake has it."""
        name = None if patron is None else self.pseudonym(patron)
        own = {"event": "loan", "event_id": "once", "kind": "home", "control_number": "12345678", "loaned_on": today() - DAY}
        fixed = {"patron_is_alias": False, "renewals": 0, "item_id": None, "key_id": None if name is None else "k"}
        return {"loan_id": loan_id, "patron": name, **fixed, **own, **about}

    def begun(self) -> Delivery:
        """An upload that a person starts, and dispatch claims."""
        made = start(self.engine, self.partner, "adhl_upload", who="kirsten")
        assert made.id in [one.id for one in self.claimed()]
        return made

    def run(self, delivery_id: str, tries: int = 1) -> Delivery:
        """The four tasks, as Airflow runs them: sending is tried again, and after a failure only the last task runs."""
        for step in (select, render, *([send] * tries)):
            try:
                step(self.engine, delivery_id, outbound)
            except BinderyError:
                if step is not send:
                    break
        confirm(self.engine, delivery_id, outbound)
        return self.get(delivery_id)

    def upload(self) -> Delivery:
        """One upload, all the way; posthus has taken it, if it could."""
        done = self.run(self.begun().id)
        self.posthus.look()
        return done

    def files(self) -> dict[str, bytes]:
        """Every file of the installation and of posthus, by its path."""
        folders = (self.engine.home, self.engine.partners_folder, self.posthus.folder)
        return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def armored(key: Key) -> str:
    """A public key as text."""
    return key.public.decode() if b"-----" in key.public else str(pysequoia.armor(key.public, pysequoia.ArmorKind.PublicKey))


@pytest.fixture
def lending(tmp_path: Path, ledger: Ledger) -> Iterator[Lending]:
    """An empty installation whose partner delivers to an empty posthus; it can open files by OpenPGP and CMS, and by a second key of each."""
    keys = {"openpgp": openpgp(), "cms": certificate(), "openpgp_new": openpgp("New"), "cms_new": certificate("new")}
    with ExitStack() as stack:
        there = stack.enter_context(posthus_server(tmp_path / "posthus", {name: key.secret for name, key in keys.items()}))
        environment = {"AIRFLOW_CONN_POSTHUS": there.connection_uri}
        made = Lending.build(tmp_path, ledger, outbound, flow_models(), "lindeby", environment)
        made.posthus, made.keys = there, keys
        made.environment = made.engine.credentials.environment  # type: ignore[attr-defined,assignment]
        made.settle()
        yield made
