"""Airflow DAG: a delivery again, from its kept bytes: docs/flows/replay.md"""

from dags.house.operations import operation, text


@operation(
    "replay",
    delivery=text("Delivery", "The delivery to do again: all of it, one record, or all that was set aside for one reason."),
    reason=text("Reason", "A reason code, such as LOAN_IN_FUTURE: only the records set aside for it.", default=""),
    record=text("Record", "A record's number in its file: only that one.", default="", pattern="^[0-9]*$"),
    member=text("Member", "With a record of an archive: the file's name in it.", default=""),
)
def replay(delivery: str, reason: str, record: str, member: str) -> object:
    """Start a new delivery, linked to an old one, from the bytes that were kept: with today's settings and contract."""
    from dags.house.engine import engine
    from include.engine.replay import replay

    return replay(engine(), delivery, reason=reason or None, record=int(record) if record else None, member=member, who="airflow")
