"""The gate of the BI hand-off: include/engine/gate/published.py by the contract `bi_<table>`. While it is closed, the standing snapshot stays."""

from __future__ import annotations

from pathlib import Path

from connectors.bi.house import House
from connectors.bi.tables import TABLES
from include.engine.errors import SettingsError
from include.engine.gate import published


def check(house: House, name: str, folder: Path, snapshot: str) -> dict[str, int]:
    """Judge one table of the snapshot in `folder`. Returns the figures for the manifest: rows, rules, warnings (rows).

    Errors: Refused BI_GATE_CLOSED naming table and rule; SettingsError when the contract is missing or describes other columns.
    """
    contract = house.contracts.get(name)
    if contract is None:
        raise SettingsError(
            f"there is no contract for {name}", where="data_contracts", do=f"Add bi_{name}.odcs.yaml.", code="CONTRACT_INVALID"
        )
    schema = TABLES[name].schema
    return published.check(contract, schema, folder / name, snapshot=snapshot, today=house.today, what="BI snapshot", code="BI_GATE_CLOSED")
