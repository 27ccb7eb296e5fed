"""Contracts are looked over before anything relies on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.engine.contract import check as module
from include.engine.contract.__main__ import main
from include.engine.contract.check import check, check_all
from include.engine.contract.loading import FOLDER
from tests.engine.contract.test_loading import GOOD


@pytest.fixture(autouse=True)
def without_the_tool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool of the standard takes its time: one test tries it."""
    if "tool" not in request.node.name:
        monkeypatch.setattr(module, "_lint", lambda file: iter(()))


def problems(folder: Path, text: str) -> str:
    (folder / "shelf.odcs.yaml").write_text(text)
    return "\n".join(check_all(folder))


def test_the_house_contracts_are_in_order() -> None:
    assert check_all() == []


def test_the_tool_of_the_standard_agrees() -> None:
    pytest.importorskip("datacontract")
    assert list(check(FOLDER / "ils_loan.odcs.yaml")) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version: 1.0.0", "version: next", "not semantic"),
        ("        description: Its number.\n", "", "shelf_id has no description"),
        ("            description: A shelf has a length.\n", "", "not_negative has no description"),
        ("AMOUNT_NEGATIVE", "NO_SUCH_REASON", "NO_SUCH_REASON is not in"),
        ("        primaryKey: true\n", "", "no column is part of the key"),
        ("value: incoming", "value: lake", "partner as its first column"),
        ("logicalType: string\n", "logicalType: string\n        classification: identity\n", "does not say so"),
        ("expect_column_values_to_be_between", "expect_a_miracle", "expect_a_miracle"),
        ("purpose: One row a shelf.", "usage: none", "purpose is missing"),
        ("            severity: quarantine", "            dimension: beauty\n            severity: quarantine", "line"),
        ("type: custom\n            engine: greatExpectations", "type: custom\n            engine: soda", "line 21"),
    ],
)
def test_what_is_not_in_order_is_told(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in problems(tmp_path, GOOD.replace(old, new, 1))


def test_a_query_that_cannot_run_is_told(tmp_path: Path) -> None:
    query = """\
      - id: lost
        description: No shelf is lost.
        severity: warn
        type: sql
        query: SELECT count(*) FROM {table} WHERE NOT found
        mustBe: 0
        customProperties: [{property: reason, value: UNKNOWN_ITEM}]
"""
    assert "rule lost: the query cannot be run" in problems(tmp_path, GOOD + query)


def test_two_rules_about_duplicates_are_one_too_many(tmp_path: Path) -> None:
    again = GOOD[GOOD.index("      - id: shelf_once") :].replace("shelf_once", "shelf_twice")
    assert "more than one rule about duplicates" in problems(tmp_path, GOOD + again)


def test_the_commands_say_what_they_did(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "check_all", list)
    assert main(["check"]) == 0
    monkeypatch.setattr(module, "check_all", lambda: ["loan.odcs.yaml: wrong"])
    assert main(["check"]) == 1
    assert main(["pages", str(tmp_path)]) == 0
    assert main([]) == 2
    told = capsys.readouterr()
    assert "all in order" in told.out
    assert "loan.odcs.yaml: wrong" in told.out
    assert "pages OUT_DIR" in told.err
