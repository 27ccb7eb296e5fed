"""Which library system is behind the sidecar: ils.yaml in its folder. Without that file the embedded back end is all there is.

system: koha                      # or folio
koha: {...}                       # koha/settings.py
away: {...}                       # forwarding/policy.py
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from connectors.circulation.backend import Remote
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.folio import FolioSettings
from connectors.circulation.folio import opened as open_folio
from connectors.circulation.forwarding import Forwarding, Policy, opened
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.koha import KohaSettings
from connectors.circulation.koha import opened as open_koha
from connectors.circulation.profile import Shape
from include.engine import clock, yamls
from include.engine.credentials import Credentials
from include.engine.crypto.keys import KeyStore

FILE = "ils.yaml"


class Ils(Shape):
    """See above."""

    system: Literal["koha", "folio"]
    koha: KohaSettings | None = None
    folio: FolioSettings | None = None
    away: Policy = Policy()

    @model_validator(mode="after")
    def _its_settings_are_there(self) -> Self:
        if (self.koha if self.system == "koha" else self.folio) is None:
            raise ValueError(f"system: {self.system} needs a part {self.system}:")
        return self

    @classmethod
    def load(cls, path: Path) -> Self:
        """Settings of a YAML file. SettingsError says what cannot be used."""
        return yamls.settings(cls, path, "the library system's settings")

    def remote(self, connections: Credentials, *, now: Callable[[], datetime] = clock.now) -> Remote:
        """The library system, with the secrets of its connections."""
        if self.system == "koha":
            assert self.koha is not None
            return open_koha(self.koha, connections, now=now)
        assert self.folio is not None
        return open_folio(self.folio, connections, now=now)

    def forwarding(self, folder: Path, keys: KeyStore, rules: Rules, connections: Credentials) -> Forwarding:
        """The library system with store and forward before it."""
        return opened(folder, keys, self.remote(connections), Copy.at(folder, rules), self.away)


def configured(folder: Path) -> Ils | None:
    """The settings of a sidecar's folder, None without ils.yaml."""
    return Ils.load(folder / FILE) if (folder / FILE).exists() else None
