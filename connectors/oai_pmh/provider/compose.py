"""A lake row into what harvesters get of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import xxhash

from connectors.oai_pmh.provider import dublin_core, marc
from connectors.oai_pmh.provider.bodies import pack
from connectors.oai_pmh.provider.formats import MARC, MARC21, MARC_NAMES, PLAIN
from connectors.oai_pmh.provider.queries import Query
from connectors.oai_pmh.provider.settings import OaiProvider

WAYS = 1  # counted up when the same row is composed otherwise: every record is then looked at again
COLUMNS = (*dublin_core.COLUMNS, "format", "deleted", "marcxml")
_NO_SPEC = re.compile(r"[^A-Za-z0-9\-_.!~*'()]")
_LOCAL = (
    "-_.!~*():@,"  # beside letters and digits: what a part of an identifier may hold as it is (oai-identifier.xsd), but the divider "/"
)


@dataclass(frozen=True)
class Composed:
    """One record. `dc` and `marc` are packed bodies, None where there is none (deleted, or no MARC that can be read: `unusable`)."""

    local: str
    kind: int
    format: str
    sets: str
    deleted: bool
    dc: bytes | None
    marc: bytes | None
    content: int
    unusable: bool


@dataclass(frozen=True)
class Rules:
    """Under what a partner's rows are composed."""

    partner: str
    settings: OaiProvider
    queries: tuple[Query, ...]

    @property
    def print(self) -> str:
        """16 hex digits of all but the rows that the result depends on."""
        said = repr((WAYS, self.settings.without, self.settings.rights, [(query.id, query.said) for query in self.queries]))
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def hidden(self) -> tuple[str, ...]:
        """Tags that stay here."""
        return marc.LOCAL if self.settings.without is None else self.settings.without


def local_id(partner: str, agency: str, control_number: str) -> str:
    """The part of an OAI identifier that is the record's own; each part percent-encoded, so that no two records share one."""
    return "/".join((partner, quote(agency, safe=_LOCAL), quote(control_number, safe=_LOCAL)))


def parts_of(local: str) -> tuple[str, str, str]:
    """(partner, agency, control number) of a local id."""
    partner, agency, control_number = local.split("/")
    return partner, unquote(agency), unquote(control_number)


def compose(row: Mapping[str, Any], rules: Rules) -> Composed:
    """The record that `row` (COLUMNS of the contract `bibliographic`) makes."""
    kind, inside, unusable = PLAIN, None, False
    if row["marcxml"]:
        try:
            inside, slim = marc.body(row["marcxml"], rules.hidden)
            kind = MARC21 if slim and row["format"] == "marc21" else MARC
        except marc.Unusable:
            unusable = True
    deleted = bool(row["deleted"])
    sets = " ".join(_sets(row, rules))
    name = MARC_NAMES.get(row["format"], row["format"])
    local = local_id(rules.partner, row["agency"], row["control_number"])
    if deleted:
        return Composed(local, kind, name, sets, True, None, None, 0, unusable)
    dc = dublin_core.dublin_core(row, rules.settings.rights)
    content = xxhash.xxh3_64_intdigest(b"\0".join((dc, inside or b"", f"{kind} {name} {sets}".encode()))) - (1 << 63)
    return Composed(local, kind, name, sets, False, pack(dc), None if inside is None else pack(inside), content, unusable)


def _sets(row: Mapping[str, Any], rules: Rules) -> list[str]:
    found = [f"library:{rules.partner}", f"material:{_NO_SPEC.sub('_', row['material_type'])}"]
    taken = [query.id for query in rules.queries if query.takes({**row, "partner": rules.partner})]
    return found + [f"query:{id}" for id in taken]
