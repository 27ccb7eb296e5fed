"""What goes wrong in a repository, as tests put it there."""

from __future__ import annotations

import re
from dataclasses import replace

from include.engine.ledger import windows
from tests.connectors.oai_pmh.harvest.repository import Response

XML = {"Content-Type": "text/xml"}


def once(*responses, on=lambda request: request.verb == "ListRecords" and request.token):
    """The given answers to the first such requests, then the right ones."""
    left = list(responses)

    def fault(request, answer):
        if left and on(request):
            wrong = left.pop(0)
            return wrong(answer()) if callable(wrong) else wrong
        return None

    return fault


def always(wrong, on=lambda request: request.verb == "ListRecords" and request.token):
    return lambda request, answer: (wrong(answer()) if callable(wrong) else wrong) if on(request) else None


def cut_xml(right: Response) -> Response:
    """Whole by HTTP, cut short as a document."""
    return replace(right, body=right.body[: len(right.body) * 2 // 3])


BAD_PAGES = {
    "OAI_PAGE_TRUNCATED": cut_xml,
    "OAI_PAGE_EMPTY": Response(b"  \n", headers=XML),
    "OAI_PAGE_HTML": Response(b"<!DOCTYPE html><html><body>Log in</body></html>", headers={"Content-Type": "text/html"}),
    "OAI_PAGE_OTHER": Response(b"<rss version='2.0'><channel/></rss>", headers=XML),
    "OAI_PAGE_OTHER (no answer)": lambda right: replace(
        right, body=re.sub(rb"<ListRecords>.*</ListRecords>", b"", right.body, flags=re.DOTALL)
    ),
    "OAI_PAGE_OTHER (another verb)": lambda right: replace(right, body=right.body.replace(b"ListRecords>", b"ListSets>")),
    "OAI_PAGE_DTD": lambda right: replace(right, body=right.body.replace(b"<OAI-PMH", b"<!DOCTYPE x [<!ENTITY e 'x'>]><OAI-PMH", 1)),
    "OAI_PAGE_DTD (behind a comment)": lambda right: replace(
        right, body=right.body.replace(b"<OAI-PMH", b"<!-- <OAI-PMH> --><!DOCTYPE x [<!ENTITY e 'x'>]><OAI-PMH", 1)
    ),
    "OAI_PAGE_NOT_XML": lambda right: replace(right, body=right.body.replace(b"<resumptionToken", b"<b><resumptionToken", 1)),
}


def request_params(house) -> dict[str, str]:
    """What the first request of a first harvest asks for."""
    [window] = windows.find(house.engine.ledger, house.partner, "oai_harvest")
    return {"metadataPrefix": "marcxml", "until": f"{window.until_at:%Y-%m-%dT%H:%M:%SZ}"}


def busy(status: int, **headers: str) -> Response:
    return Response(b"later", status, {name.replace("_", "-"): value for name, value in headers.items()})


def damaged(repository, number: int, change) -> None:
    """The bytes of one record are changed wherever it is shown."""
    plain = repository.record(repository.records[number]).encode()
    repository.fault = lambda request, answer: replace(answer(), body=answer().body.replace(plain, change(plain)))
