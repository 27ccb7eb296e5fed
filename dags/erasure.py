"""Airflow DAG: one person's data taken out everywhere: docs/flows/erasure.md"""

from dags.house.operations import operation, text


@operation(
    "erasure",
    partner=text("Partner", "The library whose patron it is."),
    subject=text(
        "Subject", "The patron's pseudonym: `python -m include.engine.erasure pseudonym PARTNER` makes it of a patron id or card number."
    ),
    who=text("Who", "Who asked for it: it stands in the audit and on the certificate."),
)
def erasure(partner: str, subject: str, who: str) -> object:
    """Lake and its history, BI snapshots, landing, quarantine, receipts and outbound copies; then a certificate of what was removed where."""
    from dags.house.engine import engine
    from include.engine.erasure import erase

    return erase(engine(), partner, subject, who=who)
