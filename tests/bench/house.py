"""An installation for a bench: a home of its own, a ledger, partners with local inboxes."""

from __future__ import annotations

import base64
import shutil
from pathlib import Path

from connectors.ils.settings import IlsImport
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import MASTER, Engine

MASTER_KEY = '{"conn_type": "generic", "password": "' + base64.b64encode(bytes(32)).decode() + '"}'
PARTNER = """\
name: {name}
isil: DK-899002
timezone: Europe/Copenhagen
language: da
status: live
flows:
  ils_import:
    profile: koha
    inbox: file:inbox/{name}
    every: 0s
    ready: {{stable_for: 0s}}
    after: leave
    deliveries:
      - {{table: loan, files: "loans_*.csv", mode: delta, loans: history}}
"""


def empty_house(home: Path, partners: list[str]) -> Engine:
    """A new engine at `home` (what was there is removed), with these partners, each a Koha library that delivers loans."""
    shutil.rmtree(home, ignore_errors=True)
    (home / "partners").mkdir(parents=True)
    for name in partners:
        (home / "partners" / f"{name}.yaml").write_text(PARTNER.format(name=name), encoding="utf-8")
        (home / "inbox" / name).mkdir(parents=True)
    credentials = EnvironmentCredentials({f"AIRFLOW_CONN_{MASTER.upper()}": MASTER_KEY})
    environment = {"BINDERY_HOME": str(home), "BINDERY_PARTNERS": str(home / "partners")}
    return Engine.open(credentials, {"ils_import": IlsImport}, environment)
