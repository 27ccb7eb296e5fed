"""How a harvested record is written: XML, as the repository gave it. Nothing in a repository is about a patron."""

from __future__ import annotations

from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.quarantine.writing import Writing


def writing(_engine: Engine, _delivery: Delivery) -> Writing:
    """XML, for everybody who may see the partner."""
    return Writing(form="xml", anyone=True)


WRITINGS = {"oai_harvest": writing}
