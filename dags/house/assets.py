"""Tables of the lake as Airflow's assets: they give the lineage, and wake whatever is scheduled on them."""

from __future__ import annotations

from airflow.sdk import Asset, AssetAlias, AssetAny

LAKE = AssetAlias("lake")
"""What every publish may change; which tables it did change is known when it is done."""


def asset(table: str) -> Asset:
    """One table of the lake."""
    return Asset(name=f"lake.{table}", uri=f"bindery://lake/{table}")


def any_of(*tables: str) -> AssetAny:
    """Whenever one of the tables has changed."""
    return AssetAny(*(asset(table) for table in tables))


STAR = ("bibliographic", "item", "patron", "patron_alias", "loan")
"""The tables that BI is made of."""
