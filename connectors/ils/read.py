"""A delivery's files into staged rows: docs/flows/ils_import.md, the step `stage`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, Protocol

from connectors.ils.delimited import read_delimited
from connectors.ils.header import wanted
from connectors.ils.jsonlines import read_jsonlines
from connectors.ils.library import Library
from connectors.ils.loans import Loans
from connectors.ils.marc_reader import read_marc
from connectors.ils.profile import Profile
from connectors.ils.rows import Target, check_columns, typed
from include.engine.ahead import ahead
from include.engine.inbound.connector import Read


class Member(Protocol):
    """A file, or a file inside an archive: `name` is its path there, "" for a bare file."""

    @property
    def name(self) -> str: ...
    @property
    def stream(self) -> BinaryIO: ...


class Source(Protocol):
    """A delivery's file, unpacked: what the storage floor hands over."""

    @property
    def name(self) -> str: ...
    def members(self) -> Iterator[Member]: ...


class Spec(Protocol):
    """What is used of a partner's declaration of a delivery."""

    @property
    def table(self) -> str: ...


def read(source: Source, spec: Spec, profile: Profile, library: Library) -> Iterator[Read]:
    """Every member of the source, in order, as pieces of 50,000 to 200,000 rows; memory does not grow with the file.

    One file may give several tables (MARC with items: bibliographic, holding, item). Raises Refused for a file that cannot be read at all:
    no usable header, a DTD, a column whose type has changed. Everything else costs only the record it is in.
    """
    settings = profile.table(spec.table)
    loans: Loans = getattr(spec, "loans", None) or "history"
    for member in source.members():
        where = f"{source.name}/{member.name}" if member.name else source.name
        if settings.is_marc:
            yield from read_marc(member.stream, member.name, spec.table, profile, library, where=where)
            continue
        target = Target(spec.table, settings.columns, settings, profile, library, loans, settings.identifiers)
        yield from _tabular(member, target, where)


def _tabular(member: Member, target: Target, where: str) -> Iterator[Read]:
    reader = read_jsonlines if target.settings.format == "jsonl" else read_delimited
    first = True
    with ahead(reader(member.stream, member.name, target.settings, where=where)) as blocks:
        for block in blocks:
            found = typed(block, target, where=where)
            if first:
                # JSON has no header: a key that no object has reads as null, and is no column that went missing.
                present = frozenset(wanted(target.settings)) if target.settings.format == "jsonl" else frozenset(block.columns)
                found = replace(found, warnings={**check_columns(target, present, where), **found.warnings})
                first = False
            yield found
