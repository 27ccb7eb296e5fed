"""What a partner's YAML says of the flow `ils_import`, beyond what every inbox has."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from connectors.ils.loans import Loans
from connectors.ils.profile import Profile, load
from include.engine.errors import SettingsError
from include.engine.partner.settings import DeliverySpec, FlowSettings, InboxFlow


class IlsDelivery(DeliverySpec):
    """One kind of file of a library system. Deliveries of loans declare what they hold."""

    table: Literal["bibliographic", "authority", "holding", "item", "patron", "loan", "hold", "fee"]
    loans: Loans | None = Field(None, description="for loans: open (out now), history (with returns), events (loans, renewals, returns)")

    @model_validator(mode="after")
    def _loans_say_what_they_are(self) -> Self:
        if (self.table == "loan") != (self.loans is not None):
            raise ValueError("a delivery of loans says loans: open, history or events; no other table does")
        return self


class IlsImport(InboxFlow):
    """Exports of a library system. `overrides` has the shape of a profile and is laid on it."""

    profile: str
    overrides: dict[str, Any] = Field(default_factory=dict, description="settings of the profile that are otherwise in this library")
    deliveries: tuple[IlsDelivery, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _profile_can_be_used(self) -> Self:
        try:
            found = load(self.profile, self.overrides)
        except SettingsError as error:
            raise ValueError(f"{error.what} {error.do}".strip()) from error
        if missing := {spec.table for spec in self.deliveries} - set(found.tables):
            raise ValueError(f"the profile {self.profile} has no {', '.join(sorted(missing))}; it has {', '.join(found.tables)}")
        return self

    def loaded(self) -> Profile:
        """The profile with this library's own settings on it."""
        return load(self.profile, self.overrides)


FLOWS: dict[str, type[FlowSettings]] = {"ils_import": IlsImport}
