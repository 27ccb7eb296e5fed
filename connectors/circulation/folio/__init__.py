"""FOLIO as the library system: circulation, users, fees and fines, patron blocks and PINs, through Okapi or Kong."""

from connectors.circulation.folio.backend import opened
from connectors.circulation.folio.settings import FolioSettings

__all__ = ["FolioSettings", "opened"]
