"""Messages as systems really send them are read; what is hostile or is no message is told apart, and costs little."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.circulation.ncip.answering import KNOWN
from connectors.circulation.ncip.reading import LARGEST, Message, Unreadable, read
from connectors.circulation.ncip.writing import Node, node, value, written
from tests.connectors.circulation.ncip.asking import V1, V2, item, message, proof, user, valid


def _read(text: str | bytes, charset: str | None = None) -> Message:
    return read(text.encode() if isinstance(text, str) else text, KNOWN, charset)


OLD = message(f"<LookupUser>{user('æøå', True)}</LookupUser>", old=True).decode()
PLAIN = "<NCIPMessage><LookupUser><UserId><UserIdentifierValue>æøå</UserIdentifierValue></UserId></LookupUser></NCIPMessage>"
SPACE = 'xmlns="http://www.niso.org/2008/ncip"'
LENIENT = {
    "1.01 by the book": (OLD, True),
    "blank lines before the declaration": (f"\n\r\n {OLD}", True),
    "a byte order mark": ("\ufeff" + OLD, True),
    "NULs after the end": (OLD + "\0\0", True),
    "1.0, lower case doctype": (OLD.replace("v1_01", "v1_0").replace("<!DOCTYPE", "<!doctype"), True),
    "no document type": (OLD[: OLD.index("<!DOCTYPE")] + OLD[OLD.index("<NCIPMessage") :], True),
    "no version": (OLD.replace(f' version="{V1}"', ""), True),
    "2.02 without a namespace": (PLAIN.replace("<NCIPMessage", f'<NCIPMessage version="{V2}"'), False),
    "2.02 without anything": (PLAIN, False),
    "2.02 with another prefix": (
        PLAIN.replace("<", "<x:")
        .replace("<x:/", "</x:")
        .replace("<x:NCIPMessage", '<x:NCIPMessage xmlns:x="http://www.niso.org/2008/ncip"'),
        False,
    ),
    "an element's case": (PLAIN.replace("LookupUser", "lookupUser").replace("UserId>", "userID>"), False),
    "no message around the service": (PLAIN.replace("<NCIPMessage>", "").replace("</NCIPMessage>", ""), False),
    "in a SOAP envelope": (f"<S:Envelope xmlns:S='urn:s'><S:Body>{PLAIN}</S:Body></S:Envelope>", False),
    "comments and instructions": (f"<!-- a > b --><?x y?>{PLAIN}".replace("<UserId>", "<!-- c --><UserId><?z?>"), False),
    "blanks around the value": (PLAIN.replace("æøå", "\n   æøå\t"), False),
    "1.x names in a message of 2.x": (OLD.replace(V1, V2), False),
}


@pytest.mark.parametrize(("text", "old"), LENIENT.values(), ids=LENIENT)
def test_what_systems_really_send_is_read(text: str, old: bool) -> None:
    found = _read(text)
    assert (found.service, found.old) == ("LookupUser", old)
    assert found.body.said("UserId", "UserIdentifierValue") == "æøå"


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (PLAIN.encode(), None),
        (PLAIN.encode("utf-16"), None),
        (PLAIN.encode("utf-16-le"), None),
        (PLAIN.encode("utf-16-be"), "utf-8"),
        (f'<?xml version="1.0" encoding="ISO-8859-1"?>{PLAIN}'.encode("latin-1"), None),
        (f'<?xml version="1.0" encoding="ISO-8859-1"?>{PLAIN}'.encode("latin-1"), "utf-8"),
        (PLAIN.encode("latin-1"), "iso-8859-1"),
        (PLAIN.encode("latin-1"), None),
        (f'<?xml version="1.0" encoding="UTF-8"?>{PLAIN}'.encode("latin-1"), "utf-8"),
        (f'<?xml version="1.0" encoding="utf-16"?>{PLAIN}'.encode(), None),
        (f'<?xml version="1.0" encoding="made-up"?>{PLAIN}'.encode(), "rot13"),
        (f'<?xml version="1.0" encoding="base64"?>{PLAIN}'.encode(), "hex"),
        (f"<?xml version='1.0' encoding='windows-1252'?>{PLAIN}".encode("cp1252"), None),
    ],
)
def test_every_encoding_is_found_out(body: bytes, charset: str | None) -> None:
    assert _read(body, charset).body.said("UserId", "UserIdentifierValue") == "æøå"


BOMB = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]>'
HOSTILE = {
    "nothing": b"",
    "no XML": b"11YN20261122",
    "cut off": PLAIN.encode()[:-5],
    "an entity": (BOMB + PLAIN).replace("æøå", "&y;").encode(),
    "an entity from a file": f'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>{PLAIN}'.replace("æøå", "&x;").encode(),
    "an entity in UTF-16": (BOMB + PLAIN).encode("utf-16"),
    "an entity that is nowhere declared": PLAIN.replace("æøå", "&x;").encode(),
    "a document type with a hidden bracket": f"<!DOCTYPE a SYSTEM '>' [<!ENTITY x 'y'>]>{PLAIN}".encode(),
    "two document types": f"<!DOCTYPE a><!DOCTYPE b>{PLAIN}".encode(),
    "a document type without end": b"<!DOCTYPE " + b"a" * 5000,
    "a message that asks nothing": b"<NCIPMessage/>",
    "another document": b"<html><body>404</body></html>",
    "too long": b"<a>" + b"x" * LARGEST + b"</a>",
    "too deep": b"<a>" * 20_000,
    "attributes without number": b"<LookupUser " + b" ".join(b"a%d=''" % number for number in range(25_000)) + b"/>",
    "elements without number": b"<LookupUser>" + b"<a/>" * 60_000 + b"</LookupUser>",
    "document types without number": b"<!DOCTYPE" * 25_000,
    "in what is no character set": b'<?xml version="1.0" encoding="punycode"?>a-' + b"a" * 250_000,
    "an attribute twice": b'<NCIPMessage version="1" version="2"><LookupUser/></NCIPMessage>',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_what_is_hostile_or_no_message_is_told_apart_at_once(body: bytes) -> None:
    begun = time.process_time()
    with pytest.raises(Unreadable) as error:
        _read(body)
    assert time.process_time() - begun < 1
    assert "passwd" not in str(error.value) and "404" not in str(error.value)


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode) | st.tuples(st.integers(0, len(OLD.encode())), st.binary(max_size=8)).map(
    lambda cut: OLD.encode()[: cut[0]] + cut[1] + OLD.encode()[cut[0] + len(cut[1]) :]
))  # fmt: skip
def test_any_bytes_are_a_message_or_unreadable_and_nothing_else(body: bytes) -> None:
    try:
        found = _read(body, "utf-8")
    except Unreadable:
        return
    assert found.body.name and isinstance(found.body.said("UserId", "UserIdentifierValue"), str)


@given(st.text(max_size=40), st.text(max_size=10), st.booleans())
def test_any_text_is_written_so_that_it_is_valid_and_comes_back(text: str, agency: str, old: bool) -> None:
    agency_id = value("AgencyId", agency, "urn:x")
    header = node("ResponseHeader", node("FromAgencyId", agency_id), node("ToAgencyId", agency_id))
    answer = node("LookupItemResponse", header, node("ItemId", agency_id, Node("ItemIdentifierValue", text)))
    body = written(node("NCIPMessage", answer), "", old=old)
    valid(body)
    back = read(body, frozenset({"LookupItemResponse"}))
    holdable = "".join(char if char >= " " or char in "\t\n" else " " for char in text)
    assert back.old is old
    assert back.body.said("ItemId", "ItemIdentifierValue") == holdable.replace("\ufffe", " ").replace("\uffff", " ").strip()


@pytest.mark.parametrize("version", ["", V1, V2, "1.0", 'x"><!ENTITY', "http://" + "a" * 5000, "http://x/v1_0.dtd"])
@pytest.mark.parametrize("old", [True, False])
def test_the_version_that_was_asked_in_is_answered_unless_it_is_none(version: str, old: bool) -> None:
    header = node("ResponseHeader", node("FromAgencyId", value("AgencyId", "x")), node("ToAgencyId", value("AgencyId", "y")))
    body = written(node("NCIPMessage", node("UpdateUserResponse", header, node("UserId", value("AgencyId", "x"), Node("UserIdentifierValue", "1")))),
                   version, old=old)  # fmt: skip
    valid(body)
    kept = version in (V1, "http://x/v1_0.dtd") if old else version == V2
    assert (version or "-").encode() in body if kept else (V1 if old else V2).encode() in body


def test_an_authentication_input_keeps_its_order() -> None:
    found = _read(message(f"<LookupUser>{proof('c1', '1234', True)}{item('b1', True)}</LookupUser>", old=True))
    assert [part.said("AuthenticationInputData") for part in found.body.every("AuthenticationInput")] == ["c1", "1234"]
