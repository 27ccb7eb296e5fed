"""MARC as lines that a person can mend: a line a field, as cataloguers write it, and back.

    LDR 00714cam a2200205 a 4500
    001 12883376
    245 10 $a Interactive multimedia / $c Anne McInnis.

A blank indicator is `#`. The sign is `$`, in danMARC2 `*`; a sign inside a value that would begin a subfield is written twice.
"""

from __future__ import annotations

import re

from include.engine.errors import Refused
from include.engine.quarantine.writing import Writing
from include.marc.batch import LEADER_LENGTH
from include.marc.record import Field, Record

SIGNS = {"marc21": "$", "unimarc": "$", "danmarc2": "*"}
_LINE = re.compile(r"(?P<tag>[0-9A-Za-z?]{3})(?: (?P<rest>.*))?", re.DOTALL)


def written(record: Record, writing: Writing) -> str:
    """The record as lines."""
    sign = SIGNS[writing.family]
    lines = [f"LDR {record.leader}"]
    for field in record.fields:
        if field.data is not None:
            lines.append(f"{field.tag} {_flat(field.data)}")
            continue
        indicators = field.indicators[:2].ljust(2).replace(" ", "#")
        parts = "".join(f" {sign}{code} {_doubled(_flat(value), sign)}" for code, value in field.subfields)
        lines.append(f"{field.tag} {indicators}{parts}")
    return "\n".join(lines) + "\n"


def read(text: str, writing: Writing) -> Record:
    """The lines as a record. Refused (LINE_UNREADABLE) names the first line that is none."""
    sign = re.escape(SIGNS[writing.family])
    fields = re.compile(rf"(?P<ind>[^ ]{{2}})(?P<subfields>(?: {sign}[^ {sign}](?: .*)?)?)", re.DOTALL)
    between = re.compile(rf" {sign}([^ {sign}])(?: |$)")
    record = Record(" " * LEADER_LENGTH)
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise _unreadable(number)
        tag, rest = found["tag"], found["rest"] or ""
        if tag == "LDR":
            record.leader = rest[:LEADER_LENGTH].ljust(LEADER_LENGTH)
            continue
        data = fields.fullmatch(rest)
        if data is None or (tag.startswith("00") and writing.family != "danmarc2"):
            if not tag.startswith("00"):
                raise _unreadable(number)
            record.fields.append(Field(tag, data=rest))
            continue
        pieces = between.split(data["subfields"])[1:]
        subfields = [(code, value.replace(SIGNS[writing.family] * 2, SIGNS[writing.family])) for code, value in _pairs(pieces)]
        record.fields.append(Field(tag, indicators=data["ind"].replace("#", " "), subfields=subfields))
    if not record.fields:
        raise _unreadable(1)
    return record


def _pairs(pieces: list[str]) -> list[tuple[str, str]]:
    return list(zip(pieces[::2], pieces[1::2], strict=True))


def _flat(value: str) -> str:
    return re.sub(r"[\r\n\x1d-\x1f]", " ", value)


def _doubled(value: str, sign: str) -> str:
    return re.sub(rf"{re.escape(sign)}(?=[^ ] )|{re.escape(sign)}{{2}}", lambda found: found[0] * 2, value)


def _unreadable(number: int) -> Refused:
    return Refused(
        f"line {number} is no field.",
        do="Write a field as 245 10 $a Title $c Author, a control field as 001 12345.",
        code="LINE_UNREADABLE",
        values={"value": f"{number}"},
    )
