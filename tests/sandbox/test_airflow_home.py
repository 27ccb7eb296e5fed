"""Airflow's own folder is made once and copied: the copy is what Airflow would have made, with secrets of its own."""

from __future__ import annotations

import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from include.sandbox import airflow_home
from include.sandbox.airflow import environment
from include.sandbox.airflow_home import prepare

pytestmark = pytest.mark.airflow
SECRET = re.compile(r"^(fernet_key|jwt_secret|secret_key) = (.*)$", re.MULTILINE)


def content(home: Path) -> list[str]:
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        return list(database.iterdump())


def test_a_copy_is_what_airflow_made_with_its_own_place_and_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, copied, kept = tmp_path / "made" / "airflow", tmp_path / "copied" / "airflow", tmp_path / "kept"
    prepare(made, environment(made.parent, 1, {}), kept)
    monkeypatch.setattr(airflow_home, "_make", lambda env: pytest.fail("made a second time"))
    prepare(copied, environment(copied.parent, 1, {}), kept)
    assert content(copied) == content(made) != []
    with closing(sqlite3.connect(copied / "airflow.db")) as database:
        assert {name for (name,) in database.execute("SELECT pool FROM slot_pool")} == {"default_pool", "flows", "dispatch"}
    theirs, ours = ((home / "airflow.cfg").read_text() for home in (made, copied))
    assert SECRET.sub("", theirs).replace(str(made), str(copied)) == SECRET.sub("", ours)
    assert str(made) not in ours
    one, other = (dict(SECRET.findall(text)) for text in (theirs, ours))
    assert one.keys() == other.keys() == {"fernet_key", "jwt_secret", "secret_key"}
    assert all(one[name] and other[name] and one[name] != other[name] for name in one)
    assert len({*one.values(), *other.values()}) == 6
    assert (copied / "airflow.cfg").stat().st_mode & 0o077 == 0
    [file] = kept.glob("*/airflow.cfg")
    assert {value for _, value in SECRET.findall(file.read_text())} == {""}


def test_what_airflow_cannot_make_is_told_in_its_own_words_and_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    airflow, kept = tmp_path / "bin" / "airflow", tmp_path / "kept"
    airflow.parent.mkdir()
    airflow.write_text("#!/bin/sh\necho no room for $2 >&2\nexit 1\n")
    airflow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(airflow.with_name("python")))
    with pytest.raises(RuntimeError, match="airflow db migrate failed:\nno room for migrate"):
        prepare(tmp_path / "airflow", environment(tmp_path, 1, {}), kept)
    assert not kept.exists()
