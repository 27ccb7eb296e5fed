"""What the pages lean on: the engine, the partners' settings as they are now, and the secret that forms are signed with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from include.engine.engine import Engine
from include.engine.partner.loading import FlowModels, Mistake, Partners, load_partner
from include.engine.partner.settings import Partner
from plugins.board.viewer import Looking


class Settings:
    """The partners' YAML as it is now. A file is read again when it has changed, so that a mended one counts at once and 400 cost nothing."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[tuple[int, int, int], Partner | list[Mistake]]] = {}

    def now(self, folder: Path, flows: FlowModels) -> Partners:
        """Every partner of the folder whose YAML is right, and what is wrong with the others."""
        good: dict[str, Partner] = {}
        bad: list[Mistake] = []
        for file in sorted(folder.glob("*.yaml")):
            found = self._one(file, flows)
            if isinstance(found, Partner):
                good[found.id] = found
            else:
                bad += found
        return Partners(good, tuple(bad))

    def _one(self, file: Path, flows: FlowModels) -> Partner | list[Mistake]:
        there = file.stat()
        looks = (there.st_ino, there.st_size, there.st_mtime_ns)
        known = self._read.get(file)
        if known is None or known[0] != looks:
            known = self._read[file] = looks, load_partner(file, flows)
        return known[1]


@dataclass(frozen=True)
class Board:
    """What `app.create` was given. `run_of` finds the delivery of an Airflow run whose id is not a delivery's (one that a person started)."""

    engine: Callable[[], Engine]
    secret: bytes
    run_of: Callable[[str, str], str | None]
    settings: Settings = field(default_factory=Settings)

    def partners(self) -> Partners:
        """All partners' settings; pages take `Settled`, which holds those that the viewer may see."""
        engine = self.engine()
        return self.settings.now(engine.partners_folder, engine.flows)


def board_of(request: Request) -> Board:
    """The board that this request came to."""
    board: Board = request.app.state.board
    return board


def _engine(request: Request) -> Engine:
    return board_of(request).engine()


def all_partners(request: Request) -> Partners:
    """Everybody's settings as they were when this request came in; what a page shows of them is `Settled`."""
    found = getattr(request.state, "partners", None)
    return found if isinstance(found, Partners) else Partners()


def _settled(request: Request, viewer: Looking) -> Partners:
    found = all_partners(request)
    if viewer.engineer:
        return found
    return Partners({id: one for id, one in found.partners.items() if viewer.sees(id)}, ())


Using = Annotated[Engine, Depends(_engine)]
"""What a page takes to read and act: `def page(request: Request, viewer: Looking, engine: Using)`."""
Settled = Annotated[Partners, Depends(_settled)]
"""The settings of the partners that the viewer may see, and for engineers what is wrong with the others."""
