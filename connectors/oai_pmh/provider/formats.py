"""The metadata formats, and which records can be had in which."""

from __future__ import annotations

from dataclasses import dataclass

#: What a record can be given as. PLAIN: it has no MARC that can be read; MARC: UNIMARC or danMARC2; MARC21: MARC 21.
PLAIN, MARC, MARC21 = 0, 1, 2
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation'
_OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
_MARCXML = "http://www.loc.gov/MARC21/slim"
_MARCXCHANGE = "info:lc/xmlns/marcxchange-v1"
_MARCXML_XSD = "http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd"
_MARCXCHANGE_XSD = "http://www.loc.gov/standards/iso25577/marcxchange-1-1.xsd"


@dataclass(frozen=True)
class Format:
    """One metadata format. `stored` is the table of the index that holds its bodies; a body stands between `head` and `tail`.

    `head` may hold {format}, the name of the record's MARC. `classes` are the records that can be had in it.
    """

    prefix: str
    schema: str
    namespace: str
    stored: str
    head: str
    tail: str
    classes: tuple[int, ...]


FORMATS: dict[str, Format] = {
    one.prefix: one
    for one in (
        Format(
            "oai_dc",
            "http://www.openarchives.org/OAI/2.0/oai_dc.xsd",
            _OAI_DC,
            "dc",
            f'<oai_dc:dc xmlns:oai_dc="{_OAI_DC}" xmlns:dc="http://purl.org/dc/elements/1.1/" '
            f'{_XSI}="{_OAI_DC} http://www.openarchives.org/OAI/2.0/oai_dc.xsd">',
            "</oai_dc:dc>",
            (PLAIN, MARC, MARC21),
        ),
        Format(
            "marcxml",
            _MARCXML_XSD,
            _MARCXML,
            "marc",
            f'<record xmlns="{_MARCXML}" {_XSI}="{_MARCXML} {_MARCXML_XSD}">',
            "</record>",
            (MARC21,),
        ),
        Format(
            "marcxchange",
            _MARCXCHANGE_XSD,
            _MARCXCHANGE,
            "marc",
            f'<record xmlns="{_MARCXCHANGE}" {_XSI}="{_MARCXCHANGE} {_MARCXCHANGE_XSD}" format="{{format}}" type="Bibliographic">',
            "</record>",
            (MARC, MARC21),
        ),
    )
}
#: How MarcXchange names the formats of the contract `bibliographic` (ISO 25577: the attribute `format` is free text).
MARC_NAMES = {"marc21": "MARC21", "danmarc2": "danMARC2", "unimarc": "UNIMARC"}
