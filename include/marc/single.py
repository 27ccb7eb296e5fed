"""Single records as pymarc.Record, for code that handles one at a time, and back.

pymarc takes every tag below 010 for a control field. In danMARC2 those have subfields; such a field is a data field here under its own tag, which
pymarc writes and prints as it should.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pymarc

from include.marc.batch import LEADER_LENGTH, Batch, Tags
from include.marc.build import Found, build, one_by_one
from include.marc.record import Field, Record

#: A tag that pymarc takes for a data field's.
ANY_DATA_FIELD = "999"


def records(batch: Batch) -> Iterator[pymarc.Record]:
    """The batch's records, one by one, in text (pymarc writes them as UTF-8)."""
    return map(to_pymarc, one_by_one(batch))


def to_pymarc(record: Record) -> pymarc.Record:
    """One record as pymarc's."""
    found = pymarc.Record(force_utf8=True)
    found.leader = pymarc.Leader(record.leader)
    found.fields = [_to_field(field) for field in record.fields]
    return found


def from_pymarc(given: Iterable[pymarc.Record], tags: Tags | None = None) -> Batch:
    """A batch of pymarc's records, numbered from 1."""
    found = [Found(_from_record(record), number) for number, record in enumerate(given, start=1)]
    return build(found, tags or Tags())


def _to_field(field: Field) -> pymarc.Field:
    if field.data is not None:
        found = pymarc.Field(field.tag, data=field.data)
        if not found.control_field:  # a tag such as FMT, which has no subfields in some systems
            found.control_field, found.data, found._indicators = True, field.data, None
        return found
    indicators = pymarc.Indicators(*field.indicators)
    found = pymarc.Field(ANY_DATA_FIELD, indicators=indicators, subfields=[pymarc.Subfield(*one) for one in field.subfields])
    found.tag = field.tag
    return found


def _from_record(record: pymarc.Record) -> Record:
    return Record(str(record.leader)[:LEADER_LENGTH].ljust(LEADER_LENGTH), [_from_field(field) for field in record.fields])


def _from_field(field: pymarc.Field) -> Field:
    if field.control_field:
        return Field(field.tag, data=field.data or "")
    return Field(field.tag, indicators="".join(field.indicators or "  "), subfields=[(one.code, one.value) for one in field.subfields])
