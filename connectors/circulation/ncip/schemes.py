"""The schemes of NCIP's values, as implementation profile 1 (ANSI/NISO Z39.83-2) names them."""

from __future__ import annotations

from connectors.circulation.domain import ItemStatus

_PROFILE = "http://www.niso.org/ncip/v1_0/imp1/schemes"


def _scheme(name: str) -> str:
    return f"{_PROFILE}/{name}/{name}.scm"


AUTHENTICATION_INPUT = _scheme("authenticationinputtype")
CIRCULATION_STATUS = _scheme("circulationstatus")
FISCAL_ACTION = _scheme("fiscalactiontype")
FISCAL_TRANSACTION = _scheme("fiscaltransactiontype")
LOCATION_TYPE = _scheme("locationtype")
PHYSICAL_ADDRESS = _scheme("physicaladdresstype")
REQUEST_SCOPE = _scheme("requestscopetype")
REQUEST_STATUS = _scheme("requeststatustype")
REQUEST_TYPE = _scheme("requesttype")
UNSTRUCTURED_ADDRESS = _scheme("unstructuredaddresstype")
USER_ADDRESS_ROLE = _scheme("useraddressroletype")
USER_PRIVILEGE_STATUS = _scheme("userprivilegestatustype")
VISIBLE_USER_IDENTIFIER = _scheme("visibleuseridentifiertype")
CURRENCY = "http://www.bsi-global.com/Technical+Information/Publications/_Publications/tig90x.doc"
"""ISO 4217, by the address that the profile gives it."""
LANGUAGE = "http://lcweb.loc.gov/standards/iso639-2/bibcodes.html"
ELECTRONIC_ADDRESS = "http://www.iana.org/assignments/uri-schemes"

STATUS: dict[ItemStatus, str] = {
    "available": "Available On Shelf",
    "on_loan": "On Loan",
    "on_hold": "Available For Pickup",
    "in_transit": "In Transit Between Library Locations",
    "lost": "Lost",
    "withdrawn": "Not Available",
    "unknown": "Circulation Status Undefined",
}
"""An item's status as NCIP says it."""
LANGUAGES = {"en": "eng", "da": "dan", "sv": "swe", "nl": "dut"}
