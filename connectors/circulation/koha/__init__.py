"""Koha as the library system: its REST interface, and its SIP2 server for the return, which no released Koha offers over REST."""

from connectors.circulation.koha.backend import opened
from connectors.circulation.koha.settings import KohaSettings

__all__ = ["KohaSettings", "opened"]
