"""A contract as a page."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
from lxml import html

from include.engine.contract import load, load_all
from include.engine.contract.page import page, type_in_words, write_pages


def test_a_page_stands_alone_and_says_what_each_rule_does() -> None:
    made = page(load("ils_loan"))
    assert not re.search(r"<script|<link|<img|url\(|@import", made)
    text = html.document_fromstring(made).text_content()
    for words in ("Sets the row aside", "A loan cannot lie in the future.", "LOAN_IN_FUTURE", "Warns", "holds identities", "5 %"):
        assert words in text


def test_pages_of_all_contracts_are_linked_from_the_index(tmp_path: Path) -> None:
    contracts = load_all()
    written = write_pages(contracts, tmp_path / "pages")
    assert len(written) == len(contracts) + 1
    index = html.document_fromstring(written[0].read_text(encoding="utf-8"))
    assert {link.get("href") for link in index.xpath("//a")} == {path.name for path in written[1:]}


def test_a_page_has_a_light_and_a_dark_face_and_fits_a_narrow_screen() -> None:
    made = page(load("patron"))
    for part in ("prefers-color-scheme: dark", "max-width: 40rem", 'name="viewport"', "holds identities"):
        assert (part in made) == (part != "holds identities")


def test_what_an_examples_text_says_is_never_markup() -> None:
    made = page(load("ils_bibliographic"))
    assert "[2019?]" in made
    assert "&lt;" not in made.split("<h2>Columns</h2>")[0]


def test_types_have_plain_names() -> None:
    assert type_in_words(pa.list_(pa.string())) == "list of text"
    assert type_in_words(pa.decimal128(12, 2)) == "amount, 2 decimals"
    assert type_in_words(pa.int16()) == "whole number"
    assert type_in_words(pa.timestamp("us", tz="UTC")) == "moment, UTC"
    assert type_in_words(pa.float64()) == "number"
