"""What the stand-ins of Koha and FOLIO have in common: a small library with rules, and faults that can be switched on."""

from include.sandbox.servers.ils.faults import Faults
from include.sandbox.servers.ils.state import Library

__all__ = ["Faults", "Library"]
