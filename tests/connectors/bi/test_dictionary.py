"""The data dictionary: one page, from the contracts, that needs nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

from connectors.bi.dictionary import joins, page
from connectors.bi.house import Settings
from connectors.bi.tables import TABLES
from tests.connectors.bi.small_lake import contracts


def test_every_table_and_column_of_the_star_is_described() -> None:
    html = page(contracts(), Settings())
    for name, contract in contracts().items():
        assert f'<section id="{name}">' in html
        for column in contract.columns:
            assert f"<code>{column.name}</code>" in html
            assert len(column.description) > 3


def test_the_page_needs_nothing_from_the_network() -> None:
    html = page(contracts(), Settings())
    assert not re.search(r"<(script|link|img|iframe)|https?://|@import|url\(", html)
    assert 'name="viewport"' in html
    assert "prefers-color-scheme: dark" in html


def test_what_a_contract_says_is_text_and_never_markup() -> None:
    found = contracts()
    found["dim_date"] = replace(found["dim_date"], purpose="<script>alert(1)</script>")
    assert "<script" not in page(found, Settings())


def test_every_link_leads_to_a_table_of_the_page() -> None:
    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(value or "" for name, value in attrs if tag == "a" and name == "href")

    Links().feed(page(contracts(), Settings()))
    assert {link for link in links if link.startswith("#")} == {f"#{name}" for name in TABLES}


def test_a_key_names_the_column_that_it_joins() -> None:
    fact = contracts()["fact_loan"]
    assert {column.name: joins(column, "fact_loan") for column in fact.columns if joins(column, "fact_loan")} == {
        "date": "dim_date.date",
        "patron_key": "dim_patron.patron_key",
        "item_key": "dim_item.item_key",
        "title_key": "dim_title.title_key",
        "material_type": "dim_material.material_type",
        "lending_branch": "dim_library.branch_key",
        "returning_branch": "dim_library.branch_key",
        "owning_branch": "dim_library.branch_key",
    }
    for found in filter(None, (joins(column, "fact_loan") for column in fact.columns)):
        table, column_name = found.split(".")
        assert column_name in TABLES[table].schema.names
