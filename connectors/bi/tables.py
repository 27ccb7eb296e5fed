"""The tables of the star: their columns, how they lie in folders, and how they are sorted.

The contracts `bi_<table>` of data_contracts say the same to people and to the gate, which refuses a difference. `partner` and `month` are
folders (`partner=lindeby/month=2026-11`), not columns inside the files: every Parquet reader gives them back as columns.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import pyarrow as pa

STAR_VERSION = "1"
"""Raise it when the meaning of the star changes without a change of columns: it makes the next feed rebuild an unchanged lake."""


@dataclass(frozen=True)
class Table:
    """One table of the star. `schema` is the logical table, folder columns included; `folders` are those columns, outermost first."""

    name: str
    schema: pa.Schema
    folders: tuple[str, ...]
    sorted_by: tuple[str, ...]

    @property
    def stored(self) -> list[str]:
        """The columns inside the files."""
        return [name for name in self.schema.names if name not in self.folders]


def _schema(**columns: str) -> pa.Schema:
    """Arrow schema from short type names; a trailing `?` marks a column that may be null."""
    types = {
        "str": pa.string(),
        "bool": pa.bool_(),
        "date": pa.date32(),
        "int8": pa.int8(),
        "int16": pa.int16(),
        "money": pa.decimal128(12, 2),
    }
    return pa.schema([pa.field(name, types[kind.rstrip("?")], nullable=kind.endswith("?")) for name, kind in columns.items()])


TABLES = {
    table.name: table
    for table in (
        Table(
            "dim_title",
            _schema(
                partner="str",
                title_key="str",
                control_number="str?",
                agency="str?",
                title="str",
                subtitle="str?",
                responsibility="str?",
                contributors="str?",
                publisher="str?",
                year="int16?",
                language="str?",
                isbn="str?",
                material_type="str",
                classification="str?",
                subjects="str?",
                deleted="bool",
                known="bool",
            ),
            ("partner",),
            ("title_key",),
        ),
        Table(
            "dim_item",
            _schema(
                partner="str",
                item_key="str",
                item_id="str?",
                title_key="str",
                owning_branch="str",
                department="str?",
                location="str?",
                sublocation="str?",
                call_number="str?",
                local_material_type="str?",
                status="str",
                acquired_on="date?",
                price="money?",
                currency="str?",
                known="bool",
            ),
            ("partner",),
            ("owning_branch", "item_key"),
        ),
        Table(
            "dim_patron",
            _schema(
                partner="str",
                patron_key="str",
                key_id="str?",
                age_band="str",
                municipality="str?",
                category="str?",
                home_library="str",
                institution="bool",
                anonymous="bool",
                known="bool",
            ),
            ("partner",),
            ("patron_key",),
        ),
        Table(
            "dim_library",
            _schema(
                partner="str",
                branch_key="str",
                branch="str?",
                name="str",
                partner_name="str",
                is_lending="bool",
                is_returning="bool",
                is_owning="bool",
                is_home="bool",
            ),
            ("partner",),
            ("branch_key",),
        ),
        Table(
            "dim_material",
            _schema(material_type="str", name="str", name_da="str", name_sv="str", name_nl="str", digital="bool"),
            (),
            ("material_type",),
        ),
        Table(
            "dim_date",
            _schema(
                date="date",
                year="int16",
                quarter="int8",
                month="str",
                month_of_year="int8",
                iso_year="int16",
                iso_week="int8",
                weekday="int8",
                weekend="bool",
            ),
            (),
            ("date",),
        ),
        Table(
            "fact_loan",
            _schema(
                partner="str",
                month="str",
                date="date",
                event="str",
                kind="str",
                loans="int8",
                renewals="int8",
                returns="int8",
                patron_key="str",
                item_key="str",
                title_key="str",
                material_type="str",
                lending_branch="str",
                returning_branch="str",
                owning_branch="str",
                loan_days="int16?",
                date_estimated="bool",
            ),
            ("partner", "month"),
            ("date", "lending_branch", "item_key"),
        ),
    )
}


def schema_hash() -> str:
    """16 hex digits that change with any column, type, folder or sort order of the star."""
    shape = {
        name: [[f"{field.name} {field.type} {field.nullable}" for field in table.schema], table.folders, table.sorted_by]
        for name, table in TABLES.items()
    }
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]
