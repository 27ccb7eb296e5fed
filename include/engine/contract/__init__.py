"""Contracts: what a hand-off promises, as Open Data Contract Standard YAML in `data_contracts/`, and everything that is made from it."""

from __future__ import annotations

from include.engine.contract.arrow import SOURCE_COLUMNS, arrow_schema
from include.engine.contract.loading import FOLDER, load, load_all
from include.engine.contract.model import Column, Contract, Rule

__all__ = ["FOLDER", "SOURCE_COLUMNS", "Column", "Contract", "Rule", "arrow_schema", "load", "load_all"]
