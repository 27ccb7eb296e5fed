"""A file that must be there after the power went is on the disk by its bytes and by its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.engine.crypto.keys import MemoryKeyStore
from include.engine.durable import write_whole
from include.engine.erasure import certificate, request
from include.engine.erasure.certificate import Certificate
from include.engine.erasure.request import Request

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MADE = Certificate("E1", "lindeby", "Lindeby", "0" * 32, "officer", NOW, NOW, ())
ASKED = Request("lindeby", "0" * 32, "E1", frozenset(), frozenset(), frozenset())


@pytest.mark.parametrize(
    ("write", "names"),
    [
        (lambda folder: write_whole(folder / "a.json", b"{}"), ["a.json"]),
        (lambda folder: certificate.write(folder, MADE), ["certificates/lindeby/E1.html", "certificates/lindeby/E1.json"]),
        (lambda folder: request.keep(folder, MemoryKeyStore(), ASKED), [f"erasure/lindeby/{ASKED.reference}.sealed"]),
    ],
    ids=["any file", "a certificate", "a request for an erasure"],
)
def test_a_file_and_its_name_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], None], names: list[str]
) -> None:
    synced: list[Path] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append(Path(f"/proc/self/fd/{file}").readlink())
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == names
    for name in names:
        file = tmp_path / name
        assert [path for path in synced if path.parent == file.parent and file.name in path.name]
        assert file.parent in synced
