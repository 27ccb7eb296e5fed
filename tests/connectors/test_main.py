"""`python -m connectors`: what an operator sees of partners' settings and connections, and the exit status that make goes by."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from connectors.__main__ import app
from include.sandbox.servers.sftp import sftp_server

GOOD = """\
name: Lindeby Biblioteker
timezone: Europe/Copenhagen
flows:
  ils_import:
    profile: cicero
    inbox: {inbox}
    after: {after}
    deliveries: [{{table: item, files: "items_*"}}]
"""


@pytest.fixture
def partners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "partners"
    folder.mkdir()
    monkeypatch.setenv("BINDERY_PARTNERS", str(folder))
    monkeypatch.setenv("BINDERY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "400")
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def write(folder: Path, inbox: str = "file:inbox/lindeby", after: str = "archive") -> None:
    (folder / "lindeby.yaml").write_text(GOOD.format(inbox=inbox, after=after))


def test_good_settings_are_listed_and_end_well(partners: Path) -> None:
    write(partners)
    said = run("check-partners")
    assert said.exit_code == 0
    assert "✓ lindeby  Lindeby Biblioteker: ils_import (test)" in said.output


def test_a_mistake_names_file_and_line_and_ends_badly_though_others_are_right(partners: Path) -> None:
    write(partners)
    (partners / "bad.yaml").write_text(GOOD.format(inbox="file:x", after="burn"))
    said = run("check-partners")
    assert said.exit_code == 1
    assert "✓ lindeby" in said.output
    assert "✗ bad  bad.yaml:7: flows.ils_import.after" in said.output


@pytest.mark.parametrize("name", ["nobody", "bad"])
def test_a_partner_that_cannot_be_used_is_told(partners: Path, name: str) -> None:
    (partners / "bad.yaml").write_text("name: Bad\n")
    write(partners)
    said = run("check-partners", name)
    assert said.exit_code == 1
    assert {"nobody": "✗ there is no partner 'nobody'", "bad": "✗ bad  bad.yaml:1: timezone: is missing"}[name] in said.output
    assert "lindeby" not in said.output, "of one partner alone"


def test_what_is_wrong_with_a_connection_is_said_whole_however_narrow_the_terminal(partners: Path) -> None:
    write(partners, "sftp://lindeby_inbox/exports/of/the/library/system")
    said = run("check-partners", "lindeby")
    assert said.exit_code == 1
    assert "is not set up. Add it in Airflow (Admin, Connections), or set AIRFLOW_CONN_LINDEBY_INBOX. [CREDENTIAL_MISSING]" in said.output


def test_a_partners_connection_is_tried_over_real_sftp(partners: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = tmp_path / "away"
    away.mkdir()
    (away / "items_1.csv").write_bytes(b"x")
    write(partners, "sftp://lindeby_inbox/")
    with sftp_server(away) as server:
        monkeypatch.setenv("AIRFLOW_CONN_LINDEBY_INBOX", server.connection_uri)
        said = run("check-partners", "lindeby")
        assert said.exit_code == 0, said.output
        assert [word for word in ("list", "read", "write", "rename", "delete") if word not in said.output] == []
        server.faults.add("read_only")
        said = run("check-partners", "lindeby")
        assert said.exit_code == 1
        assert "INBOX_READ_ONLY" in said.output
        write(partners, "sftp://lindeby_inbox/", after="leave")
        assert run("check-partners", "lindeby").exit_code == 0, "a read-only inbox is fine where nothing is to be written"
    assert [path.name for path in away.iterdir()] == ["items_1.csv"], "what was tried is taken away again"


def test_a_connection_that_is_missing_is_named(partners: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_LINDEBY_INBOX", raising=False)
    write(partners, "sftp://lindeby_inbox/")
    said = run("check-partners", "lindeby")
    assert said.exit_code == 1
    assert "lindeby_inbox is not set up" in said.output


def test_the_schema_for_editors_is_json() -> None:
    said = run("schema")
    assert said.exit_code == 0
    assert "ils_import" in json.loads(said.output)["properties"]["flows"]["properties"]
