"""The public MARC samples, where they are at hand: MARC_SAMPLES names their folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("MARC_SAMPLES", Path(__file__).parents[3] / "shared" / "samples" / "marc"))
FILES = sorted(FOLDER.glob("*")) if FOLDER.is_dir() else []
needs_samples = pytest.mark.skipif(not FILES, reason="the public MARC samples are not at hand (MARC_SAMPLES names their folder)")
