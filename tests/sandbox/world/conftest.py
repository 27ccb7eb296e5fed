"""One small world a library, made once for the module's session."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.sandbox.world import Sheet, make
from include.sandbox.world.libraries import LIBRARIES

LOANS, BAD = 6_000, 0.02


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Sheet]]:
    """(folder, answer sheet by library)"""
    out = tmp_path_factory.mktemp("worlds")
    return out, {library: make(library, LOANS, out, seed=7, bad=BAD) for library in LIBRARIES}
