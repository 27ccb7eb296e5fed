"""Airflow DAG: records of a repository again, by identifier or by window, or a comparison of everything now: docs/flows/oai_harvest.md"""

from dags.house.operations import operation, text


@operation(
    "oai_reload",
    partner=text("Partner", "Whose harvest: the name of its file in include/partners/."),
    identifiers=text("Identifiers", "Of the records, with blanks between; or leave it empty and give a window.", default=""),
    begin=text("From", "Changed at or after this day or moment (UTC), such as 2026-11-01.", default=""),
    until=text("Until", "Changed at or before this day or moment (UTC).", default=""),
    compare=text("Compare", "'yes' compares all identifiers with ours instead.", default=""),
    who=text("Who", "Who says so: it stands in the audit.", default="airflow"),
)
def oai_reload(partner: str, identifiers: str, begin: str, until: str, compare: str, who: str) -> object:
    """Enter a delivery of the harvest that fetches what is asked for; dispatch starts it at its next look."""
    from connectors.oai_pmh.harvest import ask
    from dags.house.engine import engine

    if compare == "yes":
        return f"{ask.compare(engine(), partner, who=who).id} is seen: dispatch takes it on"
    window = {"begin": ask.moment_of(begin), "until": ask.moment_of(until, last=True)}
    return f"{ask.reload(engine(), partner, identifiers=identifiers.split(), **window, who=who).id} is seen: dispatch takes it on"
