"""Metadata into titles: rows of `bibliographic` of what is MARC in XML or Dublin Core. One function, `titles`, is all that the rest knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree

from connectors.oai_pmh.harvest.dublin_core import title_of_dc
from connectors.oai_pmh.settings import MARC_PREFIXES, OaiHarvest
from include.marc import mapping
from include.marc.record import Field, Record, marcxml

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
_OTHER_KINDS = frozenset("zuvxyqw")  # leader/06: authority, holdings, community information, classification
Row = dict[str, Any]


@dataclass(frozen=True)
class Unbound:
    """Why a record became no title; `reason` None where it is none (an authority record)."""

    reason: str | None
    detail: str = ""


def titles(xmls: Sequence[bytes], identifiers: Sequence[str], flow: OaiHarvest, agency: str) -> list[Row | Unbound]:
    """For each record's metadata its row of `ils_bibliographic`, or why there is none. `agency` stands where the record names none."""
    if flow.prefix in MARC_PREFIXES:
        columns = mapping.load(f"{flow.family}_bibliographic")
        return [_of_marc(xml, columns, flow.family, agency) for xml in xmls]
    return [title_of_dc(xml, identifier, agency) or Unbound("OAI_NOT_BOUND") for xml, identifier in zip(xmls, identifiers, strict=True)]


def gone(control_number: str, agency: str, flow: OaiHarvest) -> Row:
    """The row of a title of which nothing is known but that it is deleted."""
    kind = flow.family if flow.prefix in MARC_PREFIXES else "dc"
    row = {"control_number": control_number, "agency": agency, "format": kind, "title": "", "material_type": "other"}
    return row | {"deleted": True, "encoding": "utf-8"}


def _of_marc(xml: bytes, columns: mapping.ColumnMapping, family: str, agency: str) -> Row | Unbound:
    try:
        record = record_of(etree.fromstring(xml, _PARSER))
    except (etree.XMLSyntaxError, ValueError) as wrong:
        return Unbound("OAI_NOT_BOUND", str(wrong)[:200])
    if family != "danmarc2" and record.leader[6:7] in _OTHER_KINDS:
        return Unbound(None)
    row: Row = columns.row(record)
    if not row.get("control_number"):
        return Unbound("OAI_NOT_BOUND", "no control number")
    year = row.get("year")
    row |= {"agency": row.get("agency") or agency, "deleted": row.get("deleted") == "true", "year": int(year) if year else None}
    return row | {"format": family, "encoding": "utf-8", "repaired": None, "marcxml": marcxml(record)}


def record_of(element: etree._Element) -> Record:
    """The MARC record in an element of MARCXML or MarcXchange, which differ in their namespace alone. ValueError for what is neither."""
    if etree.QName(element).localname == "collection" and len(element):
        element = element[0]
    if etree.QName(element).localname != "record":
        raise ValueError("the metadata are no MARC record")
    leader, fields = "", []
    for child in element:
        name = str(child.tag).rpartition("}")[2]
        if name == "leader":
            leader = child.text or ""
        elif name == "controlfield":
            fields.append(Field(child.get("tag", ""), child.text or ""))
        elif name == "datafield":
            subfields = [(one.get("code", ""), one.text or "") for one in child if isinstance(one.tag, str)]
            indicators = (child.get("ind1") or " ")[:1] + (child.get("ind2") or " ")[:1]
            fields.append(Field(child.get("tag", ""), None, indicators, subfields))
    if not fields:
        raise ValueError("the record has no fields")
    return Record(leader.ljust(24)[:24], fields)
