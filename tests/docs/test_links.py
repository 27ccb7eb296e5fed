"""What the documentation points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include.engine.reasons import table
from tests.docs.pages import PAGES, ROOT, blocks, prose

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)|(?:src|srcset|href)=\"([^\"#]+)\"")
_CODE = re.compile(r"`([^`\n]+)`")
_FILE = re.compile(r"(?:[\w.-]+/)*[\w-]+\.(?:py|yaml|yml|toml|md|txt|in|json|sh|svg|html|j2|sql)|(?:[\w.-]+/)+")
_TREE = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"logs"}
_MODULE = re.compile(r"python -m ([\w.]+)")
_REASON = re.compile(r"[A-Z]{2,}(?:_[A-Z0-9]+)+")
_MADE_UP = ("connectors/doors/", "dags/doors_import.py", "docs/flows/doors_import.md", "data_contracts/doors_visit", "data_contracts/visit",
            "include/partners/aarhus", "tests/connectors/doors/")  # fmt: skip
_SETTINGS = re.compile(r"(?:AIRFLOW|BINDERY|POSTGRES|OTEL|OPENLINEAGE)_\w+|(?:ADHL|OAI)_PORT")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = {first or second for first, second in _LINK.findall(page.read_text(encoding="utf-8"))}
    local = {link for link in links if "://" not in link and not link.startswith("mailto:")}
    assert [link for link in sorted(local) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_is_named_is_in_the_tree(page: Path) -> None:
    named = {found for code in _CODE.findall(prose(page)) for found in _FILE.findall(code) if found.split("/")[0] in _TREE}
    wrong = [name for name in sorted(named) if not (ROOT / name).exists() and not name.startswith(_MADE_UP)]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_named_can_be_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for module in set(_MODULE.findall(text)):
        place = ROOT.joinpath(*module.split("."))
        assert (place / "__main__.py").exists() or place.with_suffix(".py").exists(), f"python -m {module}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = [*_CODE.findall(prose(page)), *(line for block in blocks(page, "") for line in block.text.splitlines())]
    for target in {found[1] for command in commands if (found := re.match(r"make ([a-z][a-z-]+)", command))}:
        assert re.search(rf"^{target}:", makefile, re.M), f"make {target}"


def test_every_command_that_the_code_tells_of_can_be_run() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}: python -m {module}"
        for folder in ("connectors", "dags", "include", "plugins")
        for file in (ROOT / folder).rglob("*.py")
        for module in _MODULE.findall(file.read_text(encoding="utf-8"))
        if module.split(".")[0] in _TREE
        if not ((place := ROOT.joinpath(*module.rstrip(".").split("."))) / "__main__.py").exists() and not place.with_suffix(".py").exists()
    ]
    assert wrong == []


def test_every_page_can_be_found_from_the_first() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page.suffix == ".md" and page not in seen:
            seen.add(page)
            links = (first or second for first, second in _LINK.findall(page.read_text(encoding="utf-8")))
            waiting += [page.parent / link for link in links if "://" not in link and not link.startswith("mailto:")]
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in seen] == []


def test_every_decision_stands_on_the_map_of_the_documentation() -> None:
    page = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    assert [file.name for file in sorted((ROOT / "docs" / "decisions").glob("*.md")) if f"(decisions/{file.name})" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_reason_code_is_in_the_table(page: Path) -> None:
    codes = {code for code in _CODE.findall(prose(page)) if _REASON.fullmatch(code) and not _SETTINGS.fullmatch(code)}
    known = set(table()) | {"COUNTER_STUCK", "HASH_THRESHOLD"}  # made up in add-a-contract.md; Great Expectations' own
    assert sorted(codes - known) == []


def test_every_dag_stands_on_the_page_of_those_who_watch_them() -> None:
    page = (ROOT / "docs" / "users" / "integration-engineers.md").read_text(encoding="utf-8")
    dags = {file.stem for file in (ROOT / "dags").glob("*.py")} - {"__init__"}
    assert sorted(dags - set(_CODE.findall(page))) == []
