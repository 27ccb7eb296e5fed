"""Rows of the contract `bibliographic` made by hand, a catalogue of them in memory, and a provider over it without a socket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pyarrow as pa
from lxml import etree

from connectors.oai_pmh.provider import follow
from connectors.oai_pmh.provider.compose import COLUMNS
from connectors.oai_pmh.provider.desk import Desk, Reply
from connectors.oai_pmh.provider.index import file_in
from connectors.oai_pmh.provider.libraries import Catalogue, Library
from connectors.oai_pmh.provider.queries import Query
from connectors.oai_pmh.provider.repository import Repository
from connectors.oai_pmh.provider.settings import OaiProvider
from connectors.oai_pmh.provider.update import Updated
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.lake.rows import row_hash

KEY = bytes(range(32))
SPACES = {"o": "http://www.openarchives.org/OAI/2.0/"}
SCHEMA = pa.schema([one for one in arrow_schema(load("bibliographic")) if one.name != "partner"])
ENVELOPE = etree.XMLSchema(file=str(Path(__file__).with_name("envelope.xsd")))

Row = dict[str, Any]


def marcxml(number: str, title: str, *fields: str) -> str:
    """A small MARC 21 record in XML; `fields` are elements more."""
    return (
        '<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 i 4500</leader>'
        f'<controlfield tag="001">{number}</controlfield>'
        f'<datafield tag="245" ind1="0" ind2="0"><subfield code="a">{title}</subfield></datafield>{"".join(fields)}</record>'
    )


def row(number: int | str, title: str = "Huset ved havet", **more: Any) -> Row:
    """A lake row; MARC is made of number and title unless it is given."""
    found: Row = dict.fromkeys(SCHEMA.names)
    found |= {"control_number": str(number), "agency": "DK-799001", "format": "marc21", "title": title, "material_type": "book"}
    found |= {"deleted": False, "encoding": "utf-8", "marcxml": marcxml(escape(str(number)), escape(title))}
    return found | more


def table(rows: Sequence[Row]) -> pa.Table:
    """Rows as the lake has them, with their hash."""
    made = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    return made.append_column("_row_hash", row_hash(made, SCHEMA.names))


@dataclass
class Shelf:
    """A provider over libraries whose files lie in memory: `put` says what a library has now, `look` brings the index up to it."""

    folder: Path
    page: int = 3
    queries: tuple[Query, ...] = ()
    libraries: dict[str, tuple[OaiProvider, dict[str, pa.Table]]] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()

    def put(self, partner: str, files: Mapping[str, Sequence[Row]], settings: OaiProvider | None = None) -> None:
        self.libraries[partner] = (settings or OaiProvider(), {name: table(rows) for name, rows in files.items()})

    def catalogue(self) -> Catalogue:
        return Catalogue(tuple(self._library(partner) for partner in sorted(self.libraries)), self.unsure, 1)

    def _library(self, partner: str) -> Library:
        settings, files = self.libraries[partner]

        def rows(file: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
            assert {*columns} <= {*COLUMNS, "_row_hash"}
            yield from files[file].select(list(columns)).to_batches(max_chunksize=4)

        return Library(partner, f"The library of {partner}", settings, tuple(files), rows)

    def look(self) -> Updated:
        return follow.bring_up(file_in(self.folder), self.catalogue, self.queries)

    def repository(self, **more: Any) -> Repository:
        base = Repository("A test", "http://test.example/oai", "oai@test.example", "test.example", file_in(self.folder), (KEY,), self.page)
        return replace(base, **more)

    def desk(self, **more: Any) -> Desk:
        return Desk(self.repository(**more))


@dataclass(frozen=True)
class Page:
    """One answer, read: `records` are (identifier, datestamp, deleted) in order."""

    root: etree._Element
    reply: Reply

    def all(self, path: str) -> list[Any]:
        return list(self.root.xpath(path, namespaces=SPACES))

    @property
    def error(self) -> str | None:
        return next(iter(self.all("o:error/@code")), None)

    @property
    def records(self) -> list[tuple[str, str, bool]]:
        heads = self.all("*//o:header")
        return [(head[0].text, head[1].text, head.get("status") == "deleted") for head in heads]

    @property
    def ids(self) -> list[str]:
        return [identifier.rpartition("/")[2] for identifier, _, _ in self.records]

    @property
    def token(self) -> str | None:
        return next(iter(self.all("*/o:resumptionToken/text()")), None)

    @property
    def dated(self) -> str:
        return str(self.all("o:responseDate/text()")[0])


def ask(desk: Desk, query: str) -> Page:
    """An answer that is valid against the schema."""
    reply = desk.harvest(query.encode(), False, "")
    root = etree.fromstring(reply.body)
    ENVELOPE.assertValid(root)
    return Page(root, reply)


def pages(desk: Desk, query: str) -> list[Page]:
    """A whole list, page by page."""
    found = [ask(desk, query)]
    verb = query.partition("&")[0]
    while token := found[-1].token:
        assert len(found) < 200, "the list does not end"
        found.append(ask(desk, f"{verb}&resumptionToken={token}"))
    return found
