"""Two installations with one PostgreSQL, whose sidecars' folders have one name, do not answer from one schema."""

from __future__ import annotations

import secrets
from pathlib import Path

import psycopg
import pytest

from connectors.circulation.embedded.owning import NAME
from connectors.circulation.embedded.store import ADDRESS, store_of
from include.engine.errors import SettingsError


@pytest.fixture
def folders(tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv(ADDRESS, postgres_url)
    name = f"same{secrets.token_hex(6)}"
    return tmp_path / "one" / name, tmp_path / "other" / name


def refused(folder: Path) -> str:
    with pytest.raises(SettingsError) as error:
        store_of(folder)
    return str(error.value)


def test_the_second_is_refused_and_told_what_to_do_and_the_first_goes_on_over_a_filling(folders: tuple[Path, Path]) -> None:
    first, second = folders
    store_of(first).close()
    assert "another installation" in refused(second) and "--folder" in refused(second)
    store = store_of(first)
    made = store.successor()
    made.fill("patron", [{"patron": "p1"}])
    made.commit()
    store.replace(made)
    assert store.get("patron", "p1") is not None
    store.close()
    assert "another installation" in refused(second)
    store_of(first).close()


def test_one_from_before_is_taken_by_the_folder_that_starts_first(folders: tuple[Path, Path], postgres_url: str) -> None:
    first, second = folders
    store_of(first).close()
    (first / NAME).unlink()
    assert "begun anew" in refused(first)
    with psycopg.connect(postgres_url.replace("+psycopg2", "")) as there:
        there.execute(f"DELETE FROM {first.name}.state WHERE name = 'installation'")  # as all were, and as the message says
    store_of(first).close()
    assert "another installation" in refused(second)


def test_a_folder_whose_schema_is_gone_begins_anew(folders: tuple[Path, Path], postgres_url: str) -> None:
    first, _ = folders
    store_of(first).close()
    number = (first / NAME).read_text()
    with psycopg.connect(postgres_url.replace("+psycopg2", ""), autocommit=True) as there:
        there.execute(f"DROP SCHEMA {first.name} CASCADE")
    store_of(first).close()
    assert (first / NAME).read_text() == number
