"""One room an outside system: how it speaks, and nothing of the others."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from include.engine.partner.settings import FlowSettings
from include.engine.quarantine.writing import WritingOf


def flow_models() -> dict[str, type[FlowSettings]]:
    """Each flow's settings shape, gathered from the `FLOWS` of every connector's `settings.py`: a new connector is found by being there."""
    models: dict[str, type[FlowSettings]] = {}
    for room in pkgutil.iter_modules(__path__):
        if room.ispkg and find_spec(f"{__name__}.{room.name}.settings"):
            models.update(import_module(f"{__name__}.{room.name}.settings").FLOWS)
    return models


@cache
def writings() -> dict[str, WritingOf]:
    """How the records of each flow are written, from the `WRITINGS` of every connector's `writing.py`. A flow without one is masked whole."""
    found: dict[str, WritingOf] = {}
    for room in pkgutil.iter_modules(__path__):
        if room.ispkg and find_spec(f"{__name__}.{room.name}.writing"):
            found.update(import_module(f"{__name__}.{room.name}.writing").WRITINGS)
    return found
