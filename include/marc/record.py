"""One MARC record in memory, whatever it came as: MARC 21, UNIMARC or danMARC2; ISO 2709 or XML.

pymarc's own model takes every tag below 010 for a control field; in danMARC2 they have subfields, so the model is ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

NAMESPACE = "http://www.loc.gov/MARC21/slim"
# XML 1.0, production 2: these characters may not stand in a document, not even as references.
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_ATTRIBUTE = _TEXT | str.maketrans({'"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"})


def escape(text: str) -> str:
    """As text of an XML document. (xml.sax.saxutils has the same, and imports an HTTP client.)"""
    return text.translate(_TEXT)


def quoteattr(text: str) -> str:
    """As the value of an XML attribute, with its quotes."""
    return f'"{text.translate(_ATTRIBUTE)}"'


@dataclass(slots=True)
class Field:
    """A control field has `data`; a data field has two `indicators` and `subfields` as (code, value)."""

    tag: str
    data: str | None = None
    indicators: str = "  "
    subfields: list[tuple[str, str]] = field(default_factory=list)

    def values(self, codes: str) -> list[str]:
        """Values of the subfields with one of these codes, in the record's order."""
        return [value for code, value in self.subfields if code in codes]


@dataclass(slots=True)
class Record:
    """`leader` has 24 characters."""

    leader: str
    fields: list[Field] = field(default_factory=list)

    def named(self, tag: str) -> Iterator[Field]:
        """Fields with this tag; X stands for any character (6XX)."""
        if "X" not in tag:
            return (found for found in self.fields if found.tag == tag)
        pattern = re.compile(tag.replace("X", "."))
        return (found for found in self.fields if pattern.fullmatch(found.tag))


def marcxml(record: Record) -> str:
    """The record as one MARCXML `record` element (MARC 21 slim), without characters that XML forbids."""
    parts = [f'<record xmlns="{NAMESPACE}"><leader>{escape(record.leader)}</leader>']
    for found in record.fields:
        if found.data is not None:
            parts.append(f"<controlfield tag={quoteattr(found.tag)}>{escape(found.data)}</controlfield>")
            continue
        one, two = quoteattr(found.indicators[0]), quoteattr(found.indicators[1])
        parts.append(f"<datafield tag={quoteattr(found.tag)} ind1={one} ind2={two}>")
        parts += [f"<subfield code={quoteattr(code)}>{escape(value)}</subfield>" for code, value in found.subfields]
        parts.append("</datafield>")
    parts.append("</record>")
    return NOT_XML.sub("", "".join(parts))
