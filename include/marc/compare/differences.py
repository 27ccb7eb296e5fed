"""Two records of one key: which fields changed, and whether anything did that is more than bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from include.marc.batch import LEADER
from include.marc.record import Field, Record

#: Positions of the leader that tell of the bytes, not of the title: length, character set, base address, directory map.
OF_BYTES = [*range(5), 9, *range(12, 17), *range(20, 24)]


def changed(old: Record, new: Record, ignored: Collection[str] = ()) -> list[str]:
    """The tags whose fields are not the same in both, in ascending order; `LDR` for the leader. The order of fields counts within one tag only."""
    tags = {field.tag for field in [*old.fields, *new.fields]} - set(ignored)
    before, after = _by_tag(old), _by_tag(new)
    found = [tag for tag in sorted(tags) if before.get(tag) != after.get(tag)]
    return [LEADER, *found] if LEADER not in ignored and _leader(old) != _leader(new) else found


def of_field(old: Record, new: Record, tag: str) -> tuple[list[Field], list[Field]]:
    """The fields with this tag that only the old, and only the new record has."""
    before, after = ([field for field in record.fields if field.tag == tag] for record in (old, new))
    return _without(before, after), _without(after, before)


def _without(some: list[Field], others: list[Field]) -> list[Field]:
    left = Counter(map(repr, others))
    found = []
    for field in some:
        if left[repr(field)]:
            left[repr(field)] -= 1
        else:
            found.append(field)
    return found


def _by_tag(record: Record) -> dict[str, list[Field]]:
    fields: dict[str, list[Field]] = {}
    for field in record.fields:
        fields.setdefault(field.tag, []).append(field)
    return fields


def _leader(record: Record) -> str:
    return "".join(letter for place, letter in enumerate(record.leader) if place not in OF_BYTES)
