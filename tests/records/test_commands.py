"""The quarantine from a terminal: masked, and audited where more is shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connectors import writings
from include.engine.ledger import audit
from include.records.commands import commands
from tests.board.library import BAD_ITEM, BAD_PATRON, GOOD_ITEMS, GOOD_PATRONS, Library
from tests.flows.files import ITEMS, PATRONS, csv


@pytest.fixture
def library(tmp_path: Path, migrated_file: Path) -> Library:
    return Library(tmp_path, migrated_file)


def run(library: Library, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(commands(lambda: library.house.engine, writings), arguments)


def test_the_records_of_a_delivery_are_listed_and_one_is_shown(library: Library) -> None:
    [row] = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, BAD_ITEM]))
    listed = run(library, "list", row.delivery_id, "--reason", row.reason)
    assert f"{row.id}" in listed.output and row.reason in listed.output and "acquired_on" in listed.output
    found = run(library, "show", str(row.id))
    assert found.exit_code == 0
    assert "→ dateaccessioned" in found.output and "000000  39 2c" in found.output


def test_a_patron_is_masked_until_somebody_says_why(library: Library) -> None:
    [row] = library.aside("patrons_1.csv", csv(PATRONS, [*GOOD_PATRONS, BAD_PATRON]))
    assert "Qvistgaard" not in run(library, "show", str(row.id)).output
    assert "Qvistgaard" in run(library, "show", str(row.id), "--why", "the library asked", "--who", "ida").output
    [entry] = audit.find(library.house.engine.ledger, action="reveal")
    assert (entry.who, entry.detail["why"]) == ("ida", "the library asked")


def test_what_is_not_there_says_so(library: Library) -> None:
    [row] = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, BAD_ITEM]))
    missing = run(library, "show", "999")
    assert missing.exit_code == 1 and "DELIVERY_UNKNOWN" in missing.output
    for key in library.house.engine.keys.find("delivery", row.delivery_id):
        library.house.engine.keys.destroy(key, why="retention")
    assert "No bytes: KEY_DESTROYED" in run(library, "show", str(row.id)).output
