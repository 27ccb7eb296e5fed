"""kill -9 of the sidecar under load and of its journal's DAG, on one seed; `make crash-circulation` does it on fifty."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.circulation import seed
from tests.crash.processes import zygote

pytestmark = pytest.mark.crash


def test_what_was_answered_ok_is_in_the_journal_and_in_the_lake_once(tmp_path: Path) -> None:
    with zygote() as warm:
        found = seed(warm, tmp_path, 1)
    assert found.wrong == []
    assert found.answered > 10 and found.killed > 0
