"""What differs between records, tag by tag: the digests say what looking at each field says."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from include.marc.batch import LEADER, Tags
from include.marc.build import Found, build
from include.marc.compare.differences import OF_BYTES, differing, fields, together
from include.marc.record import Field, Record

HEADS = ["00000nam a2200000 a 4500", "99999nam  2200025 a 4500", "00000cam a2200000 a 4500"]
VALUES = st.sampled_from(["", "x", "y", "xx"])
FIELDS = st.one_of(
    st.builds(lambda tag, data: Field(tag, data=data), st.sampled_from(["001", "005"]), VALUES),
    st.builds(
        lambda tag, indicators, subfields: Field(tag, indicators=indicators, subfields=subfields),
        st.sampled_from(["245", "650"]),
        st.sampled_from(["  ", "1 ", " 1"]),
        st.lists(st.tuples(st.sampled_from("ab"), VALUES), max_size=3),
    ),
)
RECORDS = st.builds(Record, st.sampled_from(HEADS), st.lists(FIELDS, max_size=4))


def one_by_one(old: Record, new: Record) -> list[str]:
    """The same, as one would look for it by hand."""

    def of(record: Record, tag: str) -> list[Field]:
        return [field for field in record.fields if field.tag == tag]

    def leader(record: Record) -> str:
        return "".join(letter for place, letter in enumerate(record.leader) if place not in OF_BYTES)

    tags = sorted({field.tag for field in [*old.fields, *new.fields]})
    return [LEADER] * (leader(old) != leader(new)) + [tag for tag in tags if of(old, tag) != of(new, tag)]


@settings(deadline=None)
@given(st.lists(st.tuples(RECORDS, RECORDS), max_size=4), st.sampled_from([(), ("245",), (LEADER, "001")]))
def test_the_tags_whose_fields_differ_are_found(pairs: list[tuple[Record, Record]], ignored: tuple[str, ...]) -> None:
    names, sides = Tags(), []
    for side in zip(*pairs, strict=True) if pairs else ((), ()):
        half = len(side) // 2
        parts = [(side[:half], np.arange(half)), (side[half:], np.arange(half, len(side)))]  # from two batches, each with tags of its own
        sides.append(together([fields(build([Found(record, 1) for record in some], Tags()), places, names) for some, places in parts]))
    found = differing(sides[0], sides[1], names, len(pairs), ignored)
    assert found == [[tag for tag in one_by_one(old, new) if tag not in ignored] for old, new in pairs]
