"""`python -m connectors.oai_pmh harvest`: into a Parquet file, without an installation; and what its status says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from connectors.oai_pmh.__main__ import app
from include.engine.engine import ROOT
from tests.connectors.oai_pmh.harvest.repository import DAY, Kept, Repository, Response, made, marc, served


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "connectors.oai_pmh", *arguments]
    return subprocess.run(
        line, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), **environment}, capture_output=True, text=True, timeout=60
    )


def harvest(url: str, out: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return command("harvest", url, "--prefix", "marcxml", "--out", str(out), "--attempts", "2", *more, **environment)


def test_every_record_stands_in_the_file_once_in_its_newest_state(tmp_path: Path) -> None:
    records = made(25)
    records[4].deleted = True
    with served(Repository(records)) as repository:
        right = repository.selected
        newer = Kept(records[2].identifier, records[20].datestamp, marc("00002", "Nyare"))
        repository.selected = lambda params: [*right(params), newer]
        done = harvest(repository.url, out := tmp_path / "records.parquet")
    assert done.returncode == 0, done.stderr
    rows = {row["identifier"]: row for row in pq.read_table(out).to_pylist()}
    assert len(pq.read_table(out)) == len(rows) == 25
    assert rows[newer.identifier]["xml"] == newer.body
    assert (rows[records[4].identifier]["deleted"], rows[records[4].identifier]["xml"]) == (True, None)
    assert "25 records, 1 of them deleted; 1 came again" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["records.parquet"]


def test_until_a_day_means_all_of_it(tmp_path: Path) -> None:
    with served(Repository(made(25, step=timedelta(minutes=28)))) as repository:  # from noon to a quarter past eleven at night
        asked = ["harvest", repository.url, "--prefix", "marcxml", "--until", f"{DAY:%Y-%m-%d}"]
        done = CliRunner().invoke(app, [*asked, "--out", str(out := tmp_path / "records.parquet")])
    assert (done.exit_code, pq.read_metadata(out).num_rows) == (0, 25)


def test_records_that_cannot_be_read_are_told_apart(tmp_path: Path) -> None:
    with served(Repository(made(25))) as repository:
        plain = repository.record(repository.records[3])
        repository.fault = lambda request, answer: Response(answer().text.replace(plain, plain.replace("</subfield>", "", 1)).encode())
        done = harvest(repository.url, out := tmp_path / "records.parquet")
    assert done.returncode == 1
    assert len(pq.read_table(out)) == 24
    [rejected] = (tmp_path / "records.parquet.rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected)["reason"] == "OAI_RECORD_NOT_XML"


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        (lambda r, answer: Response(answer().body[:900]) if r.token else None, 3, "OAI_PAGE_TRUNCATED"),
        (lambda r, answer: Response(b"", 404), 4, "OAI_HTTP_STATUS"),
    ],
    ids=["a page cut short", "no such repository"],
)
def test_what_did_not_come_whole_makes_no_file(tmp_path: Path, fault, status: int, words: str) -> None:
    with served(Repository(made(25))) as repository:
        repository.fault = fault
        done = harvest(repository.url, tmp_path / "records.parquet", "--from", "2026-01-01")
    assert (done.returncode, list(tmp_path.iterdir())) == (status, [])
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("wrong", [["ftp://x"], ["http://x/oai", "--from", "yesterday"], ["http://x/oai", "--quirk", "unknown"]])
def test_what_is_not_understood_is_said(tmp_path: Path, wrong: list[str]) -> None:
    done = CliRunner().invoke(app, ["harvest", *wrong, "--prefix", "marcxml", "--out", str(tmp_path / "x")])
    assert (done.exit_code, list(tmp_path.iterdir())) == (2, [])
