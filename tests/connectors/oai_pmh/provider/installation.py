"""A lake with libraries, and the provider's index of it, for the provider's tests."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import time_machine

from connectors.oai_pmh.provider import follow
from connectors.oai_pmh.provider.desk import Desk
from connectors.oai_pmh.provider.index import file_in
from connectors.oai_pmh.provider.libraries import catalogue
from connectors.oai_pmh.provider.update import Updated
from include.engine.engine import Engine
from include.engine.lake.plan import Mode
from include.engine.lake.publish import publish
from include.engine.lake.read import newest
from include.engine.ledger import manifests
from include.engine.ledger.manifests import Versions
from tests.connectors.oai_pmh.provider.house import SCHEMA, Row, Shelf, pages

YAML = "name: {name}\ntimezone: Europe/Copenhagen\nlanguage: da\nstatus: live\nflows:\n  oai_provider: {settings}\n"
LIST = "verb=ListRecords&metadataPrefix=oai_dc"


@dataclass
class Installation:
    """A lake with libraries, its provider's index, and the clock."""

    engine: Engine
    now: time_machine.Traveller
    deliveries: list[str] = field(default_factory=list)

    def partner(self, partner: str, settings: str = "{}") -> None:
        text = YAML.format(name=partner.title(), settings=settings)
        (self.engine.partners_folder / f"{partner}.yaml").write_text(text, encoding="utf-8")

    def publish(self, partner: str, rows: list[Row], mode: Mode = "full", pin: bool = True) -> str:
        id = f"{partner}__{len(self.deliveries)}"
        self.deliveries.append(id)
        made = pa.Table.from_pylist(rows, schema=SCHEMA)
        contract = self.engine.contract("bibliographic")
        publish(self.engine.lake, contract, partner, id, lambda: made.to_reader(3), mode, lambda: None)
        if pin:
            self.pin()
        return id

    def pin(self) -> None:
        version = newest(self.engine.lake, "bibliographic")
        assert version is not None
        manifests.pin(self.engine.ledger, None, {"bibliographic": Versions(None, version)})

    def look(self) -> Updated:
        done = follow.bring_up(file_in(self.engine.home), lambda: catalogue(self.engine), ())
        self.now.shift(60)
        return done

    def desk(self) -> Desk:
        return Shelf(self.engine.home, page=4).desk()

    def shown(self, query: str = LIST) -> dict[str, tuple[bool, str]]:
        """By control number: whether it is deleted, and its datestamp."""
        return {
            identifier.rpartition("/")[2]: (deleted, stamp)
            for page in pages(self.desk(), query)
            for identifier, stamp, deleted in page.records
        }
