"""How long anything is kept. Defaults are the house's; a partner's YAML may shorten or, with a legal basis, lengthen them."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from include.engine.partner.when import Duration


class Retention(BaseModel):
    """Periods after which bytes go. Staged bytes are not here: they go when the delivery is acknowledged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    landed: Duration = Field(timedelta(days=30), description="the partner's bytes as they came, sealed")
    archive: Duration = Field(
        timedelta(days=30), description="the partner's file in the archive/ of its inbox, as it was written, unsealed"
    )
    quarantine: Duration = Field(timedelta(days=90), description="records set aside, sealed")
    lake_history: Duration = Field(timedelta(days=30), description="older versions of a table: how far back a delivery can be retracted")
    receipts: Duration = Field(timedelta(days=365), description="what the partner was told")
    loan_patron_link: Duration = Field(timedelta(days=30), description="after a loan's return, until its patron becomes null")
    tables: dict[str, Duration] = Field(
        default_factory=dict, description="rows of a table whose contract names a period (keepDays), where this partner's is another"
    )
    legal_basis: str | None = Field(None, description="why this partner's loans may keep their patron longer than 30 days after return")

    @model_validator(mode="after")
    def _longer_links_need_a_basis(self) -> Self:
        if self.loan_patron_link > timedelta(days=30) and not self.legal_basis:
            raise ValueError("loan_patron_link beyond 30 days needs a legal_basis, in words")
        return self
