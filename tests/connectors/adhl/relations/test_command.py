"""The command line over a real lake, ledger and key store, as a person starts it without Airflow."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from deltalake import write_deltalake

from connectors.adhl.__main__ import main
from include.engine.ledger import manifests
from include.engine.ledger.database import Ledger
from tests.connectors.adhl.relations.small_lake import readers, relations, table, title

LINDEBY = """
name: Lindeby Biblioteker
isil: DK-799001
agency: "799001"
timezone: Europe/Copenhagen
language: da
status: live
"""


def test_a_release_is_made_from_the_ledgers_manifest_listed_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners" / "lindeby.yaml").write_text(LINDEBY)
    monkeypatch.setenv("BINDERY_HOME", str(tmp_path))
    monkeypatch.setenv("BINDERY_PARTNERS", str(tmp_path / "partners"))
    monkeypatch.delenv("BINDERY_LEDGER", raising=False)
    key = base64.b64encode(bytes(range(32))).decode()
    monkeypatch.setenv("AIRFLOW_CONN_BINDERY_MASTER", f'{{"conn_type": "generic", "password": "{key}"}}')
    lake = {"loan": table("loan", readers(9, "100", "200")), "bibliographic": table("bibliographic", [title("100"), title("200")])}
    for name, rows in lake.items():
        write_deltalake(str(tmp_path / "lake" / name), rows, partition_by=["partner"])
    assert main(["release"]) == 0
    assert "lake is empty" in capsys.readouterr().out  # nothing is pinned yet

    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    manifests.pin(ledger, None, {name: manifests.Versions(None, 0) for name in lake})
    assert main(["release"]) == 0
    assert "1 relations of 2 titles from 18 home loans of 9 patrons" in capsys.readouterr().out
    [folder] = (tmp_path / "adhl_relations" / "snapshots").iterdir()
    assert relations(folder) == {("100", "200"): 1}
    assert main(["release"]) == 0
    assert "unchanged" in capsys.readouterr().out

    where = ["--relations", str(tmp_path / "adhl_relations")]
    assert main(["list", *where]) == 0
    assert "newest" in capsys.readouterr().out
    assert main(["check", *where]) == 0
    (folder / "index" / "top.npy").write_bytes(b"another")
    assert main(["check", *where]) == 2
    assert "top.npy is not the file that was made" in capsys.readouterr().out


def test_an_error_is_told_and_is_the_status(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BINDERY_HOME", str(tmp_path))
    monkeypatch.setenv("BINDERY_ADHL_THRESHOLD", "3")
    assert main(["release"]) == 1
    assert "BINDERY_ADHL_THRESHOLD must be a whole number from 5" in capsys.readouterr().err
