"""What the star is made from: five lake tables, at the versions of one manifest (include/engine/lake/source.py)."""

from __future__ import annotations

import pyarrow as pa

from include.engine.lake import source as lake_source
from include.engine.lake.source import LakeSource, Source, fitted
from include.engine.lake.table import Lake

__all__ = ["INPUTS", "LakeSource", "Source", "fitted", "pinned_source"]

_TEXT, _DAY, _MOMENT, _YES = pa.string(), pa.date32(), pa.timestamp("us", "UTC"), pa.bool_()

INPUTS: dict[str, pa.Schema] = {
    "bibliographic": pa.schema(
        [(name, _TEXT) for name in ("control_number", "agency", "title", "subtitle", "responsibility", "publisher", "language")]
        + [("year", pa.int16()), ("material_type", _TEXT), ("classification", _TEXT), ("deleted", _YES)]
        + [(name, pa.list_(_TEXT)) for name in ("contributors", "isbn", "subjects")]
    ),
    "item": pa.schema(
        [(name, _TEXT) for name in ("item_id", "barcode", "control_number", "agency", "branch", "department", "location", "sublocation")]
        + [(name, _TEXT) for name in ("call_number", "material_type", "status", "currency")]
        + [("acquired_on", _DAY), ("price", pa.decimal128(12, 2)), ("placeholder", _YES)]
    ),
    "patron": pa.schema(
        [(name, _TEXT) for name in ("patron", "category", "home_library", "municipality", "merged_into")]
        + [("birth_year", pa.int16())]
        + [(name, _YES) for name in ("institution", "protected", "deleted", "placeholder")]
    ),
    "patron_alias": pa.schema([("alias", _TEXT), ("patron", _TEXT)]),
    "loan": pa.schema(
        [(name, _TEXT) for name in ("loan_id", "event", "kind", "patron", "item_id", "barcode", "control_number", "agency")]
        + [(name, _TEXT) for name in ("lending_branch", "returning_branch")]
        + [("loaned_on", _DAY), ("returned_on", _DAY), ("renewals", pa.int16())]
        + [("returned_at", _MOMENT), ("happened_at", _MOMENT)]
    ),
}
"""The columns that are read, and no others: identities, names and the MARC record itself never reach this connector."""


def pinned_source(lake: Lake) -> LakeSource:
    """The five tables at the versions of the ledger's latest manifest; without a ledger, at their newest."""
    return lake_source.pinned_source(lake, INPUTS)
