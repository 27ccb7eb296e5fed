"""Profiles are data that a newcomer can read, and a mistake in one is told by its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.ils.incoming import TABLES, fields
from connectors.ils.profile import PROFILES, assumptions, build, load
from connectors.ils.settings import IlsImport
from include.engine.errors import SettingsError
from include.marc.mapping import load as mapping

NAMES = sorted(file.stem for file in PROFILES.glob("*.yaml"))


def test_there_is_a_profile_for_each_library_system() -> None:
    assert NAMES == ["brocade", "cicero", "folio", "koha", "v_smart"]


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_fills_columns_that_its_contracts_have(name: str) -> None:
    profile = load(name)
    assert profile.name == name
    for table, settings in profile.tables.items():
        assert table in TABLES
        assert set(settings.columns) <= set(fields(table)), table
        assert set(settings.optional) <= set(fields(table)), table
        for part, embedded in (("item", settings.items), ("holding", settings.holdings)):
            assert embedded is None or set(embedded.columns) <= set(fields(part))
        if settings.is_marc:
            assert mapping(settings.binding or f"{settings.marc}_{table}").columns


@pytest.mark.parametrize("name", NAMES)
def test_what_a_vendor_has_not_published_is_marked_in_words(name: str) -> None:
    profile = load(name)
    told = assumptions(profile)
    assert told
    assert all(len(words.split()) >= 3 for _, words in told)
    assert profile.sources or profile.assumption, "a profile has sources, or is an assumption as a whole"


def test_a_partners_own_settings_are_laid_on_the_profile() -> None:
    own = load("koha", {"anonymous_patrons": ["4711"], "tables": {"loan": {"delimiter": ";", "columns": {"loan_id": "nr"}}}})
    assert own.anonymous_patrons == ("4711",)
    assert own.table("loan").delimiter == ";"
    assert own.table("loan").columns["loan_id"][0].source == ("nr",)
    assert own.table("loan").columns["item_id"] == load("koha").table("loan").columns["item_id"]


BASE: dict[str, Any] = {"name": "x", "title": "x", "about": "x"}


@pytest.mark.parametrize(
    ("table", "word"),
    [
        ({"format": "xls"}, "format"),
        ({"format": "csv"}, "columns"),
        ({"format": "csv", "columns": {"item_id": "a"}, "delimitre": ";"}, "delimitre"),
        ({"format": "csv", "columns": {"item_id": "a"}, "charset": "leader"}, "leader"),
        ({"format": "csv", "columns": {"item_id": "a"}, "charset": "utf-16"}, "charset"),
        ({"format": "csv", "columns": {"item_id": {}}}, "from"),
        ({"format": "csv", "columns": {"item_id": {"from": ["a", "b"]}}}, "join"),
        ({"format": "csv", "columns": {"item_id": {"from": "a", "always": "b"}}}, "not both"),
        ({"format": "marc", "items": {"field": "95", "columns": {}}}, "field"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_with_its_place(table: dict[str, Any], word: str) -> None:
    with pytest.raises(SettingsError, match=word) as told:
        build(BASE | {"tables": {"item": table}}, "x.yaml")
    assert "tables.item" in str(told.value)


def test_a_profile_or_table_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="brocade, cicero, folio, koha, v_smart"):
        load("aleph")
    with pytest.raises(SettingsError, match="loan"):
        load("koha").table("ebook")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(SettingsError, match="YAML"):
        load("bad", folder=tmp_path)


FLOW = {
    "profile": "koha",
    "inbox": "file:inbox/x",
    "deliveries": [{"table": "loan", "files": "loans_*", "mode": "append", "loans": "history"}],
}


def test_a_delivery_of_loans_says_what_it_holds() -> None:
    assert IlsImport.model_validate(FLOW).deliveries[0].loans == "history"
    with pytest.raises(ValidationError, match="open, history or events"):
        IlsImport.model_validate(FLOW | {"deliveries": [{"table": "loan", "files": "*"}]})
    with pytest.raises(ValidationError, match="no other table"):
        IlsImport.model_validate(FLOW | {"deliveries": [{"table": "item", "files": "*", "loans": "open"}]})


def test_a_flow_whose_profile_cannot_be_used_says_why() -> None:
    assert IlsImport.model_validate(FLOW | {"overrides": {"anonymous_patrons": ["7"]}}).loaded().anonymous_patrons == ("7",)
    with pytest.raises(ValidationError, match="no profile aleph"):
        IlsImport.model_validate(FLOW | {"profile": "aleph"})
    with pytest.raises(ValidationError, match="has no authority"):
        IlsImport.model_validate(FLOW | {"profile": "v_smart", "deliveries": [{"table": "authority", "files": "*"}]})
