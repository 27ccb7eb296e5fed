"""The answer to a request: as XML, inside a SOAP envelope where the request had one, as JSON, or as JSON in a callback.

XML is as the XSD has it: adhlResponse{pid*, error?}, topTenResponse{record*, error?}, pingResponse{recorddata{pid, title, creator}*, error?}.
JSON is the same tree in the manner of DBC's other services: {"adhlResponse": {"pid": [{"$": "870970-basis:29938768"}]}, "@namespaces": ...}.
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.sax.saxutils import escape

from connectors.adhl.service.asked import NAMESPACE, Asked, Kind
from connectors.adhl.service.index import Index

NO_RESULTS, NO_SEARCH = "No results", "could not perform search"
_RESPONSE: dict[Kind, str] = {"adhlRequest": "adhlResponse", "topTenRequest": "topTenResponse", "pingRequest": "pingResponse"}
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
Tree = dict[str, Any]
"""Element name -> text, tree, or a list of either."""


def found(asked: Asked, index: Index | None) -> Tree:
    """What the release says: the answer's content, or its error."""
    if index is None:
        return {"error": NO_SEARCH}
    if asked.kind == "topTenRequest":
        titles = [index.title(number) for number in index.top[: asked.records].tolist()]
        records = [
            {"recordId": one.pid, "identifier": one.pid, "creator": one.creator, "title": one.title, "rankValue": str(one.at_least)}
            for one in titles
        ]
        return {"record": [{name: text for name, text in one.items() if text} for one in records]} if records else {"error": NO_RESULTS}
    numbers = index.related(list(asked.pids), asked.records)
    if not numbers:
        return {"error": NO_RESULTS}
    if asked.kind == "adhlRequest":
        return {"pid": [index.name(number) for number in numbers]}
    named = [index.title(number) for number in numbers]
    return {"recorddata": [{"pid": one.pid, "title": one.title, "creator": one.creator} for one in named]}


def written(asked: Asked, content: Tree) -> tuple[bytes, str]:
    """(body, content type) of an answer."""
    name = _RESPONSE[asked.kind]
    if asked.json:
        text = json.dumps({name: _badgerfish(content), "@namespaces": {"$": NAMESPACE}}, ensure_ascii=True, separators=(",", ":"))
        if asked.callback is None:
            return text.encode(), "application/json"
        # The comment keeps the answer from being anything but a script, whatever the callback is called.
        return f"/**/{asked.callback}({text});".encode(), "application/javascript"
    inner = f'<{name} xmlns="{NAMESPACE}">{_xml(content)}</{name}>'
    return _enveloped(inner, asked.soap)


def fault(what: str, soap: str | None, *, ours: bool = False) -> tuple[bytes, str]:
    """(body, content type) of a SOAP fault (1.1, section 4.4): the request is at fault, or (`ours`) the service."""
    code = "Server" if ours else "Client"
    inner = f"<s:Fault><faultcode>s:{code}</faultcode><faultstring>{_text(what)}</faultstring></s:Fault>"
    return _enveloped(inner, soap or "http://schemas.xmlsoap.org/soap/envelope/")


def _enveloped(inner: str, soap: str | None) -> tuple[bytes, str]:
    if soap is not None:
        inner = f'<s:Envelope xmlns:s="{soap}"><s:Body>{inner}</s:Body></s:Envelope>'
    return (_HEAD + inner).encode(), "text/xml; charset=utf-8"


def _xml(content: Tree) -> str:
    parts: list[str] = []
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            parts.append(f"<{name}>{_xml(one) if isinstance(one, dict) else _text(one)}</{name}>")
    return "".join(parts)


def _text(text: str) -> str:
    return escape(_NOT_XML.sub(" ", text))


def _badgerfish(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _badgerfish(value) for name, value in content.items()}
    if isinstance(content, list):
        return [_badgerfish(one) for one in content]
    return {"$": content}
