"""Two libraries' sidecars in one installation: each with its folder, store, journal and keys, each read by the flows of its own partner."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from connectors.circulation.domain import Checkout, Credentials, Outcome
from connectors.circulation.embedded.backend import opened
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.journal import read
from connectors.circulation.journal.retiring import retire
from connectors.circulation.lake.belonging import claim
from connectors.circulation.sip2.codec import parse
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.errors import SettingsError
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import Raw
from tests.connectors.circulation.test_serving import Serving, environment, run


@pytest.fixture
def two(tmp_path: Path) -> Iterator[dict[str, Serving]]:
    """Lindeby's sidecar by its option, Almvik's by its environment; a card of each has the same number."""
    env = environment(tmp_path)
    found: dict[str, Serving] = {}
    try:
        for name in ("lindeby", "almvik"):
            file = tmp_path / f"{name}.yaml"
            terminals = {
                "institution": name,
                "timezone": "Europe/Copenhagen",
                "terminals": {"k1": {"password": "secret", "branch": "main"}},
            }
            library = {"terminals": terminals, "patrons": [{"patron": "p1", "name": f"Reader of {name}", "cards": ["c1"]}],
                       "items": [{"item": "i1", "title": name, "owner": "main", "location": "main"}]}  # fmt: skip
            file.write_text(yaml.safe_dump(library))
            assert run(env, "load", str(file), "--folder", name).returncode == 0
        found["lindeby"] = Serving(env, "--folder", "lindeby")
        found["almvik"] = Serving(env | {"BINDERY_CIRCULATION_FOLDER": "almvik"})
        yield found
    finally:
        assert [one.end() for one in found.values()] == [0] * len(found)


def test_each_answers_from_its_own_store_and_writes_its_own_journal(two: dict[str, Serving], tmp_path: Path) -> None:
    for name, sidecar in two.items():
        with Raw(sidecar.ports["sip2"]) as kiosk:
            kiosk.ask("9300CNk1|COsecret|")
            told = parse(kiosk.ask(f"63001{' ' * 18}  Y       AO|AAc1|"))
            assert told.fields["AE"] == f"Reader of {name}"
            assert kiosk.ask(f"11NN20261120    120000{' ' * 18}AO|AAc1|ABi1|AC|").startswith("121")  # lent by both: two books
        assert json.loads(sidecar.get("/health"))["online"] is True
    for name in two:
        assert list((tmp_path / "home" / name / "journal").glob("*.journal"))
    assert not (tmp_path / "home" / "circulation").exists()


def test_what_one_lets_go_of_the_other_keeps(tmp_path: Path, keys: MemoryKeyStore, clock: Clock) -> None:
    for name in ("lindeby", "almvik"):
        for turn in range(2):  # a segment each time
            backend = opened(tmp_path / name, keys, Rules(), now=clock)
            backend.store.fill("patron", [{"patron": "p1"}])
            backend.store.fill("card", [{"card": "c1", "patron": "p1"}])
            backend.store.fill("item", [{"item": f"i{turn}"}])

            async def lend(item: str, to: object = backend) -> Outcome:
                return await to.perform(Checkout("k", clock(), key=item, patron=Credentials("c1"), item=item))  # type: ignore[attr-defined,no-any-return]

            assert asyncio.run(lend(f"i{turn}")).ok
            backend.close()
    kept = list(read(tmp_path / "almvik" / "journal", keys))
    gone = retire(
        tmp_path / "lindeby" / "journal", keys, until=99, kept=timedelta(0), now=lambda: clock() + timedelta(days=999), subject="lindeby"
    )
    assert gone
    assert list(read(tmp_path / "almvik" / "journal", keys)) == kept


def test_a_folder_is_one_library_s(tmp_path: Path) -> None:
    claim(tmp_path / "none", "lindeby")  # a sidecar that is not there yet is nobody's
    assert not (tmp_path / "none").exists()
    for _ in range(2):
        claim(tmp_path, "lindeby")
    with pytest.raises(SettingsError, match="is lindeby's"):
        claim(tmp_path, "almvik")
    assert [path.name for path in tmp_path.iterdir()] == ["partner"]


def test_a_folder_s_name_is_no_path(tmp_path: Path) -> None:
    done = run(environment(tmp_path), "conflicts", "--folder", "../elsewhere")
    assert done.returncode == 2 and "--folder" in done.stderr
