"""What the tests of the XML reader share."""

from __future__ import annotations

import pytest

from include.marc.iso2709 import compiled as compiled_iso
from include.marc.marcxml import compiled


@pytest.fixture(params=["compiled", "numpy"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test twice: by the compiled kernels, where there is a compiler, and by NumPy."""
    if request.param == "numpy":
        monkeypatch.setattr(compiled, "functions", lambda: None)
        monkeypatch.setattr(compiled_iso, "functions", lambda: None)
    elif compiled.functions() is None:
        pytest.skip("there is no C compiler")
