"""The made-up libraries' exports, in the forms of their systems, are read whole and keep their contracts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.ils.library import Library
from connectors.ils.profile import load
from connectors.ils.read import read
from include.engine.storage.archive import members
from tests.connectors.ils.reading import Spec

LIBRARIES = {
    "lindeby": ("cicero", Library("DK-799001", "Europe/Copenhagen")),
    "havnsund": ("koha", Library("DK-899002", "Europe/Copenhagen")),
    "almvik": ("folio", Library("SE-Almv", "Europe/Stockholm")),
    "molendal": ("brocade", Library("BE-MLD01", "Europe/Brussels")),
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_librarys_exports_are_read_to_the_last_record(name: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "include.sandbox.world", "--loans", "3000", "--library", name, "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[3])
    profile, library = LIBRARIES[name]
    answers: list[dict[str, Any]] = json.loads((tmp_path / name / "answers.json").read_text())["files"]
    assert len(answers) > 6
    for answer in answers:
        path = tmp_path / name / f"day{answer['day']}" / answer["file"]
        rows: dict[str, int] = {}
        records = aside = 0
        with path.open("rb") as stream:
            source = _File(path.name, stream)
            for part in read(source, Spec(answer["table"], answer["loans"]), load(profile), library):
                rows[part.table] = rows.get(part.table, 0) + part.rows.num_rows
                aside += part.set_aside.num_rows
                if part.table == answer["table"]:
                    records += part.rows.num_rows + part.set_aside.num_rows + sum(part.filtered.values())
        assert (records, aside) == (answer["records"], 0), answer["file"]
        assert rows[answer["table"]] == answer["records"]


class _File:
    def __init__(self, name: str, stream: Any) -> None:
        self.name, self.stream = name, stream

    def members(self) -> Any:
        return members(self.name, self.stream)
