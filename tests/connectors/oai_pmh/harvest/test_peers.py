"""Repositories that others have written, over a real socket: oaipmh's BatchingServer keeps to the standard, oai-repo keeps no deletions."""

from __future__ import annotations

from datetime import UTC, datetime

import oai_repo
from lxml import etree
from oaipmh import common
from oaipmh.metadata import MetadataRegistry
from oaipmh.server import BatchingServer, oai_dc_writer

from include.engine.delivery import State
from tests.connectors.oai_pmh.harvest.repository import Kept, Response, made, marc

XML = {"Content-Type": "text/xml"}
DC = (
    '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:title>{}</dc:title><dc:type>Text</dc:type></oai_dc:dc>"
)


class Batching:
    """The records of one of our repositories, as oaipmh's server asks for them (IBatchingOAI)."""

    def __init__(self, repository) -> None:
        self.repository = repository

    def identify(self):
        args = (
            "Test",
            self.repository.url,
            "2.0",
            ["a@test.example"],
            datetime(2020, 1, 1),
            "persistent",
            "YYYY-MM-DDThh:mm:ssZ",
            ["identity"],
        )
        return common.Identify(*args, toolkit_description=False)

    def listRecords(self, metadataPrefix, set=None, from_=None, until=None, cursor=0, batch_size=10):
        for one in self._some(from_, until)[cursor : cursor + batch_size]:
            yield self._header(one), None if one.deleted else common.Metadata(None, {"title": [f"Åskan & {one.identifier}"]}), None

    def listIdentifiers(self, metadataPrefix, set=None, from_=None, until=None, cursor=0, batch_size=10):
        for one in self._some(from_, until)[cursor : cursor + batch_size]:
            yield self._header(one)

    def _some(self, begin, until):
        # naive moments in UTC, as that library has them
        return [
            one
            for one in self.repository.records
            if (begin is None or one.datestamp.replace(tzinfo=None, microsecond=0) >= begin)
            and (until is None or one.datestamp.replace(tzinfo=None, microsecond=0) <= until)
        ]

    def _header(self, one):
        return common.Header(None, one.identifier, one.datestamp.replace(tzinfo=None), list(one.sets), one.deleted)


def test_a_harvest_of_oaipmhs_batching_server_brings_every_record_and_deletion(house, serve) -> None:
    records = made(47)
    records[11].deleted = records[30].deleted = True
    repository = serve(records)
    registry = MetadataRegistry()
    registry.registerWriter("oai_dc", oai_dc_writer)
    server = BatchingServer(Batching(repository), metadata_registry=registry, resumption_batch_size=10)
    repository.fault = lambda request, answer: Response(server.handleRequest(dict(request.params)), headers=XML)
    house.settle(repository.url, prefix="oai_dc")
    done = house.harvest()
    assert (done.state, done.counts.added, done.facts["warnings"]) == (State.ACKNOWLEDGED, 47, {})
    ours = house.records()
    assert {name: (row["datestamp"], row["deleted"]) for name, row in ours.items()} == {
        one.identifier: (one.datestamp, one.deleted) for one in records
    }
    assert {number: row["title"] for number, row in house.titles().items()} == {
        one.identifier.rpartition(":")[2]: f"Åskan & {one.identifier}" for one in records if not one.deleted
    }
    assert len([request for request in repository.requests if request.token]) == 4


class Bad(oai_repo.DataInterface):
    """The same records for oai-repo, which lists no deletions and does not repeat the request's verb."""

    limit = 10

    def __init__(self, repository) -> None:
        self.repository = repository

    def get_identify(self):
        return oai_repo.Identify("Test", self.repository.url, ["a@test.example"], "2020-01-01T00:00:00Z", "no", "YYYY-MM-DDThh:mm:ssZ")

    def is_valid_identifier(self, identifier):
        return identifier in self.repository.alive

    def get_metadata_formats(self, identifier=None):
        return [
            oai_repo.MetadataFormat(
                "oai_dc", "http://www.openarchives.org/OAI/2.0/oai_dc.xsd", "http://www.openarchives.org/OAI/2.0/oai_dc/"
            )
        ]

    def get_record_header(self, identifier):
        return oai_repo.RecordHeader(identifier, self.repository.alive[identifier].datestamp.replace(tzinfo=None), [])

    def get_record_metadata(self, identifier, metadataprefix):
        return etree.fromstring(DC.format(identifier))

    def get_record_abouts(self, identifier):
        return []

    def list_identifiers(self, metadataprefix, filter_from=None, filter_until=None, filter_set=None, cursor=0):
        def naive(at):
            return at.astimezone(UTC).replace(tzinfo=None) if at is not None and at.tzinfo else at

        found = [
            one.identifier
            for one in self.repository.alive.values()
            if (filter_from is None or one.datestamp.replace(tzinfo=None) >= naive(filter_from))
            and (filter_until is None or one.datestamp.replace(tzinfo=None, microsecond=0) <= naive(filter_until))
        ]
        return found[cursor : cursor + self.limit], len(found), None


def test_a_harvest_of_oai_repo_finds_by_comparison_what_it_deletes_without_a_word(house, serve) -> None:
    repository = serve(made(36))
    server = oai_repo.OAIRepository(Bad(repository))
    repository.fault = lambda request, answer: Response(bytes(server.process(dict(request.params))), headers=XML)
    house.settle(repository.url, prefix="oai_dc")
    assert house.harvest().counts.added == 36
    repository.records[5].deleted = True
    repository.put(Kept("oai:test.example:new", datetime.now(UTC), marc("new")))
    assert house.harvest().counts.added == 1
    assert not house.records()["oai:test.example:00005"]["deleted"]
    done = house.harvest(moment="compare")
    assert (done.counts.in_, done.counts.changed, done.facts["warnings"]) == (1, 1, {"OAI_VANISHED": 1})
    assert {name for name, row in house.records().items() if not row["deleted"]} == set(repository.alive)
    assert house.titles()["00005"]["deleted"]
