"""Problems by the standard's types: what the general scheme, the messaging scheme, and each service's own have.

Source of the types: the schemes of implementation profile 1 (ANSI/NISO Z39.83-2), as its public implementations list them.
"""

from __future__ import annotations

from connectors.circulation.ncip.writing import Node, node, value

_PLACE = "http://www.niso.org/ncip/v1_0/schemes"
MESSAGING_SCHEME = f"{_PLACE}/messagingerrortype/messagingerrortype.scm"
GENERAL_SCHEME = f"{_PLACE}/processingerrortype/generalprocessingerror.scm"

SYNTAX, UNKNOWN_SERVICE = "Invalid Message Syntax Error", "Unknown Service"
AGENCY_REFUSED, SERVICE_REFUSED = "Agency Authentication Failed", "Unauthorized Service For Agency"
UNSUPPORTED, UNKNOWN_AGENCY = "Unsupported Service", "Unknown Agency"
MISSING, LATER = "Needed Data Missing", "Temporary Processing Failure"
NOT_SO = "Unauthorized Combination Of Element Values For Agency"
MESSAGING = frozenset({SYNTAX, UNKNOWN_SERVICE, "Protocol Error", "Unknown Element", "Unknown Scheme", "Unknown Value From Known Scheme"})
GENERAL = frozenset(
    {AGENCY_REFUSED, "Invalid Amount", "Invalid Date", MISSING, LATER, NOT_SO, SERVICE_REFUSED, UNKNOWN_AGENCY, UNSUPPORTED}
)

_USER = {"Unknown User", "User Authentication Failed"}
OWN: dict[str, frozenset[str]] = {
    "AcceptItem": frozenset({"Cannot Accept Item", "Element Rule Violated", "Unknown Item", "Unknown Request", "Unknown User"}),
    "AuthenticateUser": frozenset(_USER),
    "CancelRequestItem": frozenset(_USER | {"Element Rule Violated", "Request Already Processed", "Unknown Item", "Unknown Request"}),
    "CheckInItem": frozenset({"Item Not Checked Out", "Unknown Item"}),
    "CheckOutItem": frozenset(
        _USER
        | {"Item Does Not Circulate", "Maximum Check Outs Exceeded", "Resource Cannot Be Provided", "Unknown Item", "Unknown Request",
           "User Blocked", "User Ineligible To Check Out This Item"}
    ),
    "CreateUser": frozenset({"Duplicate User"}),
    "CreateUserFiscalTransaction": frozenset(_USER),
    "DeleteItem": frozenset({"Unknown Item"}),
    "LookupItem": frozenset({"Element Rule Violated", "Item Access Denied", "Non-Unique Item", "Unknown Item"}),
    "LookupRequest": frozenset({"Element Rule Violated", "Unknown Request"}),
    "LookupUser": frozenset(_USER | {"Element Rule Violated", "Non-Unique User", "User Access Denied"}),
    "RenewItem": frozenset(
        _USER
        | {"Item Not Checked Out", "Item Not Renewable", "Maximum Renewals Exceeded", "Renewal Not Allowed - Item Has Outstanding Requests",
           "Unknown Item", "User Blocked", "User Ineligible To Renew This Item"}
    ),
    "RequestItem": frozenset(
        _USER
        | {"Duplicate Request", "Element Rule Violated", "Item Does Not Circulate", "Item Not Available By Need Before Date", "Unknown Item",
           "User Blocked", "User Ineligible To Request This Item"}
    ),
    "UpdateUser": frozenset(_USER),
}  # fmt: skip
"""What each service's own scheme has."""

_INELIGIBLE = (
    "User Ineligible To Check Out This Item",
    "User Ineligible To Renew This Item",
    "User Ineligible To Request This Item",
    NOT_SO,
)
_BLOCKED = ("User Blocked", "User Access Denied", NOT_SO)
TYPES: dict[str, tuple[str, ...]] = {
    "AMOUNT_WRONG": ("Invalid Amount",),
    "AWAY": (LATER,),
    "AWAY_ACCEPTED": (LATER,),
    "CARD_BLOCKED": _BLOCKED,
    "CARD_BLOCKED_BY_TERMINAL": _BLOCKED,
    "CARD_EXPIRED": _BLOCKED,
    "CARD_KNOWN": ("Duplicate User", NOT_SO),
    "CARD_LOST": _BLOCKED,
    "CARD_UNKNOWN": ("Unknown User", NOT_SO),
    "CURRENCY_WRONG": ("Invalid Amount",),
    "HELD_BY_OTHERS": ("Renewal Not Allowed - Item Has Outstanding Requests", "Resource Cannot Be Provided", NOT_SO),
    "HELD_BY_YOU": ("Duplicate Request", NOT_SO),
    "ILS_REFUSED": (NOT_SO,),
    "HOLD_UNKNOWN": ("Unknown Request", NOT_SO),
    "ITEM_HELD": ("Resource Cannot Be Provided", NOT_SO),
    "ITEM_KNOWN": ("Cannot Accept Item", NOT_SO),
    "ITEM_NOT_FOR_LOAN": ("Item Does Not Circulate", "Item Not Renewable", NOT_SO),
    "ITEM_ON_LOAN": ("Resource Cannot Be Provided", NOT_SO),
    "ITEM_UNKNOWN": ("Unknown Item", "Unknown Request", NOT_SO),
    "LENT_TO_YOU": _INELIGIBLE,
    "NOT_LENT": ("Item Not Checked Out", NOT_SO),
    "NOT_LENT_TO_YOU": _INELIGIBLE,
    "NOT_RETURNED": ("Item Not Checked Out", NOT_SO),
    "OVERDUE": _BLOCKED,
    "OWES_TOO_MUCH": _BLOCKED,
    "PIN_LOCKED": ("User Authentication Failed", NOT_SO),
    "PIN_NOT_KEPT": ("User Authentication Failed", NOT_SO),
    "PIN_WRONG": ("User Authentication Failed", NOT_SO),
    "TERMINAL_CANNOT": (UNSUPPORTED,),
    "TITLE_UNKNOWN": ("Unknown Item", NOT_SO),
    "TOO_MANY_HOLDS": _INELIGIBLE,
    "TOO_MANY_LOANS": ("Maximum Check Outs Exceeded", NOT_SO),
    "TOO_MANY_RENEWALS": ("Maximum Renewals Exceeded", NOT_SO),
    "TOO_YOUNG": _INELIGIBLE,
}
"""A reason's types, the best first; the first that the service's own scheme or the general one has is told."""
_ABOUT = ((("CARD_", "PIN_", "OWES_", "OVERDUE", "TOO_"), "UserId"), ("HOLD", "RequestId"), ("TITLE_", "BibliographicId"))


class Problem(Exception):
    """A message is answered by a problem. `element` is the one that it is about, by 2.02's name; `detail` is for whoever reads a log: a code."""

    def __init__(self, kind: str, element: str = "", detail: str = "") -> None:
        super().__init__(kind)
        self.kind, self.element, self.detail = kind, element, detail


def because(service: str, reason: str) -> Problem:
    """The problem of an outcome's reason."""
    known = OWN.get(service, frozenset()) | GENERAL
    kind = next((kind for kind in TYPES.get(reason, ()) if kind in known), NOT_SO)
    if kind == UNSUPPORTED:
        return Problem(kind, service)
    element = next((element for begin, element in _ABOUT if reason.startswith(begin)), "ItemId")
    return Problem(kind, element, reason)


def described(problem: Problem, service: str, *, old: bool) -> Node:
    """The element of a problem. 1.x tells messaging errors from processing errors."""
    messaging = problem.kind in MESSAGING
    own = _own_scheme(service) if problem.kind in OWN.get(service, ()) else GENERAL_SCHEME
    scheme = MESSAGING_SCHEME if messaging else own
    if not old:
        return node(
            "Problem",
            value("ProblemType", problem.kind, scheme),
            Node("ProblemDetail", problem.detail) if problem.detail else None,
            Node("ProblemElement", problem.element) if problem.element else None,
        )
    kind = "MessagingError" if messaging else "ProcessingError"
    name = _OLD_ELEMENTS.get(problem.element, problem.element) or service
    about = node(f"{kind}Element", Node("ElementName", name))
    return node("Problem", node(kind, value(f"{kind}Type", problem.kind, scheme), about))


_OLD_ELEMENTS = {"UserId": "UniqueUserId", "ItemId": "UniqueItemId", "RequestId": "UniqueRequestId"}


def _own_scheme(service: str) -> str:
    return f"{_PLACE}/processingerrortype/{service.lower()}processingerror.scm"
