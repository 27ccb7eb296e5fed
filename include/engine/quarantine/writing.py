"""How a delivery's records are written, as far as showing one to a person needs it. The connector that reads them says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from include.engine.contract.model import Contract
from include.engine.delivery import Delivery
from include.engine.engine import Engine

Form = Literal["delimited", "json", "iso2709", "xml", "edifact", "text"]


@dataclass(frozen=True)
class Writing:
    """`form` None: the bytes themselves tell it. `charset` "declared": each record says its own. `family`: which MARC.

    `columns`: our column -> what the partner calls it (several where it is put together of them). `public`: the partner's names whose
    values anybody may see who may see the record. `anyone`: nothing in this hand-off is about a person. Without both, every value is masked.
    `header`: the file begins with a line of names.
    """

    form: Form | None = None
    charset: str = "utf-8"
    family: Literal["marc21", "unimarc", "danmarc2"] = "marc21"
    delimiter: str = ","
    quote: str = '"'
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    public: frozenset[str] = frozenset()
    anyone: bool = False
    header: bool = False

    def hides(self, name: str) -> bool:
        """Whether the values that the partner calls `name` are masked."""
        return not self.anyone and name.casefold() not in self.public

    def theirs(self, column: str | None) -> tuple[str, ...]:
        """What the partner calls our column; the column itself where nobody says."""
        return () if column is None else self.columns.get(column, (column,))


WritingOf = Callable[[Engine, Delivery], Writing]
"""A connector's own: how the records of a delivery are written, by today's settings."""


def by_contract(contract: Contract, columns: Mapping[str, tuple[str, ...]] | None = None) -> Writing:
    """What `contract` lets anybody see: everything where it names nobody, else the public columns, called as `columns` says."""
    if not contract.identity and all(column.classification == "public" for column in contract.columns):
        return Writing(columns=columns or {}, anyone=True)
    named = columns or {column.name: (column.name,) for column in contract.columns}
    public = {name.casefold() for column in contract.columns if column.classification == "public" for name in named.get(column.name, ())}
    hidden = {name.casefold() for column in contract.columns if column.classification != "public" for name in named.get(column.name, ())}
    return Writing(columns=named, public=frozenset(public - hidden))
