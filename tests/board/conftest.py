"""The board's fixtures: one lived-in installation a session, a copy for each module, and one for a test that changes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.board.house import BoardHouse, build


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    base = tmp_path_factory.mktemp("board")
    build(base, migrated_file)
    return base


@pytest.fixture(scope="module")
def house(built: Path, tmp_path_factory: pytest.TempPathFactory) -> BoardHouse:
    """To be looked at."""
    return BoardHouse.at(tmp_path_factory.mktemp("house"), built)


@pytest.fixture
def own_house(built: Path, tmp_path: Path) -> BoardHouse:
    """To be changed."""
    return BoardHouse.at(tmp_path / "house", built)
