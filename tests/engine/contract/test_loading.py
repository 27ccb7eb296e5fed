"""A contract is read from YAML, or says which line is wrong."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from include.engine.contract import arrow_schema, load, load_all
from include.engine.contract.arrow import SOURCE_COLUMNS
from include.engine.contract.loading import parse
from include.engine.errors import SettingsError

GOOD = """\
apiVersion: v3.1.0
kind: DataContract
id: shelf
version: 1.0.0
description: {purpose: One row a shelf.}
customProperties:
  - {property: handoff, value: incoming}
schema:
  - name: shelf
    properties:
      - name: shelf_id
        logicalType: string
        primaryKey: true
        required: true
        description: Its number.
      - name: metres
        logicalType: number
        physicalType: decimal(5,2)
        description: How long it is.
        quality:
          - id: not_negative
            description: A shelf has a length.
            severity: quarantine
            type: custom
            engine: greatExpectations
            implementation: {type: expect_column_values_to_be_between, kwargs: {min_value: 0}}
            customProperties: [{property: reason, value: AMOUNT_NEGATIVE}]
    quality:
      - id: shelf_once
        description: A shelf has one row.
        severity: quarantine
        type: library
        metric: duplicateValues
        arguments: {properties: [shelf_id]}
        mustBe: 0
        customProperties: [{property: reason, value: DUPLICATE_KEY}]
"""


def refusal(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse(text, name="shelf.odcs.yaml", id="shelf")
    assert caught.value.code == "CONTRACT_INVALID"
    return str(caught.value)


def test_a_contract_says_its_columns_rules_and_limits() -> None:
    contract = parse(GOOD, name="shelf.odcs.yaml", id="shelf")
    assert contract.key == ("shelf_id",)
    assert contract.column("metres").type == pa.decimal128(5, 2)
    assert [rule.id for rule in contract.rules] == ["shelf_id_given", "not_negative", "shelf_once"]
    assert (contract.block_above, contract.block_from, contract.identity) == (0.05, 10, False)
    assert contract.rules[0].reason == "KEY_MISSING"
    with pytest.raises(KeyError):
        contract.column("colour")


def test_the_arrow_schema_is_the_columns_behind_where_they_came_from() -> None:
    schema = arrow_schema(load("ils_loan"), source_columns=True)
    assert schema.names[:4] == SOURCE_COLUMNS.names == ["_member", "_record", "_offset", "_length"]
    assert schema.field("loaned_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("renewals").type == pa.int16()
    assert arrow_schema(load("bibliographic")).field("isbn").type == pa.list_(pa.string())


def test_every_contract_of_the_house_is_read() -> None:
    contracts = load_all()
    lake = {"bibliographic", "authority", "holding", "item", "loan", "hold", "fee", "patron", "patron_identity", "patron_alias"}
    assert lake <= set(contracts)
    assert {f"ils_{name}" for name in lake - {"patron_identity", "patron_alias"}} <= set(contracts)
    assert {"bi_fact_loan", "bi_dim_patron", "bi_dim_title", "bi_dim_item", "bi_dim_library", "bi_dim_material", "bi_dim_date"} <= set(
        contracts
    )


def test_only_three_tables_of_the_lake_hold_identities_and_one_of_them_those_of_patrons() -> None:
    holders = {contract.id: contract.handoff for contract in load_all().values() if contract.identity}
    assert {id for id, handoff in holders.items() if handoff == "lake"} == {"patron_identity", "crm_proposal", "crm_prospect"}
    assert {id for id, handoff in holders.items() if handoff == "bi"} == set()


def test_a_contract_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(SettingsError, match="ils_loan"):
        load("ils_lone")


def test_a_file_is_called_as_its_contract(tmp_path: Path) -> None:
    (tmp_path / "rack.odcs.yaml").write_text(GOOD)
    with pytest.raises(SettingsError, match="rack"):
        load("rack", tmp_path)


@pytest.mark.parametrize(
    ("wrong", "right", "line", "words"),
    [
        ("severity: fatal", "severity: quarantine", 21, "block, quarantine, warn"),
        ("logicalType: text", "logicalType: string", 12, "string, boolean, date"),
        ("physicalType: decimal(5)", "physicalType: decimal(5,2)", 17, "decimal"),
        ("engine: soda", "engine: greatExpectations", 21, "greatExpectations"),
        ("properties: [shelf]", "properties: [shelf_id]", 29, "no column shelf"),
        (
            "severity: warn\n        type: library\n        metric: rows",
            "severity: quarantine\n        type: library\n        metric: duplicateValues",
            29,
            "rowCount",
        ),
        ("mustNotBe: 1\n        mustBe: 0", "mustBe: 0", 29, "exactly one comparison"),
        ("value: sideways", "value: incoming", 6, "incoming, lake, bi, outbound"),
        ("property: handover", "property: handoff", 7, "handover"),
        ("apiVersion: v2.2.0", "apiVersion: v3.1.0", 1, "v3.1.0"),
        ("colour: red\nid: shelf", "id: shelf", 3, "colour"),
        ("id: [shelf", "id: shelf", 4, "not YAML"),
        ("id: shelf_once", "id: not_negative", 9, "two rules are called shelf_once"),
        ("classification: secret\n        required: true", "required: true", 14, "identity, personal, public"),
    ],
)
def test_a_mistake_names_its_line_and_what_is_allowed(wrong: str, right: str, line: int, words: str) -> None:
    message = refusal(GOOD.replace(right, wrong, 1))
    assert words in message
    assert f"shelf.odcs.yaml, line {line}:" in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "- {property: handoff, value: incoming}",
            "- {property: handoff, value: incoming}\n  - {property: blockAbove, value: 5}",
            "between 0 and 1",
        ),
        *(
            (
                "- {property: handoff, value: incoming}",
                f"- {{property: handoff, value: incoming}}\n  - {{property: {name}, value: {value}}}",
                words,
            )
            for name, value, words in (
                ("identity", "'false'", "without quotes"),  # any text is true to Python: identities would be let through
                ("identity", "0", "without quotes"),
                ("blockFrom", "ten", "number of rows"),
                ("blockFrom", "0", "number of rows"),
                ("deleteAbove", "true", "between 0 and 1"),
            )
        ),
        ("customProperties: [{property: reason, value: AMOUNT_NEGATIVE}]", "customProperties: []", "reason"),
        ("kwargs: {min_value: 0}", "kwargs: {column: weight, min_value: 0}", "no column weight"),
        ("arguments: {properties: [shelf_id]}", "unit: rows", "which columns"),
        ("metric: duplicateValues\n        arguments: {properties: [shelf_id]}", "metric: rowCount", "cannot say which rows"),
        (
            "type: library\n        metric: duplicateValues\n        arguments: {properties: [shelf_id]}",
            "type: sql\n        query: select 1",
            "cannot say",
        ),
        (
            "severity: quarantine\n        type: library\n        metric: duplicateValues",
            "severity: warn\n        type: sql\n        query: select 1",
            "{table}",
        ),
        ("id: shelf_once", "name: shelf_once", "needs an id"),
        ("logicalType: string", "logicalType: array", "items"),
        ("      - name: shelf_id\n", "      - businessName: x\n", "name"),
        ("version: 1.0.0", "tenant: x", "version"),
    ],
)
def test_other_mistakes_are_told_too(old: str, new: str, words: str) -> None:
    assert old in GOOD
    assert words in refusal(GOOD.replace(old, new, 1))


def test_what_is_no_mapping_or_has_no_table_is_refused() -> None:
    assert "mapping" in refusal("- a\n- b\n")
    assert "mapping" in refusal("")
    assert "one table" in refusal(GOOD.split("schema:")[0])
    assert "properties" in refusal(GOOD.split("    properties:")[0])
