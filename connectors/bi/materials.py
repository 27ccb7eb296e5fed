"""The material types of GLOSSARY and contract `bibliographic`, in the words of each country's analysts."""

from __future__ import annotations

import pyarrow as pa

from connectors.bi.tables import TABLES

_ROWS = [
    # material_type, name, name_da, name_sv, name_nl, digital
    ("audiobook", "Audiobook", "Lydbog", "Ljudbok", "Luisterboek", False),
    ("book", "Book", "Bog", "Bok", "Boek", False),
    ("ebook", "E-book", "E-bog", "E-bok", "E-boek", True),
    ("film", "Film", "Film", "Film", "Film", False),
    ("game", "Game", "Spil", "Spel", "Spel", False),
    ("map", "Map", "Kort", "Karta", "Kaart", False),
    ("music", "Music", "Musik", "Musik", "Muziek", False),
    ("other", "Other", "Andet", "Annat", "Overig", False),
    ("periodical", "Periodical", "Tidsskrift", "Tidskrift", "Tijdschrift", False),
    ("unknown", "Not stated", "Ikke oplyst", "Ej angivet", "Niet vermeld", False),
]


def materials() -> pa.Table:
    """dim_material, sorted by its key."""
    schema = TABLES["dim_material"].schema
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in _ROWS], schema=schema)
