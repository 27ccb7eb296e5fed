"""Each format bound to the lake's tables: what a cataloguer expects of a record of each kind."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from include.marc.batch import Family
from include.marc.iso2709.scan import scan
from include.marc.kinds import KINDS, is_of, kinds
from include.marc.mapping import load
from tests.marc.bindings.reading import FIXTURES, batch

SAMPLES = Path(os.environ.get("MARC_SAMPLES", Path(__file__).parents[4] / "shared" / "samples" / "marc"))
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the public MARC samples are not at hand (MARC_SAMPLES names their folder)")


def row(fixture: str, binding: str) -> dict[str, Any]:
    """The fixture's row, without what it says nothing of."""
    (found,) = batch(fixture).wide(load(binding)).to_pylist()
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("fixture", "binding", "expected"),
    [
        (
            "danmarc2_volume_under_its_head",
            "danmarc2_bibliographic",
            {
                "control_number": "51000001",
                "agency": "870970",
                "title": "2. bind Tiden efter",
                "subtitle": "fra først til sidst",
                "responsibility": "Ib Vang",
                "year": "2026",
                "language": "dan",
                "isbn": ["9788700000002"],
                "material_type": "book",
                "classification": "98.63",
                "part_of": "51000000",
            },
        ),
        (
            "danmarc2_head_of_a_work_in_volumes",
            "danmarc2_bibliographic",
            {
                "control_number": "51000000",
                "agency": "870970",
                "title": "Tidens gang",
                "responsibility": "Ib Vang",
                "contributors": ["Vang Ib"],
                "publisher": "Forlaget Havn",
                "published": "2025-2026",
                "year": "2025",
                "language": "dan",
                "isbn": ["9788700000019"],
                "material_type": "book",
                "classification": "98.63",
            },
        ),
        (
            "danmarc2_section_between_head_and_volume",
            "danmarc2_bibliographic",
            {
                "control_number": "51000005",
                "agency": "870970",
                "title": "2. del Nye tider",
                "year": "2026",
                "language": "dan",
                "material_type": "other",
                "part_of": "51000000",
            },
        ),
        (
            "danmarc2_deleted",
            "danmarc2_bibliographic",
            {"control_number": "51000002", "agency": "775100", "material_type": "other", "deleted": "true"},
        ),
        (
            "danmarc3_ebook_with_three_contributors",
            "danmarc2_bibliographic",
            {
                "control_number": "51000003",
                "agency": "870970",
                "title": "Havet samt Landet",
                "subtitle": "fortællinger",
                "contributors": ["Vang Ib", "Holm Ane", "Lindeby Kommune"],
                "publisher": "Forlaget Havn",
                "published": "2025",
                "year": "2025",
                "language": "eng",
                "material_type": "ebook",
                "subjects": ["hav", "1990-1999"],
            },
        ),
        (
            "danmarc2_periodical",
            "danmarc2_bibliographic",
            {
                "control_number": "03178470",
                "agency": "870970",
                "title": "Månedens blad",
                "year": "1970",
                "language": "dan",
                "issn": ["0317-8471"],
                "material_type": "periodical",
            },
        ),
        (
            "danmarc2_auxiliary_record_of_a_person",
            "danmarc2_authority",
            {
                "control_number": "68000001",
                "agency": "870979",
                "kind": "person",
                "heading": "Vang Ib 1970-",
                "see_from": ["Wang Ib"],
                "see_also": ["Holm Ane"],
            },
        ),
        (
            "marc21_authority_of_a_place",
            "marc21_authority",
            {
                "control_number": "a-1",
                "agency": "DK-799001",
                "kind": "place",
                "heading": "Lindeby Historie",
                "see_from": ["Lindby"],
                "see_also": ["Lindeby Kommune"],
            },
        ),
        (
            "marc21_class_with_its_span_and_caption",
            "marc21_authority",
            {
                "control_number": "c-1",
                "agency": "OCoLC",
                "kind": "classification",
                "heading": "839.81 839.88 Nordisk litteratur",
                "see_from": ["Nordisk litteratur Historie"],
                "see_also": ["439.8"],
            },
        ),
        (
            "marc21_holding_in_words",
            "marc21_holding",
            {
                "holding_id": "h-1001",
                "control_number": "51000001",
                "branch": "MAIN",
                "location": "STACKS",
                "call_number": "98.63 Van",
                "statement": "1998-2004; 2007-",
            },
        ),
        (
            "marc21_holding_by_enumeration",
            "marc21_holding",
            {
                "holding_id": "h-1002",
                "control_number": "51000002",
                "branch": "MAIN",
                "statement": "v.1:no.1(1990:Jan.)-v.3:no.12(1992:Dec.),v.5:no.1(1994:Jan.),v.6:no.2(1995:Feb.)-v.6:no.4(1995:Apr.)<damaged> + pt.1",
            },
        ),
        (
            "unimarc_holding_of_a_serial",
            "unimarc_holding",
            {
                "holding_id": "h-2001",
                "control_number": "ppn-7",
                "agency": "ABES",
                "branch": "750562101",
                "location": "Magasin",
                "call_number": "S.A. 1130",
                "statement": "1(1990)-12(2001)",
            },
        ),
        (
            "unimarc_authority_of_a_person",
            "unimarc_authority",
            {"control_number": "a-2", "agency": "ABES", "kind": "person", "heading": "Vang , Ib 1970-....", "see_from": ["Wang , Ib"]},
        ),
        (
            "unimarc_volume_of_a_set",
            "unimarc_bibliographic",
            {
                "control_number": "ppn-8",
                "title": "Le temps d'après",
                "subtitle": "récit",
                "responsibility": "Ib Vang",
                "language": "fre",
                "material_type": "book",
                "part_of": "ppn-1",
            },
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_is_bound_as_a_cataloguer_expects(fixture: str, binding: str, expected: dict[str, Any]) -> None:
    assert row(fixture, binding) == expected


@pytest.mark.parametrize(
    ("fixture", "family", "kind"),
    [
        ("danmarc2_volume_under_its_head", "danmarc2", "bibliographic"),
        ("danmarc2_auxiliary_record_of_a_person", "danmarc2", "authority"),
        ("marc21_holding_by_enumeration", "marc21", "holding"),
        ("marc21_authority_of_a_place", "marc21", "authority"),
        ("marc21_class_with_its_span_and_caption", "marc21", "classification"),
        ("unimarc_holding_of_a_serial", "unimarc", "holding"),
        ("unimarc_authority_of_a_person", "unimarc", "authority"),
        ("unimarc_volume_of_a_set", "unimarc", "bibliographic"),
    ],
)
def test_a_record_is_known_for_what_it_is(fixture: str, family: Family, kind: str) -> None:
    assert KINDS[kinds(batch(fixture), family)[0]] == kind


def test_classes_lie_with_authorities_and_each_record_in_one_table() -> None:
    names = [file.stem for file in sorted(FIXTURES.glob("marc21_*.line"))]
    one = batch(*names)
    tables = np.array([is_of(one, "marc21", table) for table in ("bibliographic", "authority", "holding")])
    assert (tables.sum(0) == 1).all()
    assert tables[1][names.index("marc21_class_with_its_span_and_caption")]


@needs_samples
@pytest.mark.parametrize(
    ("name", "table", "family", "needed"),
    [
        ("Evergreen__auth-1066.mrc", "authority", "marc21", ("control_number", "kind", "heading")),
        ("pymarc__marc.dat", "bibliographic", "marc21", ("control_number", "title", "material_type")),
        ("Catmandu-MARC__camel.mrc", "bibliographic", "marc21", ("control_number", "title", "material_type")),
        ("pymarc__testunimarc.dat", "bibliographic", "unimarc", ("control_number", "title", "material_type")),
    ],
)
def test_real_records_say_what_the_contract_asks(name: str, table: str, family: Family, needed: tuple[str, ...]) -> None:
    for one in scan(io.BytesIO((SAMPLES / name).read_bytes()), family=family):
        assert is_of(one, family, table).all()
        wide = one.wide(load(f"{family}_{table}"))
        for column in needed:
            # two of the authorities have no heading, but a 103
            assert wide.column(column).null_count <= (2 if column == "heading" else 0)
