"""Three clients that others wrote harvest the provider: each gets the same identifiers and datestamps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from oaipmh.client import Client
from oaipmh.metadata import MetadataRegistry, oai_dc_reader
from oaipmh_scythe import Scythe
from sickle import Sickle

from connectors.oai_pmh.provider import follow
from connectors.oai_pmh.provider.app import application
from connectors.oai_pmh.provider.demo import demo_catalogue
from connectors.oai_pmh.provider.index import file_in
from include.sandbox.servers.asgi import serving
from tests.connectors.oai_pmh.provider.house import Shelf, row

Found = set[tuple[str, str, bool]]
STAMP = "%Y-%m-%dT%H:%M:%SZ"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Two libraries of 130 titles; some changed since, some deleted."""
    shelf = Shelf(tmp_path_factory.mktemp("oai"), page=25)
    with time_machine.travel(1_700_000_000, tick=False) as now:
        for partner in ("almvik", "lindeby"):
            shelf.put(partner, {"a": [row(n) for n in range(130)]})
        shelf.look()
        now.shift(3600)
        shelf.put("almvik", {"b": [row(n, title='Blå < & > "hav"' if n % 3 else "Huset ved havet") for n in range(100)]})
        shelf.look()
    with serving(application(shelf.repository(rate=0))) as port:
        yield f"http://127.0.0.1:{port}/oai"


def by_sickle(url: str, verb: str, **asked: str) -> Found:
    found = getattr(Sickle(url), verb)(**asked)
    headers = (item.header if verb == "ListRecords" else item for item in found)
    return {(head.identifier, head.datestamp, head.deleted) for head in headers}


def by_scythe(url: str, verb: str, **asked: str) -> Found:
    with Scythe(url) as scythe:
        if verb == "ListRecords":
            return {(one.header.identifier, one.header.datestamp, one.header.deleted) for one in scythe.list_records(**_snake(asked))}
        return {(head.identifier, head.datestamp, head.deleted) for head in scythe.list_identifiers(**_snake(asked))}


def by_oaipmh(url: str, verb: str, **asked: str) -> Found:
    registry = MetadataRegistry()
    for prefix in ("oai_dc", "marcxml", "marcxchange"):
        registry.registerReader(prefix, oai_dc_reader)
    client = Client(url, registry)
    found = client.listRecords(**asked) if verb == "ListRecords" else client.listIdentifiers(**asked)
    headers = (item[0] if verb == "ListRecords" else item for item in found)
    return {(head.identifier(), head.datestamp().strftime(STAMP), bool(head.isDeleted())) for head in headers}


def _snake(asked: dict[str, str]) -> dict[str, str]:
    return {"set_" if name == "set" else "metadata_prefix" if name == "metadataPrefix" else name: value for name, value in asked.items()}


@pytest.mark.parametrize("verb", ["ListRecords", "ListIdentifiers"])
@pytest.mark.parametrize("prefix", ["oai_dc", "marcxml", "marcxchange"])
def test_three_clients_get_the_same_list(served: str, verb: str, prefix: str) -> None:
    first = by_sickle(served, verb, metadataPrefix=prefix)
    assert first == by_scythe(served, verb, metadataPrefix=prefix) == by_oaipmh(served, verb, metadataPrefix=prefix)
    assert (len(first), sum(deleted for _, _, deleted in first)) == (260, 30)
    assert len({stamp for _, stamp, _ in first}) == 2


def test_three_clients_get_the_same_set(served: str) -> None:
    asked = {"metadataPrefix": "oai_dc", "set": "library:lindeby"}
    first = by_sickle(served, "ListRecords", **asked)
    assert first == by_scythe(served, "ListRecords", **asked) == by_oaipmh(served, "ListRecords", **asked)
    assert len(first) == 130


def test_a_client_that_comes_again_gets_only_what_changed(served: str) -> None:
    everything = by_sickle(served, "ListRecords", metadataPrefix="oai_dc")
    last = max(stamp for _, stamp, _ in everything)
    again = by_sickle(served, "ListRecords", metadataPrefix="oai_dc", **{"from": last})
    assert again == {one for one in everything if one[1] == last}
    assert len(again) == 30 + sum(bool(n % 3) for n in range(100))


def test_three_clients_understand_who_we_are_and_what_sets_there_are(served: str) -> None:
    registry = MetadataRegistry()
    assert Sickle(served).Identify().deletedRecord == "persistent"
    assert Client(served, registry).identify().deletedRecord() == "persistent"
    with Scythe(served) as scythe:
        assert scythe.identify().deletedRecord == "persistent"  # type: ignore[attr-defined]
        sets = {one.setSpec for one in scythe.list_sets()}  # type: ignore[attr-defined]
    assert sets == {one.setSpec for one in Sickle(served).ListSets()} == {spec for spec, _, _ in Client(served, registry).listSets()}
    assert sets == {"library", "library:almvik", "library:lindeby", "material", "material:book"}


def test_the_made_up_library_is_harvested_whole(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, page=100)
    with time_machine.travel(1_700_000_000, tick=False):
        follow.bring_up(file_in(tmp_path), lambda: demo_catalogue(300), ())
    with serving(application(shelf.repository(rate=0))) as port:
        found = by_sickle(f"http://127.0.0.1:{port}/oai", "ListRecords", metadataPrefix="marcxml")
    assert {identifier.rpartition("/")[2] for identifier, _, _ in found} == {str(51_000_000 + n) for n in range(300)}
