"""python -m connectors.bi: what an operator sees without Airflow."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from connectors.bi.__main__ import duckdb_lines, main, pandas_lines
from connectors.bi.feed import feed
from connectors.bi.house import Settings
from connectors.bi.tables import TABLES
from include.engine.errors import SettingsError
from tests.connectors.bi.small_lake import small_house


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors.bi.feed.check", lambda *_: {})
        feed(small_house(found, version=1))
        feed(small_house(found, version=2))
    return found


def test_show_tells_rows_measures_and_how_to_read(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "show"]) == 0
    told = capsys.readouterr().out
    assert "fact_loan" in told
    assert [line.split() for line in told.splitlines() if line.startswith("lindeby")] == [["lindeby", "4", "3", "3"]]
    assert "import duckdb" in told


def test_the_three_lines_that_are_shown_run(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from connectors.bi.snapshot import latest

    manifest = latest(home / "bi")
    assert manifest is not None
    for lines in (duckdb_lines(home / "bi" / manifest.path), pandas_lines(home / "bi" / manifest.path)):
        exec(lines, {})  # noqa: S102  our own words, as an analyst would paste them
    told = capsys.readouterr().out
    assert "Music" in told
    assert "music" in told


def test_the_examples_for_analysts_run_as_they_are_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[3] / "docs" / "users" / "analysts.md").read_text(encoding="utf-8")
    python, sql = re.findall(r"```python\n(.*?)```", page, re.DOTALL), re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    for lines in python:
        assert len(lines.strip().splitlines()) == 4  # an import, and three lines
        exec(lines.replace("/srv/bindery", str(home)), {})  # noqa: S102
    assert "Music" in capsys.readouterr().out
    with duckdb.connect() as db:
        folder = next((home / "bi" / "snapshots").iterdir())
        for table in TABLES:
            db.execute(f"CREATE VIEW {table} AS FROM read_parquet('{folder}/{table}/**/*.parquet', hive_partitioning = true)")
        for query in sql:
            assert db.execute(query).fetchall() == []  # two patrons are too few to be shown


def test_list_marks_the_newest(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "list"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert "newest" in second
    assert "newest" not in first


def test_check_is_content_until_a_file_was_altered(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "check"]) == 0
    page = next((home / "bi" / "snapshots").glob("*/dictionary.html"))
    page.write_text("other")
    assert main(["--home", str(home), "check", page.parent.name]) == 2
    assert "dictionary.html is not the file that was made" in capsys.readouterr().out


def test_an_unknown_snapshot_is_an_error_that_says_where_to_look(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "show", "nothing"]) == 1
    assert "connectors.bi list" in capsys.readouterr().err


def test_prune_keeps_what_is_asked_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "--keep", "1", "prune"]) == 0
    assert len(list((home / "bi" / "snapshots").iterdir())) == 1


def test_settings_come_from_the_environment_and_a_wrong_one_is_named() -> None:
    assert Settings.of_environment({"BINDERY_BI_KEEP": "2", "BINDERY_BI_MEMORY": "1GB"}) == Settings(keep=2, memory="1GB")
    assert Settings.of_environment({}) == Settings()
    with pytest.raises(SettingsError, match="BINDERY_BI_KEEP_DAYS must be a whole number"):
        Settings.of_environment({"BINDERY_BI_KEEP_DAYS": "never"})
