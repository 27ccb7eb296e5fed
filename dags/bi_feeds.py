"""Airflow DAG: the lake as a star schema for analysts: docs/flows/bi_feeds.md"""

from dags.house.assets import STAR, any_of
from dags.house.operations import operation


@operation("bi_feeds", schedule=any_of(*STAR))
def bi_feeds() -> object:
    """A new snapshot of plain Parquet whenever the lake has changed; nothing at an unchanged version."""
    from connectors.bi.feed import feed
    from connectors.bi.house import house_of
    from dags.house.engine import engine

    return feed(house_of(engine()))
