"""A stand-in of Koha as its neighbours see it: the REST interface under /api/v1, and the SIP2 server for what REST cannot do.

Source: Koha's OpenAPI description and REST controllers (Koha-Community/Koha, api/v1/swagger and Koha/REST/V1, 2023 to 2026). It is no Koha:
where a rule matters, the small library of `servers.ils` decides, and only the shapes of questions, answers and errors are Koha's.
"""

from include.sandbox.servers.koha.rest import Koha
from include.sandbox.servers.koha.sip import SipServer

__all__ = ["Koha", "SipServer"]
