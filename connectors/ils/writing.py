"""How an export's records are written, by the library system's profile: for those who look at one that was set aside."""

from __future__ import annotations

from dataclasses import replace

from connectors.ils import incoming
from connectors.ils.profile import Columns, TableProfile
from connectors.ils.settings import IlsImport
from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.quarantine.writing import Form, Writing, by_contract

FORMS: dict[str, Form] = {"csv": "delimited", "tsv": "delimited", "jsonl": "json", "marcxml": "xml"}


def writing(engine: Engine, delivery: Delivery) -> Writing:
    """The delivery's table as the partner's own profile has it. Records of patrons are masked whole, as they are in messages."""
    flow = engine.partner(delivery.partner).flows[delivery.flow]
    assert isinstance(flow, IlsImport)
    settings = flow.loaded().table(delivery.table)
    by = by_contract(incoming.contract(delivery.table), _theirs(settings))
    return replace(
        by,
        form=FORMS.get(settings.format, "iso2709"),
        charset="declared" if settings.charset == "leader" else settings.charset,
        family=settings.marc,
        delimiter=settings.delimiter,
        quote=settings.quote,
        header=settings.format in {"csv", "tsv"},
        public=frozenset() if delivery.table == "patron" else by.public,
    )


def _theirs(settings: TableProfile) -> dict[str, tuple[str, ...]]:
    """Our columns by the names that the export gives them; those of items inside MARC records by their subfields."""
    columns: dict[str, tuple[str, ...]] = _named(settings.columns)
    if settings.identifiers:
        for ours in settings.identifiers.kinds.values():
            columns[ours] = (*columns.get(ours, ()), *(value for _, value in settings.identifiers.pairs))
    return columns


def _named(columns: Columns) -> dict[str, tuple[str, ...]]:
    return {ours: tuple(dict.fromkeys(name for one in alternatives for name in one.source)) for ours, alternatives in columns.items()}


WRITINGS = {"ils_import": writing}
