"""One installation, put together from its environment."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import ROOT, Engine, master_key
from include.engine.errors import MissingCredential, SettingsError
from include.engine.ledger import deliveries
from include.engine.partner.settings import InboxFlow
from tests.house import MASTER


def opened(home: Path, **more: str) -> Engine:
    return Engine.open(EnvironmentCredentials(MASTER), {"drop": InboxFlow}, {"BINDERY_HOME": str(home), **more})


def test_an_installation_is_described_by_its_environment_and_its_ledger_is_migrated(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    engine = opened(home)
    assert deliveries.find(engine.ledger) == []
    assert (engine.home, engine.partners_folder) == (home, ROOT / "include" / "partners")
    assert engine.lake.root == str(home / "lake")
    elsewhere = opened(home, BINDERY_LEDGER=f"sqlite:///{tmp_path}/other.db", BINDERY_PARTNERS=str(tmp_path))
    assert elsewhere.ledger.url.endswith("other.db")
    assert elsewhere.partners().partners == {}


def test_a_home_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    engine = opened(tmp_path / "new" / "home")
    assert deliveries.find(engine.ledger) == []


def test_a_partner_that_is_not_there_or_cannot_be_used_is_told_with_what_to_do(tmp_path: Path) -> None:
    engine = opened(tmp_path, BINDERY_PARTNERS=str(tmp_path))
    with pytest.raises(SettingsError, match=r"no partner 'nobody'.*Add nobody.yaml"):
        engine.partner("nobody")
    (tmp_path / "bad.yaml").write_text("name: Bad\ntimezone: Mars\n")
    with pytest.raises(SettingsError, match=r"bad.yaml:2: .*no IANA time zone.*check-partners"):
        engine.partner("bad")


def test_a_contract_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="ils_loan"):
        opened(tmp_path).contract("ils_lon")


@pytest.mark.parametrize("password", ["short", "not base64!", base64.b64encode(bytes(16)).decode()])
def test_a_master_key_that_is_none_is_refused_without_being_shown(password: str) -> None:
    given = EnvironmentCredentials({"AIRFLOW_CONN_BINDERY_MASTER": f'{{"conn_type": "generic", "password": "{password}"}}'})
    with pytest.raises(SettingsError, match="bindery_master") as told:
        master_key(given)
    assert password not in str(told.value)


def test_a_master_key_that_is_missing_names_its_connection() -> None:
    with pytest.raises(MissingCredential, match="bindery_master"):
        master_key(EnvironmentCredentials({}))


def test_a_partner_is_called_by_its_name_also_where_its_yaml_cannot_be_used(tmp_path: Path) -> None:
    engine = Engine(tmp_path, None, EnvironmentCredentials({}), {}, tmp_path)  # type: ignore[arg-type]
    (tmp_path / "lindeby.yaml").write_text("name: Lindeby Biblioteker\nflows: {nobody_knows: {}}\n", encoding="utf-8")
    (tmp_path / "almvik.yaml").write_text("- no: mapping", encoding="utf-8")
    assert [engine.partner_name(one) for one in ("lindeby", "almvik", "nowhere")] == ["Lindeby Biblioteker", "almvik", "nowhere"]
