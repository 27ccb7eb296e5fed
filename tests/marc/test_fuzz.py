"""A short run of what `make fuzz` does for as long as one likes."""

from __future__ import annotations

from pathlib import Path

from tests.marc.fuzz import main


def test_random_damage_breaks_nothing(tmp_path: Path) -> None:
    assert main(3.0, 20261122, tmp_path / "failed.mrc") > 3
