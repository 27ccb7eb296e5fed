"""What a CRM said of the rows it was sent: how many are new, how many were changed, and which it refused and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from connectors.crm.trouble import TRANSIENT, UNPROCESSED, reason_of, told
from include.engine.quarantine.schema import set_aside
from include.engine.reasons import words


@dataclass(frozen=True)
class Refusal:
    """One row that the CRM did not take: its own code and message (which may quote the row), and the columns it names."""

    code: str
    message: str
    columns: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The house's reason code."""
        return UNPROCESSED if self.code == UNPROCESSED else reason_of(self.code)

    @property
    def transient(self) -> bool:
        """Whether it has nothing to do with the row itself."""
        return self.reason in TRANSIENT


@dataclass
class Tally:
    """Counts, and refusals by external id. `gone` are records to be removed that were not there any more."""

    created: int = 0
    updated: int = 0
    removed: int = 0
    gone: int = 0
    refused: dict[str, Refusal] = field(default_factory=dict)

    def facts(self) -> dict[str, int]:
        """For the ledger: no row's value in it."""
        return {"created": self.created, "updated": self.updated, "removed": self.removed, "gone": self.gone}

    def set_aside(self, kind: str, sent: Mapping[str, Mapping[str, Any]], ranks: Mapping[str, int]) -> pa.Table:
        """The refused rows as the quarantine takes them: `raw` is what was sent and the CRM's own message, `detail` quotes no value.

        `sent` and `ranks` (a row's place in its part, from 1) are by external id.
        """
        return set_aside(self._row(kind, id, refusal, sent[id], ranks[id]) for id, refusal in sorted(self.refused.items()))

    def _row(self, kind: str, id: str, refusal: Refusal, sent: Mapping[str, Any], rank: int) -> dict[str, Any]:
        said = told(refusal.message, _values(sent.values()))
        column = refusal.columns[0] if refusal.columns and refusal.columns[0].isidentifier() else None
        raw = json.dumps({"sent": sent, "code": refusal.code, "message": refusal.message}, ensure_ascii=False, default=str).encode()
        return {
            "member": f"{kind}/{id}", "record": rank, "reason": refusal.reason, "column": column, "raw": raw,
            "detail": words(refusal.reason, "en", value=said or refusal.code, column=column or "?"),
        }  # fmt: skip


def _values(values: Iterable[Any]) -> Iterable[object]:
    for one in values:
        if isinstance(one, Mapping):
            yield from _values(one.values())
        else:
            yield one
