"""An installation of one's own, and what people do around it: drop files, let dispatch look, run the steps, read the receipt."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import time_machine

from include.engine import clock
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Delivery, State
from include.engine.dispatch.look import look
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.inbound.work import landed_of
from include.engine.lake import read as lake_read
from include.engine.lake.table import exists
from include.engine.ledger import Ledger, deliveries, quarantined
from include.engine.partner.settings import FlowSettings
from include.engine.quarantine import store
from include.engine.reasons import LANGUAGES, advice
from include.engine.reasons.translate import bare
from include.engine.receipts.compose import compose
from include.engine.receipts.layout import as_text
from include.engine.storage.landing import open_landed

MASTER = {"AIRFLOW_CONN_BINDERY_MASTER": '{"conn_type": "generic", "password": "' + base64.b64encode(bytes(32)).decode() + '"}'}


@dataclass
class House:
    """The engine with one connector; `partner` is the one whose inbox is meant. `ahead` is how far its clock has been put forward."""

    engine: Engine
    connector: ModuleType
    partner: str
    ahead: timedelta = field(default=timedelta(0))

    @classmethod
    def build(
        cls,
        folder: Path,
        ledger: Ledger,
        connector: ModuleType,
        flows: Mapping[str, type[FlowSettings]],
        partner: str,
        environment: Mapping[str, str] | None = None,
    ) -> House:
        """An empty installation in `folder`."""
        (folder / "partners").mkdir()
        credentials = EnvironmentCredentials({**MASTER, **(environment or {})})
        made = cls(Engine(folder / "home", ledger, credentials, flows, folder / "partners"), connector, partner)
        made.inbox.mkdir(parents=True)
        return made

    @property
    def inbox(self) -> Path:
        return self.engine.home / "inbox" / self.partner

    def write(self, text: str) -> None:
        """The partner's YAML."""
        (self.engine.partners_folder / f"{self.partner}.yaml").write_text(text, encoding="utf-8")

    def drop(self, name: str, content: str | bytes) -> Path:
        self.inbox.mkdir(parents=True, exist_ok=True)
        (self.inbox / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return self.inbox / name

    def claimed(self, later: float = 0) -> list[Delivery]:
        """What dispatch starts, with a second look `later` seconds after the first."""
        with time_machine.travel(clock.now() + self.ahead):
            found = look(self.engine, patience=10)
        if later:
            self.ahead += timedelta(seconds=later)
            found += self.claimed()
        return found

    def run(self, delivery_id: str) -> Delivery:
        """The four tasks, as Airflow runs them: after a failure only the last."""
        with time_machine.travel(clock.now() + self.ahead):
            for step in (receive, gate, publish):
                try:
                    step(self.engine, delivery_id, self.connector)
                except BinderyError:
                    break
            acknowledge(self.engine, delivery_id, self.connector)
        return self.get(delivery_id)

    def deliver(self, name: str, content: str | bytes, later: float = 0) -> Delivery:
        """Drop a file and take it all the way; an empty one rests first."""
        self.drop(name, content)
        return self.taken(later if content else max(later, 31))

    def taken(self, later: float = 0) -> Delivery:
        """The one delivery that dispatch starts now, all the way."""
        [claimed] = self.claimed(later)
        return self.run(claimed.id)

    def get(self, delivery_id: str) -> Delivery:
        return deliveries.get(self.engine.ledger, delivery_id)

    def rows(self, table: str, key: str | None = None) -> list[dict[str, Any]]:
        """The partner's rows in the lake."""
        if not exists(self.engine.lake, table):
            return []
        found: list[dict[str, Any]] = lake_read.read(self.engine.lake, table, partner=self.partner, version="newest").to_pylist()
        return sorted(found, key=lambda row: str(row[key or f"{table}_id"]))

    def receipt(self, delivery: Delivery) -> str:
        return (self.engine.home / "receipts" / self.partner / f"{delivery.id}.txt").read_text(encoding="utf-8")

    def receipt_json(self, delivery: Delivery) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(
            (self.engine.home / "receipts" / self.partner / f"{delivery.id}.json").read_text(encoding="utf-8")
        )
        return found

    def receipt_in(self, delivery: Delivery, language: str) -> str:
        """The receipt as a partner of another language would have got it."""
        return as_text(compose(self.engine, delivery, delivery.state, language))

    def landed(self, delivery: Delivery) -> bytes:
        """The delivered bytes as they are kept."""
        with open_landed(landed_of(delivery), self.engine.keys, home=self.engine.home) as kept:
            return kept.read()

    def all_taken(self, later: float = 0) -> dict[str, Delivery]:
        """Everything that is in the inbox, taken all the way; by file name."""
        done: dict[str, Delivery] = {}
        while claimed := self.claimed(later):
            done |= {str(one.path): self.run(one.id) for one in claimed}
            later = 0
        return done

    def kept(self, delivery: Delivery) -> dict[str, list[bytes]]:
        """The original bytes of what was set aside, by reason."""
        found: dict[str, list[bytes]] = {}
        for one in quarantined.find(self.engine.ledger, delivery_id=delivery.id):
            table = store.read(self.engine.home, one.blob_uri, self.engine.keys, [one.blob_row])
            found.setdefault(one.reason, []).append(table.column("raw")[0].as_py())
        return found


def stands_in(number: str, text: str) -> bool:
    """Whether a number stands in a text by itself: some digits of a key or of a pseudonym, which are drawn anew each time, may be the same."""
    return re.search(rf"(?<![0-9A-Za-z]){number}(?![0-9A-Za-z])", text) is not None


def tells(receipt: str, code: str, language: str) -> bool:
    """Whether a receipt says the reason and what to do about it, in words of `language`, however its lines are broken."""
    said = " ".join(receipt.split())
    pieces = [piece for piece in bare(code, language).split("…") if piece.strip()]
    return all(piece.strip() in said for piece in pieces) and " ".join(advice(code, language).split()) in said


def refused(house: House, delivery: Delivery, code: str) -> None:
    """Checks a refusal: its state and reason, balanced counts, and a receipt that says why and what to do in every language."""
    assert (delivery.state, delivery.reason) == (State.BLOCKED, code)
    assert delivery.counts.balanced()
    for language in LANGUAGES:
        receipt = house.receipt_in(delivery, language)
        assert tells(receipt, code, language), receipt
