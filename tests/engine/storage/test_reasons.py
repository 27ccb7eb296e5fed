"""Every code that storage tells is in the table, in four languages."""

from __future__ import annotations

import re
from pathlib import Path

import include.engine.storage as storage
from include.engine.reasons import table

CODE = re.compile(r'"((?:FILE|ARCHIVE|STORE|INBOX|RECORD)_[A-Z_]+)"')


def test_every_code_of_storage_is_in_the_table() -> None:
    folder = Path(next(iter(storage.__path__)))
    used = {code for file in folder.glob("*.py") for code in CODE.findall(file.read_text(encoding="utf-8"))}
    assert len(used) > 30
    assert used <= set(table())
