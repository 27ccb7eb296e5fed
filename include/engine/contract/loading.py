"""Reads a contract: Open Data Contract Standard 3.1 YAML -> Contract. An error names the file and the line."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast, get_args

from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty
from pydantic import ValidationError

from include.engine import yamls
from include.engine.contract.lines import line_of
from include.engine.contract.model import Classification, Column, Contract, Handoff, Rule
from include.engine.contract.rules import RuleError, required_rule, rule
from include.engine.contract.types import arrow_type
from include.engine.errors import SettingsError

FOLDER = Path(__file__).parents[3] / "data_contracts"
SUFFIX = ".odcs.yaml"
#: The settings of a contract in `customProperties`, and what they are called here
SETTINGS = {
    "handoff": "handoff",
    "identity": "identity",
    "blockAbove": "block_above",
    "blockFrom": "block_from",
    "deleteAbove": "delete_above",
    "keepBy": "keep_by",
    "keepDays": "keep_days",
}
SHARES = ("blockAbove", "deleteAbove")


class _Wrong(ValueError):
    """What is wrong, and the path in the YAML that leads to it."""

    def __init__(self, what: str, *path: str | int) -> None:
        super().__init__(what)
        self.what, self.path = what, path


def load(id: str, folder: Path | str = FOLDER) -> Contract:
    """The contract `id` from `folder`/`id`.odcs.yaml. SettingsError names the file, the line and what is allowed."""
    return _load(id, Path(folder))


def load_all(folder: Path | str = FOLDER) -> dict[str, Contract]:
    """Every contract in the folder, by id."""
    return {id: load(id, folder) for id in sorted(file.name.removesuffix(SUFFIX) for file in Path(folder).glob(f"*{SUFFIX}"))}


@cache
def _load(id: str, folder: Path) -> Contract:
    file = folder / f"{id}{SUFFIX}"
    if not file.is_file():
        known = ", ".join(sorted(other.name.removesuffix(SUFFIX) for other in folder.glob(f"*{SUFFIX}")))
        raise SettingsError(f"there is no contract {id}", where=file.name, do=f"There are: {known}.", code="CONTRACT_INVALID")
    text = file.read_text(encoding="utf-8")
    return parse(text, name=file.name, id=id)


def parse(text: str, *, name: str, id: str | None = None) -> Contract:
    """The contract in the YAML `text`; `name` is what errors call the file, `id` what the contract must call itself."""
    try:
        raw = yamls.load(text)
    except yamls.NotYaml as error:
        raise _settings_error(f"this is not YAML: {error.problem}", name, error.line) from error
    if not isinstance(raw, dict):
        raise _settings_error("a contract is a mapping with apiVersion, kind, id, version and schema", name, 1)
    try:
        return _contract(OpenDataContractStandard(**raw), id)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise _settings_error(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", name, line_of(text, first["loc"])) from error
    except _Wrong as error:
        raise _settings_error(error.what, name, line_of(text, error.path)) from error


def _settings_error(what: str, name: str, line: int) -> SettingsError:
    return SettingsError(what, where=f"{name}, line {line}", do="Mend the contract; it is not used until then.", code="CONTRACT_INVALID")


def _contract(standard: OpenDataContractStandard, id: str | None) -> Contract:
    if standard.kind != "DataContract" or standard.apiVersion != "v3.1.0":
        raise _Wrong("a contract here says kind: DataContract and apiVersion: v3.1.0", "apiVersion")
    if not standard.id or not standard.version:
        raise _Wrong("a contract needs an id and a version", "id")
    if id is not None and standard.id != id:
        raise _Wrong(f"the file is called {id} and the contract {standard.id}: they must agree", "id")
    if not standard.schema_ or len(standard.schema_) != 1:
        raise _Wrong("a contract describes exactly one table under schema", "schema")
    table = standard.schema_[0]
    if not table.name or not table.properties:
        raise _Wrong("the table needs a name and properties", "schema", 0)
    settings = _settings(standard)
    description = standard.description
    _kept(settings, {column.name: column.logicalType for column in table.properties})
    columns = tuple(_column(column, position) for position, column in enumerate(table.properties))
    return Contract(
        id=standard.id,
        version=standard.version,
        title=standard.name or standard.id,
        purpose=(description and description.purpose) or "",
        usage=(description and description.usage) or "",
        limitations=(description and description.limitations) or "",
        table=table.name,
        columns=columns,
        rules=_rules(table, columns),
        sources=tuple(str(link.url) for link in standard.authoritativeDefinitions or ()),
        **settings,
    )


def _settings(standard: OpenDataContractStandard) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for position, custom in enumerate(standard.customProperties or ()):
        path = ("customProperties", position)
        if custom.property not in SETTINGS:
            raise _Wrong(f"{custom.property} is not a setting of a contract: one of {', '.join(SETTINGS)}", *path)
        if custom.property in SHARES and not _is_share(custom.value):
            raise _Wrong(f"{custom.property} is a share between 0 and 1, such as 0.05", *path)
        if custom.property == "identity" and not isinstance(custom.value, bool):
            raise _Wrong("identity is true or false, without quotes", *path)
        if custom.property == "blockFrom" and not (_is_number(custom.value) and isinstance(custom.value, int) and custom.value >= 1):
            raise _Wrong("blockFrom is a number of rows, such as 10", *path)
        found[SETTINGS[custom.property]] = custom.value
    if found.get("handoff") not in get_args(Handoff):
        raise _Wrong(f"customProperties must hold handoff: one of {', '.join(get_args(Handoff))}", "customProperties")
    return found


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_number(value: Any) -> bool:
    """Python takes a yes for a 1."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kept(settings: dict[str, Any], columns: Mapping[str | None, str | None]) -> None:
    """keepBy names a day or moment of the table, keepDays how long after it a row is kept: both, or neither."""
    by, count = settings.get("keep_by"), settings.get("keep_days")
    if by is None and count is None:
        return
    if columns.get(by) not in {"date", "timestamp"} or not isinstance(count, int) or count < 1:
        raise _Wrong("keepBy is a column of days or moments, and keepDays a number of days, such as 730", "customProperties")


def _column(column: SchemaProperty, position: int) -> Column:
    path = ("schema", 0, "properties", position)
    if not column.name or not column.logicalType:
        raise _Wrong("a column needs a name and a logicalType", *path)
    classification = column.classification or "public"
    if classification not in get_args(Classification):
        allowed = ", ".join(get_args(Classification))
        raise _Wrong(f"{column.name}: classification {classification} is none of {allowed}", *path, "classification")
    try:
        type = arrow_type(column.logicalType, column.physicalType, column.items.logicalType if column.items else None)
    except ValueError as error:
        raise _Wrong(f"{column.name}: {error}", *path, "logicalType") from error
    return Column(
        name=column.name,
        type=type,
        required=bool(column.required),
        key=bool(column.primaryKey),
        description=column.description or "",
        classification=cast(Classification, classification),
        examples=tuple(column.examples or ()),
    )


def _rules(table: SchemaObject, columns: tuple[Column, ...]) -> tuple[Rule, ...]:
    """The rules in the order of the contract: what must be given, then column by column, then over the table."""
    rules = [required_rule(column) for column in columns if column.required]
    names = frozenset(column.name for column in columns)
    places: list[tuple[str | None, tuple[str | int, ...], list[Any]]] = [
        (column.name, ("schema", 0, "properties", position, "quality"), column.quality or [])
        for position, column in enumerate(table.properties or ())
    ]
    for name, path, qualities in [*places, (None, ("schema", 0, "quality"), table.quality or [])]:
        for position, quality in enumerate(qualities):
            try:
                rules.append(rule(quality, name, names))
            except RuleError as error:
                raise _Wrong(str(error), *path, position) from error
    seen: set[str] = set()
    for one in rules:
        if one.id in seen:
            raise _Wrong(f"two rules are called {one.id}", "schema", 0)
        seen.add(one.id)
    return tuple(rules)
