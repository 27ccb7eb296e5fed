"""A house whose partner gets mail, over a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.engine.ledger import Ledger
from include.engine.partner.settings import InboxFlow
from include.sandbox.servers.smtp import SmtpServer, smtp_server
from tests.engine.inbound import paper
from tests.house import House

PARTNER = """\
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
language: {language}
status: live
contacts: {{deliveries: {contact}}}
flows:
  paper_import:
    inbox: file:inbox/lindeby
    every: 0s
    ready: {{stable_for: 0s}}
    deliveries: [{{table: holding, files: "hold_*", mode: delta}}]
"""


@pytest.fixture
def post(tmp_path: Path) -> Iterator[SmtpServer]:
    with smtp_server(tmp_path / "mails") as server:
        yield server


@pytest.fixture
def written_to(tmp_path: Path, ledger: Ledger, post: SmtpServer) -> House:
    """A Danish partner with a mail address."""
    environment = {"AIRFLOW_CONN_BINDERY_SMTP": post.connection_uri}
    made = House.build(tmp_path, ledger, paper, {"paper_import": InboxFlow}, "lindeby", environment)
    made.write(PARTNER.format(language="da", contact="drift@lindeby.example"))
    return made
