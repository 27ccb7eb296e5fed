"""The examples in the documentation are true: they load against the real models, and the connector of add-a-connector.md takes a file in."""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

import connectors
from connectors import flow_models
from connectors.circulation.embedded.store import Store
from connectors.circulation.ils import Ils
from connectors.circulation.loading import load
from connectors.ils.profile import build
from connectors.oai_pmh.provider import queries
from include.engine.contract.check import check
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import State
from include.engine.engine import Engine
from include.engine.ledger import Ledger
from include.engine.partner.loading import load_partner
from include.engine.partner.settings import Partner
from include.engine.reasons import LANGUAGES
from tests.docs.pages import ROOT, Block, blocks, every
from tests.house import MASTER, House

PARTNER = {"name": "A library", "timezone": "Europe/Copenhagen"}
CONNECTOR = ROOT / "docs" / "add-a-connector.md"
CONTRACT = ROOT / "docs" / "add-a-contract.md"


def kind(block: Block) -> str:
    """What a block of YAML is, by the file it names; one that names none is part of a partner's file."""
    if block.file == "circulation/ils.yaml":
        return "ils"
    folder = (block.file or "include/partners/").rpartition("/")[0]
    return {
        "circulation": "circulation",
        "oai": "sets",
        "include/profiles": "profile",
        "data_contracts": "contract",
        "include/engine/reasons": "reason",
    }.get(folder, "partner")


def yaml_of(which: str) -> list[Block]:
    return [block for block in every("yaml") if kind(block) == which]


@pytest.fixture
def doors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the worked example, with their connector in the house."""
    for block in [*blocks(CONNECTOR), *blocks(CONTRACT, "yaml")]:
        if block.file and not block.file.startswith("include/engine"):
            path = tmp_path / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
    (tmp_path / "connectors" / "doors" / "__init__.py").write_text('"""Door counters."""\n')
    monkeypatch.setattr(connectors, "__path__", [*connectors.__path__, str(tmp_path / "connectors")])
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("connectors.doors")]:
        del sys.modules[name]


@pytest.mark.parametrize("block", yaml_of("partner"), ids=str)
def test_a_partner_in_the_docs_can_be_used(block: Block, doors: Path) -> None:
    content: dict[str, Any] = PARTNER | yaml.safe_load(block.text)
    file = doors / "example.yaml"
    file.write_text(yaml.safe_dump(content), encoding="utf-8")
    found = load_partner(file, flow_models())
    assert isinstance(found, Partner), [str(mistake) for mistake in found]


@pytest.mark.parametrize("block", yaml_of("circulation"), ids=str)
def test_a_self_service_library_in_the_docs_can_be_loaded(block: Block, tmp_path: Path) -> None:
    (tmp_path / "library.yaml").write_text(block.text, encoding="utf-8")
    counts = load([tmp_path / "library.yaml"], tmp_path, Store(tmp_path / "store.db"))
    assert counts.keys() == yaml.safe_load(block.text).keys()


@pytest.mark.parametrize("block", yaml_of("ils"), ids=lambda block: str(yaml.safe_load(block.text)["system"]))
def test_a_library_system_in_the_docs_can_be_asked(block: Block, tmp_path: Path) -> None:
    (tmp_path / "ils.yaml").write_text(block.text, encoding="utf-8")
    settings = Ils.load(tmp_path / "ils.yaml")
    assert settings.system in yaml.safe_load(block.text)


@pytest.mark.parametrize("block", yaml_of("sets"), ids=str)
def test_saved_queries_in_the_docs_can_be_used(block: Block, tmp_path: Path) -> None:
    (tmp_path / "sets.yaml").write_text(block.text, encoding="utf-8")
    assert {query.id for query in queries.load(tmp_path / "sets.yaml")} == yaml.safe_load(block.text).keys()


@pytest.mark.parametrize("block", yaml_of("profile"), ids=str)
def test_a_profile_in_the_docs_can_be_used(block: Block) -> None:
    assert build(yaml.safe_load(block.text), block.page).tables


@pytest.mark.parametrize("block", yaml_of("contract"), ids=str)
def test_a_contract_in_the_docs_is_in_order(block: Block, tmp_path: Path) -> None:
    assert block.file is not None
    file = tmp_path / Path(block.file).name
    file.write_text(block.text, encoding="utf-8")
    assert list(check(file)) == []


@pytest.mark.parametrize("block", yaml_of("reason"), ids=str)
def test_a_reason_in_the_docs_has_its_words_in_every_language(block: Block) -> None:
    for entry in yaml.safe_load(block.text).values():
        assert entry["kind"] in {"file", "record", "engine"}
        assert set(LANGUAGES) <= set(entry) and set(entry["mend"]) == set(LANGUAGES)


@pytest.mark.parametrize("block", every("python"), ids=str)
def test_python_in_the_docs_imports_only_what_is_there(block: Block, doors: Path) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in {"include", "connectors"}:
            module = import_module(str(node.module))
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


def test_questions_to_the_ledger_in_the_docs_can_be_asked(ledger: Ledger) -> None:
    [block] = blocks(ROOT / "docs" / "users" / "integration-engineers.md", "sql")
    with ledger.read() as tx:
        for question in block.text.strip().split(";\n"):
            assert tx.exec_driver_sql(question.rstrip(";")).fetchall() == []


def test_the_flow_of_the_worked_example_uses_the_steps_that_there_are() -> None:
    flow = next(block for block in blocks(CONNECTOR, "python") if block.file == "dags/doors_import.py")
    real = (ROOT / "dags" / "ils_import.py").read_text(encoding="utf-8")
    assert [line for line in flow.text.splitlines() if line.startswith("from ")] == [
        line for line in real.splitlines() if line.startswith("from ")
    ]
    assert "airflow" in flow.text.lower() and "dag" in flow.text.lower()


def test_the_worked_example_takes_a_file_in(doors: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    from include.engine.contract import loading

    monkeypatch.setattr(loading.load, "__defaults__", (doors / "data_contracts",))  # where a contract of the house would lie
    inbound = import_module("connectors.doors.inbound")
    partners = doors / "include" / "partners"
    yaml_file = partners / "skovby.yaml"
    yaml_file.write_text(yaml_file.read_text().replace("status: test", "status: live").replace("stable_for: 30s", "stable_for: 0s"))
    home = doors / "home"
    house = House(
        Engine(home, ledger, EnvironmentCredentials(MASTER), flow_models(), partners, doors / "data_contracts"), inbound, "skovby"
    )
    inbox = home / "inbox" / "skovby_doors"
    inbox.mkdir(parents=True)
    good, bad = (
        ["hb;2026-11-21T14;37", "hb;2026-11-21T15;41"],
        ["hb;2026-11-21T14;37", "hb;yesterday;4", "hb;2026-11-21", ";2026-11-21T15;41", "hb;2026-11-21T15;x"],
    )
    (inbox / "doors_20261121.csv").write_text("\n".join(good + bad) + "\n")
    [claimed] = house.claimed()
    done = house.run(claimed.id)
    assert done.state == State.ACKNOWLEDGED, done.message
    assert (done.counts.in_, done.counts.published, done.counts.quarantined) == (7, 2, 5)
