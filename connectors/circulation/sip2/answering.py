"""Which question is answered by what; and what is answered when nothing can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from connectors.circulation.domain import Outcome
from connectors.circulation.sip2 import items, lending, patrons
from connectors.circulation.sip2.codec import Parsed, Value, write
from connectors.circulation.sip2.context import Answer, Context
from connectors.circulation.sip2.table import MESSAGES, SUPPORTED_ORDER

ANSWERS: dict[str, Callable[[Context, Parsed], Awaitable[Answer]]] = {
    "23": patrons.status,
    "63": patrons.information,
    "35": patrons.end_session,
    "01": patrons.block,
    "25": patrons.enable,
    "11": lending.checkout,
    "09": lending.checkin,
    "29": lending.renew,
    "65": lending.renew_all,
    "17": items.information,
    "19": items.update,
    "15": items.hold,
    "37": items.paid,
}
"""Questions for the back end. Login (93), status (99) and resend (97) are the session's own."""


def answered(context: Context, asked: Parsed) -> Awaitable[Answer]:
    """The answer to a question, also to one that this machine may not ask. Away when the back end is: then `away` is the answer."""
    if asked.code not in context.policy.messages:
        return _refused(context, asked)
    return ANSWERS[asked.code](context, asked)


async def _refused(context: Context, asked: Parsed) -> Answer:
    return _no(context, asked, "TERMINAL_CANNOT", "refused")


def away(context: Context, asked: Parsed) -> Answer:
    """The answer while the back end is away."""
    return _no(context, asked, "AWAY", "away")


def _no(context: Context, asked: Parsed, reason: str, status: str) -> Answer:
    message = MESSAGES[asked.message.answer]
    fields: dict[str, Value] = {code: asked.fields[code] for code in ("AA", "AB") if code in message.fields and code in asked.fields}
    if "AO" in message.fields:
        fields["AO"] = context.institution
    fields["AF"] = context.screen(Outcome(False, reason), asked)
    fixed = {"transaction date": context.stamp()}
    if message.code in ("24", "64", "26"):
        fixed |= {"patron status": "YYYY          "}
        fields["BL"] = "N"
    if message.code == "36":
        fixed |= {"end session": "Y"}
    return Answer(message.code, fixed, fields, status)


def line(context: Context, answer: Answer) -> str:
    """The answer as a line, with what the profile hides, prints and adds."""
    output, fields = context.output, answer.fields
    message = MESSAGES[answer.code]
    if output.hidden or output.allowed is not None:
        allowed = output.allowed if output.allowed is not None else frozenset(fields)
        fields = {
            code: value for code, value in fields.items() if code in message.required or (code in allowed and code not in output.hidden)
        }
    if output.print_lines and fields.get("AF") and "AG" in message.fields:
        fields = {**fields, "AG": fields["AF"]}
    return write(answer.code, answer.fixed, fields, context.framing.delimiter)


def acs_status(context: Context, *, online: bool) -> Answer:
    """98: whether the library system answers, and which messages are taken (BX)."""
    profile = context.profile
    taken = profile.policy.messages | {"93", "97", "99"}
    fixed = {
        "online": "Y" if online else "N",
        "checkin ok": "Y" if "09" in taken else "N",
        "checkout ok": "Y" if "11" in taken else "N",
        "renewal policy": "Y" if "29" in taken else "N",
        "status update ok": "Y" if "19" in taken else "N",
        "offline ok": "Y" if profile.policy.offline else "N",
        "timeout period": f"{profile.timeout:03d}",
        "retries allowed": f"{profile.retries:03d}",
        "date and time": context.stamp(),
    }
    fields: dict[str, Value] = {
        "AO": context.institution,
        "AM": context.library or None,
        "BX": "".join("Y" if code in taken else "N" for code in SUPPORTED_ORDER),
        "AN": context.location or None,
    }
    return Answer("98", fixed, fields)
