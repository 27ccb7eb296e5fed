"""MARCXML written by hand, and what is read from it, as plain Python."""

from __future__ import annotations

import io
from typing import Any

from include.engine.reasons import reason
from include.marc.build import one_by_one
from include.marc.marcxml import scan

SLIM = 'xmlns="http://www.loc.gov/MARC21/slim"'
LEADER = "00000nam a2200000 a 4500"
#: The title of a record, as it is read.
FULL = ("245", "10", [("a", "Æbler")])


def record(number: str, title: str = "Æbler", *, more: str = "", indicators: str = 'ind1="1" ind2="0"') -> str:
    """One record in the spelling that most programs write."""
    return (
        f'<record><leader>{LEADER}</leader><controlfield tag="001">{number}</controlfield>'
        f'<datafield tag="245" {indicators}><subfield code="a">{title}</subfield></datafield>{more}</record>'
    )


def document(*records: str, head: str = '<?xml version="1.0" encoding="UTF-8"?>\n', root: str = f"collection {SLIM}") -> bytes:
    """A file of records, one a line."""
    return f"{head}<{root}>\n{''.join(one + chr(10) for one in records)}</{root.split()[0]}>\n".encode()


class Read:
    """All batches of a document: `records` as (leader, fields), `issues` as (record, reason), `aside` as (record, reason, bytes)."""

    def __init__(self, content: bytes, **settings: Any) -> None:
        batches = list(scan(io.BytesIO(content), **settings))
        self.records: list[tuple[str, list[Any]]] = [
            (
                one.leader,
                [
                    (field.tag, field.data) if field.data is not None else (field.tag, field.indicators, field.subfields)
                    for field in one.fields
                ],
            )
            for batch in batches
            for one in one_by_one(batch)
        ]
        self.numbers = [number for batch in batches for number in batch.number.tolist()]
        self.places = [place for batch in batches for place in zip(batch.offset.tolist(), batch.length.tolist(), strict=True)]
        self.outcomes = [outcome for batch in batches for outcome in batch.outcome.tolist()]
        self.charsets = [charset for batch in batches for charset in batch.charset.tolist()]
        self.issues = [(row["record"], row["reason"]) for batch in batches for row in batch.issues.to_pylist()]
        self.aside = [(row["record"], row["reason"], row["raw"]) for batch in batches for row in batch.aside.to_pylist()]
        self.asides = [(row["offset"], row["length"]) for batch in batches for row in batch.aside.to_pylist()]

    @property
    def titles(self) -> list[str]:
        """The first subfield of each record's 245."""
        return [next(field[2][0][1] for field in fields if field[0] == "245") for _, fields in self.records]


def among(odd: str) -> Read:
    """An odd record between good ones, which must all come through."""
    found = Read(document(record("1"), odd, record("8"), record("9")))
    assert [fields[0] for _, fields in found.records][-2:] == [("001", "8"), ("001", "9")]
    assert found.records[0][1][0] == ("001", "1")
    for _, code, *_ in [*found.issues, *found.aside]:
        assert reason(code).kind == "record"
    return found
