"""The command line: what a librarian types, what comes out, and with which exit status."""

from __future__ import annotations

import contextlib
import csv
import gzip
import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from lxml import etree

from include.marc.cli import main, parser
from tests.marc.iso import iso
from tests.marc.iso2709.damages import DAMAGES

GOOD = iso("1") + iso("2")
KNOWN = {damage.name: damage for damage in DAMAGES}
#: One record is repaired, one set aside.
DAMAGED = iso("1") + KNOWN["length too short"].change(iso("2")) + KNOWN["bytes of no character set"].change(iso("3")) + iso("4")


@pytest.fixture
def good(tmp_path: Path) -> str:
    (tmp_path / "good.mrc").write_bytes(GOOD)
    return str(tmp_path / "good.mrc")


@pytest.fixture
def damaged(tmp_path: Path) -> str:
    (tmp_path / "damaged.mrc").write_bytes(DAMAGED)
    return str(tmp_path / "damaged.mrc")


def test_files_are_converted_there_and_back(good: str, tmp_path: Path) -> None:
    xml, back, packed = tmp_path / "a.xml", tmp_path / "b.mrc", tmp_path / "a.xml.gz"
    assert main(["to-marcxml", good, str(xml)]) == 0
    assert len(etree.parse(xml).getroot()) == 2
    packed.write_bytes(gzip.compress(xml.read_bytes()))
    assert main(["to-iso2709", str(packed), str(back)]) == 0
    assert back.read_bytes() == GOOD
    assert main(["to-marcxml", "--marcxchange", good, str(xml)]) == 0
    assert etree.parse(xml).getroot().tag == "{info:lc/xmlns/marcxchange-v1}collection"


def test_parquet_is_long_or_wide(good: str, tmp_path: Path) -> None:
    assert main(["to-parquet", good, str(tmp_path / "long.parquet")]) == 0
    assert pq.read_table(tmp_path / "long.parquet").num_rows == 18
    assert main(["to-parquet", "--wide", "marc21_bibliographic", good, str(tmp_path / "wide.parquet")]) == 0
    assert pq.read_table(tmp_path / "wide.parquet").column("control_number").to_pylist() == ["1", "2"]
    (tmp_path / "own.yaml").write_text("number: '001'\n")
    assert main(["to-parquet", "--wide", str(tmp_path / "own.yaml"), good, str(tmp_path / "own.parquet")]) == 0
    assert pq.read_table(tmp_path / "own.parquet").to_pylist() == [{"number": "1"}, {"number": "2"}]


def test_what_is_wrong_is_told_and_what_is_set_aside_is_kept(damaged: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aside, table = tmp_path / "aside.mrc", tmp_path / "problems.csv"
    assert main(["check", damaged, "--set-aside", str(aside), "--table", str(table)]) == 1
    told = capsys.readouterr().out
    assert f"record 2 at byte {len(iso('1'))}: the record's leader states a wrong length" in told
    assert "3 records read, 2 of them clean, 1 repaired" in told
    assert aside.read_bytes() == KNOWN["bytes of no character set"].change(iso("3"))
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    assert [(row["record"], row["outcome"], row["reason"]) for row in rows] == [
        ("2", "repaired", "MARC_LENGTH_WRONG"),
        ("3", "set aside", "MARC_CHARSET_WRONG"),
    ]
    assert main(["check", damaged, "--limit", "0", "--replace"]) == 1
    assert "0 set aside" in capsys.readouterr().out


def test_a_clean_file_is_well(good: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", good]) == 0
    assert main(["stats", good]) == 0
    told = capsys.readouterr().out
    assert "2 in utf-8" in told
    assert any(text.split() == ["245", "2", "2"] for text in told.splitlines())


def test_two_exports_are_compared(good: str, damaged: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", good, good]) == 0
    table = tmp_path / "changes.csv"
    assert main(["diff", good, damaged, "--table", str(table)]) == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == ["+ 3", "+ 4"]  # a number can be read where a title cannot
    assert "2 added" in told.err
    assert [row["change"] for row in csv.DictReader(table.open(encoding="utf-8"))] == ["+", "+"]


def test_what_cannot_be_done_is_said_and_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["to-parquet", str(tmp_path / "none.mrc"), str(tmp_path / "out.parquet")]) == 2
    assert "none.mrc" in capsys.readouterr().err
    (tmp_path / "bad.xml").write_text("<!DOCTYPE x><collection/>")
    assert main(["to-iso2709", str(tmp_path / "bad.xml"), str(tmp_path / "out.mrc")]) == 2
    assert "document type" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.xml"]


@pytest.mark.parametrize("content", ["a: [\n", "- a\n- b\n", "a: 245 and more\n", "a: {b: c}\n"])
def test_a_mapping_that_cannot_be_read_is_said_to_be_none(
    content: str, good: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.yaml").write_text(content)
    assert main(["to-parquet", "--wide", str(tmp_path / "own.yaml"), good, str(tmp_path / "own.parquet")]) == 2
    assert "own.yaml" in capsys.readouterr().err
    assert not (tmp_path / "own.parquet").exists()


def test_every_command_explains_itself() -> None:
    every = parser()
    told = every.format_help()
    for command in ("to-parquet", "to-marcxml", "to-iso2709", "to-line", "stats", "check", "diff"):
        assert f"python -m include.marc {command}" in told
    assert "exit status" in told


def test_lines_go_to_whoever_reads_them_and_may_stop(tmp_path: Path) -> None:
    (tmp_path / "many.mrc").write_bytes(GOOD * 5_000)
    command = [sys.executable, "-m", "include.marc", "to-line", str(tmp_path / "many.mrc")]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])})
    assert running.stdout is not None
    assert running.stdout.readline().startswith(b"LDR ")
    running.stdout.close()
    assert running.wait(30) == 0


@pytest.mark.parametrize("command", ["check", "diff"])
def test_whoever_waits_at_a_terminal_sees_how_far_it_is(command: str, good: str) -> None:
    ours, theirs = pty.openpty()
    arguments = [sys.executable, "-m", "include.marc", command, *[good] * (1 + (command == "diff"))]
    around = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TERM": "xterm"}
    running = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=theirs, env=around)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # which is how a terminal ends
        while part := os.read(ours, 1 << 16):
            shown += part
    os.close(ours)
    assert running.wait(60) == 0
    assert b"100 %" in shown
    assert f"{4 if command == 'diff' else 2} records".encode() in shown
