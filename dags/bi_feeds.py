"""The lake as a star schema for analysts: docs/flows/bi_feeds.md"""

from airflow.sdk import AssetAny

from dags.house.operations import operation
from dags.house.steps import asset

LAKE = [asset(table) for table in ("bibliographic", "item", "patron", "patron_alias", "loan")]


@operation("bi_feeds", schedule=AssetAny(*LAKE))
def bi_feeds() -> object:
    """A new snapshot of plain Parquet whenever the lake has changed; nothing at an unchanged version."""
    from connectors.bi.feed import feed
    from connectors.bi.house import house_of
    from dags.house.engine import engine

    return feed(house_of(engine()))
