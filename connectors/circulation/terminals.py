"""Who may connect: the terminals of a library, their passwords (hashed) and profiles, in one YAML file.

institution: lindeby                 # AO
name: Lindeby Biblioteker            # AM
timezone: Europe/Copenhagen
language: da
terminals:
  selfcheck1: {password: "scrypt$...", branch: main, profile: standard, location: "Entrance"}
  sorter:     {password: "scrypt$...", branch: main, addresses: [10.1.2.0/24]}
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field

from connectors.circulation.doors import Hash, Network, within
from connectors.circulation.profile import Profile, Shape, Zone, load
from connectors.circulation.words import Language
from include.engine import yamls


class Terminal(Shape):
    """One machine. `addresses`: where it may connect from; nothing said is anywhere. `connections`: how many it may have at once."""

    password: Hash = Field(repr=False)
    branch: str = ""
    location: str = ""
    profile: str = "standard"
    language: Language | None = None
    institution: str | None = None
    addresses: tuple[Network, ...] = ()
    certificate: str | None = Field(None, description="the common name of its client certificate; with it no login is needed")
    connections: Annotated[int, Field(ge=1)] = 4

    def may_come_from(self, address: str) -> bool:
        """Whether that address is one of its own."""
        return not self.addresses or within(address, self.addresses)


class Terminals(Shape):
    """A library and its machines by their login."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)  # a password that is no hash is not shown

    institution: str
    name: str = ""
    timezone: Zone
    language: Language = "en"
    terminals: dict[str, Terminal]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def profiles(self, own: Path | None = None) -> dict[str, Profile]:
        """The profile of each terminal; a site's own are in the folder `own`. SettingsError for one that is not there."""
        found = {name: load(name, own) for name in {terminal.profile for terminal in self.terminals.values()}}
        return {login: found[terminal.profile] for login, terminal in self.terminals.items()}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Terminals of a YAML file. SettingsError says what cannot be used."""
        return yamls.settings(cls, path, "the terminals")
