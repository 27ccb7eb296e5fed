"""Is every contract in order? The standard's own schema, then what this house asks for besides."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any

import duckdb
from jsonschema import Draft201909Validator  # type: ignore[import-untyped]

from include.engine import yamls
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.lines import line_of
from include.engine.contract.loading import FOLDER, SUFFIX, load
from include.engine.contract.model import Contract
from include.engine.errors import SettingsError
from include.engine.reasons import table

VERSION = re.compile(r"\d+\.\d+\.\d+")
ANY_DAY = date(2024, 2, 29)


def check_all(folder: Path | str = FOLDER) -> list[str]:
    """What is wrong with the contracts in the folder, a line each ("loan.odcs.yaml, line 12: ..."); empty when all is well."""
    files = sorted(Path(folder).glob(f"*{SUFFIX}"))
    return [
        f"{file.name}: {problem}" if "line" not in problem[:5] else f"{file.name}, {problem}" for file in files for problem in check(file)
    ]


def check(file: Path) -> Iterator[str]:
    """What is wrong with one contract."""
    text = file.read_text(encoding="utf-8")
    try:
        contract = load(file.name.removesuffix(SUFFIX), file.parent)
    except SettingsError as error:
        yield error.where.removeprefix(f"{file.name}, ") + f": {error.what}"
        return
    schema = resources.files("open_data_contract_standard").joinpath("schema.json").read_text(encoding="utf-8")
    validator = Draft201909Validator(json.loads(schema))
    for fault in validator.iter_errors(yamls.load(text)):
        yield f"line {line_of(text, list(fault.absolute_path))}: {fault.message}"
    yield from _own(contract)
    yield from _judgeable(contract, file.parent)
    yield from _lint(file)


def _own(contract: Contract) -> Iterator[str]:
    if not VERSION.fullmatch(contract.version):
        yield f"version {contract.version} is not semantic: three numbers, such as 1.0.0"
    if not contract.purpose:
        yield "description: purpose is missing"
    if not contract.key and contract.handoff in ("incoming", "lake"):
        yield "no column is part of the key (primaryKey: true)"
    if contract.handoff == "lake" and (contract.names[0] != "partner" or not contract.column("partner").required):
        yield "a table of the lake has partner as its first column, and required"
    for column in contract.columns:
        if not column.description:
            yield f"column {column.name} has no description"
        if column.classification == "identity" and not contract.identity:
            yield f"column {column.name} holds identities, and the contract does not say so (customProperties: identity)"
    for rule in contract.rules:
        if not rule.description:
            yield f"rule {rule.id} has no description"
        if rule.reason not in table():
            yield f"rule {rule.id}: reason {rule.reason} is not in include/engine/reasons"
    if sum(rule.metric == "duplicateValues" for rule in contract.rules) > 1:
        yield "more than one rule about duplicates: a gate follows one key"


def _judgeable(contract: Contract, folder: Path) -> Iterator[str]:
    """Builds the suite, and runs each query on empty tables: an unknown expectation or column shows here and not in a delivery."""
    from include.engine.contract.suite import suite

    try:
        suite(contract, ANY_DAY)
    except SettingsError as error:
        yield error.what
    for rule in contract.rules:
        if rule.query is None:
            continue
        with duckdb.connect(":memory:") as connection:
            connection.register("batch", arrow_schema(contract).empty_table())
            try:
                for name in rule.references:
                    connection.register(name, arrow_schema(load(name, folder)).empty_table())
                connection.execute(rule.query.replace("{table}", "batch"))
            except (duckdb.Error, SettingsError) as error:
                yield f"rule {rule.id}: the query cannot be run: {str(error).splitlines()[0]}"


def _lint(file: Path) -> Iterator[str]:
    """The standard's own tool, datacontract-cli, where it is installed (the development environment)."""
    if importlib.util.find_spec("datacontract") is None:
        return
    module: Any = importlib.import_module("datacontract.data_contract")
    run = module.DataContract(data_contract_file=str(file)).lint()
    for one in run.checks:
        if str(one.result.value) not in ("passed", "info"):
            yield f"datacontract lint: {one.name}: {one.reason}"
