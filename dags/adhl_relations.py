"""Airflow DAG: those who borrowed this also borrowed: docs/flows/adhl_relations.md"""

from dags.house.operations import operation


@operation("adhl_relations", schedule="0 4 * * 1")
def adhl_relations() -> object:
    """A release of the relations between titles, from the loans of all libraries; nothing at an unchanged lake.

    Once a week, and by the clock: what a release adds is then a week of all libraries' loans together.
    """
    import os

    from connectors.adhl.relations.house import house_of
    from connectors.adhl.relations.release import release
    from connectors.adhl.relations.settings import Settings
    from dags.house.engine import engine

    return release(house_of(engine(), Settings.of_environment(os.environ)))
