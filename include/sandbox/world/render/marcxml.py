"""MARCXML (MARC 21 slim), as an export tool writes it: no pretty printing, one record a line."""

from __future__ import annotations

from xml.sax.saxutils import escape

from include.sandbox.world.render.iso2709 import SUBFIELD, Field

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="http://www.loc.gov/MARC21/slim">\n'
TAIL = "</collection>\n"


def record(leader: str, fields: list[Field]) -> str:
    """One <record>, in one line; `leader` as in `iso2709.record`."""
    parts = [f"<record><leader>00000{leader[:7]}00000{leader[7:]}4500</leader>"]
    for tag, data in fields:
        if SUBFIELD not in data:
            parts.append(f'<controlfield tag="{tag}">{escape(data)}</controlfield>')
            continue
        indicators, *values = data.split(SUBFIELD)
        inside = "".join(f'<subfield code="{value[0]}">{escape(value[1:])}</subfield>' for value in values)
        parts.append(f'<datafield tag="{tag}" ind1="{indicators[0]}" ind2="{indicators[1]}">{inside}</datafield>')
    return "".join(parts) + "</record>\n"
