"""What a partner's YAML says of the flow `oai_harvest`."""

from __future__ import annotations

from datetime import date, timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from include.engine.partner.settings import FlowSettings, PulledFlow, Shape
from include.engine.partner.size import Size
from include.engine.partner.when import Duration, Schedule

MARC_PREFIXES = ("marcxml", "marc21", "marcxchange", "marc")
"""Metadata prefixes by which repositories offer MARC in XML; the prefix `marc21` is the Open Archives' own name for MARCXML."""


class Quirks(Shape):
    """In what a repository differs from the standard. Each is off unless the repository needs it."""

    granularity: Literal["day", "second"] | None = Field(None, description="of datestamps, where Identify is wrong about it or fails")
    no_until: bool = Field(False, description="refuses or mishandles `until`: it is left out")
    prefix_with_token: bool = Field(False, description="wants metadataPrefix also together with a resumptionToken")
    raw_token: bool = Field(False, description="does not decode what is percent-encoded: the token is sent as it came")
    same_token: bool = Field(False, description="gives one token for the whole list and counts by itself; only a repeated page is an error")
    ordered: bool = Field(False, description="lists ascend by datestamp, so that after an expired token the list begins at the last one")
    no_identifiers: bool = Field(False, description="has no ListIdentifiers worth the name: a comparison goes by ListRecords")
    post: bool = Field(False, description="wants POST")
    gzip: bool = Field(True, description="false: must not be asked for compressed pages")


class Polite(Shape):
    """How a repository is spared, and how much patience there is with it."""

    pause: Duration = Field(timedelta(0), description="at least so long from one request to the next")
    attempts: int = Field(5, ge=1, le=20, description="how often a page is asked for before the try gives up")
    first_wait: Duration = Field(
        timedelta(seconds=2), description="before the second attempt; doubled each time, where no Retry-After says otherwise"
    )
    longest_wait: Duration = Field(
        timedelta(minutes=30), description="a Retry-After beyond it ends this try; the next one goes on at the page"
    )
    timeout: Duration = Field(timedelta(minutes=2), description="without a byte from the server")
    largest_page: Size = Field(256 * 10**6, description="an unpacked page above this is an error")


class OaiHarvest(PulledFlow):
    """A repository and what is harvested of it."""

    table: ClassVar[str] = "oai_record"
    mode: ClassVar[str] = "delta"

    url: str = Field(
        description="the repository's base URL; a path such as /oai where the connection has the host", pattern=r"^(https?://|/)\S*$"
    )
    connection: str | None = Field(None, pattern=r"^[a-z0-9_]+$", description="connection with login, token, key or client certificate")
    prefix: str = Field(pattern=r"^[A-Za-z0-9\-_.!~*'()]+$", description="metadataPrefix: marcxml, marc21, marcxchange, oai_dc, ...")
    sets: tuple[str, ...] = Field((), description="setSpecs; without any, the whole repository")
    since: date | None = Field(None, description="nothing older is asked for, ever")
    family: Literal["marc21", "unimarc", "danmarc2"] = Field("marc21", description="which MARC it is, where the prefix is of MARC")
    agency: str | None = Field(None, description="who gave the control numbers of records that do not say so")
    bind: bool = Field(True, description="false: the records are kept as oai_record alone and do not become titles")
    overlap: Duration = Field(
        timedelta(days=1), description="how far a window reaches back into what is covered, for records that were back-dated"
    )
    compare: Schedule | None = Field(
        None, description="when all identifiers are compared with ours: finds what was deleted without a word, or missed"
    )
    polite: Polite = Polite()
    quirks: Quirks = Quirks()

    @model_validator(mode="after")
    def _a_path_needs_a_host(self) -> Self:
        if self.url.startswith("/") and self.connection is None:
            raise ValueError("url is a path: write the whole address, or name a connection that has the host")
        return self

    def moments(self) -> dict[str, str]:
        """The harvest's own schedule, and that of the comparison."""
        return super().moments() | ({"compare": self.compare} if self.compare else {})

    def brings(self, table: str) -> bool:
        """Its records always; titles while they are bound."""
        return table == self.table or self.binds

    @property
    def series(self) -> tuple[str, ...]:
        """What is harvested, each with windows of its own: the prefix, or the prefix and a set."""
        return tuple(f"{self.prefix} {one}" for one in self.sets) or (self.prefix,)

    @property
    def binds(self) -> bool:
        """Whether its records become titles."""
        return self.bind and (self.prefix in MARC_PREFIXES or self.prefix == "oai_dc")


FLOWS: dict[str, type[FlowSettings]] = {"oai_harvest": OaiHarvest}
if find_spec("connectors.oai_pmh.provider") and find_spec("connectors.oai_pmh.provider.settings"):
    FLOWS |= import_module("connectors.oai_pmh.provider.settings").FLOWS
