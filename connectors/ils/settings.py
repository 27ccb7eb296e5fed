"""What a partner's YAML says of `ils_import`: the flow of the library system's own exports."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from include.engine.partner.settings import DeliverySpec, FlowSettings, InboxFlow

Table = Literal["bibliographic", "authority", "holding", "item", "patron", "loan", "hold", "fee"]


class IlsDelivery(DeliverySpec):
    """One kind of export file. A loan file says how the library keeps loans: those `open` now, a `history`, or `events` as they happen."""

    table: Table
    loans: Literal["open", "history", "events"] | None = None

    @model_validator(mode="after")
    def _loans_say_how_they_are_kept(self) -> Self:
        if (self.table == "loan") != (self.loans is not None):
            raise ValueError("'loans: open | history | events' belongs to a delivery of table loan, and is needed there")
        return self


class IlsImport(InboxFlow):
    """`profile` names the library system's YAML in include/profiles: columns, dates, character set."""

    profile: str = Field(pattern=r"^[a-z0-9_]+$")
    deliveries: tuple[IlsDelivery, ...] = Field(min_length=1)


FLOWS: dict[str, type[FlowSettings]] = {"ils_import": IlsImport}
