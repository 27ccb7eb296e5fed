"""Who looks at the board, and what they may see.

Engineers see every partner. A library's own staff see the partners whose YAML names them (`staff: [user names]`). Everybody else sees nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, HTTPException, Request

from include.engine.partner.settings import Partner

Role = Literal["engineer", "staff"]


@dataclass(frozen=True)
class Person:
    """Who has logged in, as Airflow knows them: the user name, and whether they are one of the installation's engineers."""

    name: str
    engineer: bool


@dataclass(frozen=True)
class Viewer:
    """A person and the ids of the partners they may see; None is all of them."""

    name: str
    role: Role
    partners: frozenset[str] | None

    @property
    def engineer(self) -> bool:
        return self.partners is None

    def sees(self, partner: str) -> bool:
        """Whether anything of this partner may be shown."""
        return self.partners is None or partner in self.partners


def viewer_of(person: Person, partners: Mapping[str, Partner]) -> Viewer:
    """What `person` may see. A partner whose YAML cannot be read names nobody, so its staff see nothing until it is mended."""
    if person.engineer:
        return Viewer(person.name, "engineer", None)
    return Viewer(person.name, "staff", frozenset(id for id, one in partners.items() if person.name in one.staff))


def looking(request: Request) -> Viewer:
    """The viewer that the app's guard has let in. Without a guard nobody is let in."""
    viewer = getattr(request.state, "viewer", None)
    if not isinstance(viewer, Viewer):
        raise HTTPException(401)
    return viewer


Looking = Annotated[Viewer, Depends(looking)]
"""What every page takes: `def page(request: Request, viewer: Looking)`."""


def engineers_only(viewer: Looking) -> None:
    """For what is about the installation as a whole: `dependencies=[Depends(engineers_only)]`."""
    if not viewer.engineer:
        raise HTTPException(403)
