"""The ledger: what became of every delivery, in SQL. Modules of plain functions whose first argument is the `Ledger`."""

from include.engine.ledger.database import Ledger

__all__ = ["Ledger"]
