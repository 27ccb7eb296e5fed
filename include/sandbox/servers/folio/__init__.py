"""A stand-in of FOLIO as self-service sees it through Okapi or Kong: users, circulation, fees and fines, patron blocks, PINs.

Source: the RAML and JSON schemas and the validators' messages of folio-org/mod-circulation, mod-feesfines and mod-users, and the calls that
folio-org/edge-sip2 makes (2026). It is no FOLIO: the small library of `servers.ils` decides, and only questions, answers and errors have
FOLIO's shapes. Of CQL it reads what those calls write: conditions with `and` between them.
"""

from include.sandbox.servers.folio.rest import Folio

__all__ = ["Folio"]
