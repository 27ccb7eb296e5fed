"""Metadata into titles: rows of `bibliographic` of what is MARC in XML or Dublin Core. `titles` is all that the rest knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.oai_pmh.harvest.dublin_core import title_of_dc
from connectors.oai_pmh.settings import MARC_PREFIXES, OaiHarvest
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.errors import Refused
from include.marc import charsets, marcxml
from include.marc.batch import Batch, Bools, Ints
from include.marc.build import one_by_one
from include.marc.kinds import is_of
from include.marc.mapping import load as mapping
from include.marc.record import NAMESPACE
from include.marc.record import marcxml as as_marcxml
from include.marc.wide import wide

CONTRACT = "ils_bibliographic"


@dataclass
class Titles:
    """`rows` by the contract's columns; `of` says for each which record it was made of. `unbound`: records that became none, with reason and detail;
    the reason is None for what is no title at all, such as an authority record. `warnings` by reason."""

    rows: pa.Table
    of: Ints
    unbound: dict[int, tuple[str | None, str]]
    warnings: dict[str, int] = field(default_factory=dict)


def titles(xmls: pa.StringArray, identifiers: pa.StringArray, flow: OaiHarvest, agency: str) -> Titles:
    """The titles of records, given their metadata (none is null). `agency` stands where a record names none."""
    if flow.prefix in MARC_PREFIXES:
        return _of_marc(xmls, flow, agency)
    pairs = zip(xmls.to_pylist(), identifiers.to_pylist(), strict=True)
    rows = [title_of_dc(xml.encode(), identifier, agency) for xml, identifier in pairs]
    of = np.flatnonzero([row is not None for row in rows])
    unbound: dict[int, tuple[str | None, str]] = {n: ("OAI_NOT_BOUND", "no Dublin Core") for n, row in enumerate(rows) if row is None}
    return Titles(_rows([row for row in rows if row is not None]), of, unbound)


def gone(control_number: str, agency: str, flow: OaiHarvest) -> dict[str, Any]:
    """The row of a title of which nothing is known but that it is deleted."""
    kind = flow.family if flow.prefix in MARC_PREFIXES else "dc"
    row = {"control_number": control_number, "agency": agency, "format": kind, "title": "", "material_type": "other"}
    return row | {"deleted": True, "encoding": "utf-8"}


def _rows(rows: Sequence[dict[str, Any]]) -> pa.Table:
    schema = arrow_schema(load(CONTRACT))
    return pa.Table.from_arrays([pa.array([row.get(one.name) for row in rows], one.type) for one in schema], schema=schema)


def _of_marc(xmls: pa.StringArray, flow: OaiHarvest, agency: str) -> Titles:
    """All at once: the records side by side as one collection, each told by where it stands in it."""
    whole, ends = _collection(xmls)
    tables, places, unbound, warnings = list[pa.Table](), [np.empty(0, np.int64)], dict[int, tuple[str | None, str]](), dict[str, int]()
    try:
        for batch in marcxml.scan(BytesIO(whole), family=flow.family, block=max(len(whole), 1 << 16)):
            of = np.searchsorted(ends, batch.offset, side="right")
            for place, reason, detail in zip(
                *(batch.aside.column(name).to_pylist() for name in ("offset", "reason", "detail")), strict=True
            ):
                unbound[int(np.searchsorted(ends, place, side="right"))] = ("OAI_NOT_BOUND", detail or reason)
            for reason in batch.issues.column("reason").to_pylist():
                warnings[reason] = warnings.get(reason, 0) + 1
            rows = _wide(batch, of, xmls, flow, agency)
            for number in of[~is_of(batch, flow.family, "bibliographic")].tolist():
                unbound[number] = (None, "")
            for number in of[np.asarray(rows.column("control_number").is_null())].tolist():
                unbound.setdefault(number, ("OAI_NOT_BOUND", "no control number"))
            left = ~np.isin(of, list(unbound))
            left &= _first_of_each(of)
            tables.append(rows if left.all() else rows.filter(pa.array(left)))
            places.append(of[left])
    except Refused as refused:  # there is no MARC record at all, or a document type
        return Titles(_rows([]), np.empty(0, np.int64), dict.fromkeys(range(len(xmls)), ("OAI_NOT_BOUND", refused.what)))
    found = np.concatenate(places)
    for number in np.setdiff1d(np.arange(len(xmls)), found).tolist():
        unbound.setdefault(number, ("OAI_NOT_BOUND", "no MARC record"))
    return Titles(pa.concat_tables(tables) if tables else _rows([]), found, unbound, warnings)


def _collection(xmls: pa.StringArray) -> tuple[bytes, Ints]:
    """The records as one document, and where each of them ends in it."""
    begin, end = b"<collection>", b"</collection>"
    _, offsets, data = xmls.buffers()
    ends = (
        np.frombuffer(offsets, np.int32)[xmls.offset : xmls.offset + len(xmls) + 1].astype(np.int64) if len(xmls) else np.zeros(1, np.int64)
    )
    inside = memoryview(data)[ends[0] : ends[-1]] if data is not None else b""
    return b"".join([begin, inside, end]), ends[1:] - ends[0] + len(begin)


def _wide(batch: Batch, of: Ints, xmls: pa.StringArray, flow: OaiHarvest, agency: str) -> pa.Table:
    found = wide(batch, mapping(f"{flow.family}_bibliographic"))
    count = len(batch)
    issues = _issues(batch)
    made: dict[str, Any] = {name: found.column(name).combine_chunks() for name in found.column_names}
    made["agency"] = pc.fill_null(made["agency"], agency) if "agency" in made else pa.repeat(pa.scalar(agency), count)
    made["deleted"] = pc.fill_null(pc.equal(made["deleted"], "true"), False) if "deleted" in made else pa.repeat(pa.scalar(False), count)
    made["format"] = pa.repeat(pa.scalar(flow.family), count)
    made["encoding"] = pa.array([charsets.NAMES[number] for number in batch.charset.tolist()], pa.string())
    made["repaired"] = pa.array([", ".join(issues[number]) if number in issues else None for number in batch.number.tolist()], pa.string())
    made["marcxml"] = _marcxml(batch, of, xmls, issues)
    arrays = [made[one.name].cast(one.type) if one.name in made else pa.nulls(count, one.type) for one in arrow_schema(load(CONTRACT))]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(load(CONTRACT)))


def _marcxml(batch: Batch, of: Ints, xmls: pa.StringArray, issues: dict[int, list[str]]) -> pa.Array:
    """A record that came as MARCXML and had nothing mended stands as it came; others are written anew."""
    came = xmls if np.array_equal(of, np.arange(len(xmls))) else xmls.take(pa.array(of))
    slim = np.asarray(pc.match_substring(came, NAMESPACE)).astype(np.bool_)
    if not issues and slim.all():
        return came
    texts = [
        xml if own and number not in issues else as_marcxml(record)
        for xml, own, number, record in zip(came.to_pylist(), slim, batch.number.tolist(), one_by_one(batch), strict=True)
    ]
    return pa.array(texts, pa.string())


def _issues(batch: Batch) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for number, reason in zip(*(batch.issues.column(name).to_pylist() for name in ("record", "reason")), strict=True):
        if reason not in found.setdefault(number, []):
            found[number].append(reason)
    return found


def _first_of_each(of: Ints) -> Bools:
    first = np.zeros(len(of), np.bool_)
    first[np.unique(of, return_index=True)[1]] = True
    return first
