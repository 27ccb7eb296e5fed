"""What a repository says of itself (OAI-PMH 2.0, 4.2 Identify), as far as the harvest is led by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from connectors.oai_pmh.harvest.client import Client
from connectors.oai_pmh.harvest.times import Granularity, granularity_of, moment
from include.engine import clock
from include.engine.errors import BinderyError, Refused
from include.engine.reasons import words


@dataclass(frozen=True)
class Identity:
    """`at` is the repository's own clock when it answered; `deletes` what it says of deletions: no, transient or persistent."""

    name: str
    granularity: Granularity
    deletes: str
    earliest: datetime | None
    at: datetime

    def plain(self) -> dict[str, Any]:
        """For the ledger and the kept pages."""
        return {"name": self.name, "granularity": self.granularity, "deletes": self.deletes}


def identify(client: Client) -> Identity:
    """Ask. Where the partner's quirks name the granularity, an Identify that fails is no obstacle."""
    known = client.quirks.granularity
    try:
        page = client.harvest(verb="Identify").page
        if page.error is not None:
            values = {"value": ": ".join(page.error)}
            raise Refused(words("OAI_ERROR", "en", **values), where=client.endpoint, code="OAI_ERROR", values=values)
    except BinderyError:
        if known is None:
            raise
        return Identity("", known, "", None, clock.now())
    assert page.rest is not None
    said = {etree.QName(one).localname: (one.text or "").strip() for one in page.rest.iter(tag=etree.Element)}
    at = page.response_at or clock.now()
    return Identity(
        said.get("repositoryName", "")[:200], known or granularity_of(said.get("granularity", "")), said.get("deletedRecord", ""),
        moment(said.get("earliestDatestamp", "")), at,
    )  # fmt: skip
