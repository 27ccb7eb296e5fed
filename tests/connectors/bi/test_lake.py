"""The feed over a real lake, ledger and key store, as a DAG or the command line starts it."""

from __future__ import annotations

import base64
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from connectors.bi.__main__ import main
from connectors.bi.source import INPUTS, pinned_source
from include.engine.lake.table import Lake
from include.engine.ledger import manifests
from include.engine.ledger.database import Ledger
from tests.connectors.bi.small_lake import loan, small_tables, table

LINDEBY = """
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
language: da
status: live
"""


def write(home: Path, tables: dict[str, pa.Table], mode: str = "append") -> None:
    for name, found in tables.items():
        write_deltalake(str(home / "lake" / name), found, partition_by=["partner"], mode=mode)  # type: ignore[call-overload]


def test_a_source_stays_at_its_versions_while_the_lake_moves_on(tmp_path: Path) -> None:
    write(tmp_path, small_tables())
    source = pinned_source(Lake(str(tmp_path / "lake")))
    write(tmp_path, {"loan": table("loan", [loan("new"), {**loan("newer"), "partner": "almvik"}])})
    assert source.partners() == ["lindeby", "molendal"]
    assert source.stream("loan", "lindeby").read_all().num_rows == 7
    assert pinned_source(Lake(str(tmp_path / "lake"))).partners() == ["almvik", "lindeby", "molendal"]


def test_a_table_or_column_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    old = small_tables()["loan"].drop_columns(["barcode", "happened_at"])
    write(tmp_path, {"loan": old})
    source = pinned_source(Lake(str(tmp_path / "lake")))
    found = source.stream("loan", "molendal").read_all()
    assert found.schema == INPUTS["loan"]
    assert found["barcode"].to_pylist() == [None]
    assert source.stream("item", "molendal").read_all().num_rows == 0


def test_identities_and_marc_records_are_never_read() -> None:
    names = {name for schema in INPUTS.values() for name in schema.names}
    assert not names & {"marcxml", "name", "national_id", "card_numbers", "birth_date", "email", "address", "gender"}
    assert "patron_identity" not in INPUTS


def test_a_feed_is_made_from_the_ledgers_manifest_without_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    partners = tmp_path / "partners"
    partners.mkdir()
    (partners / "lindeby.yaml").write_text(LINDEBY)
    monkeypatch.setenv("BINDERY_HOME", str(tmp_path))
    monkeypatch.setenv("BINDERY_PARTNERS", str(partners))
    monkeypatch.delenv("BINDERY_LEDGER", raising=False)
    monkeypatch.setenv(
        "AIRFLOW_CONN_BINDERY_MASTER", f'{{"conn_type": "generic", "password": "{base64.b64encode(bytes(range(32))).decode()}"}}'
    )
    write(tmp_path, small_tables())
    assert main(["make"]) == 0
    assert "lake is empty" in capsys.readouterr().out  # nothing is pinned yet

    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    manifests.pin(ledger, None, {name: manifests.Versions(None, 0) for name in small_tables()})
    assert main(["make"]) == 0
    assert "5 loans, 3 renewals, 3 returns of 2 libraries" in capsys.readouterr().out
    write(tmp_path, {"loan": table("loan", [loan("not pinned yet")])})
    assert main(["make"]) == 0
    assert "unchanged" in capsys.readouterr().out
    manifests.pin(ledger, None, {"loan": manifests.Versions(0, 1)})
    assert main(["make"]) == 0
    assert "6 loans" in capsys.readouterr().out
    assert main(["--home", str(tmp_path), "check"]) == 0
