"""Koha's part of ils.yaml.

koha:
  url: https://staff.koha.example.org
  connection: koha_api                  # client id and secret, or a staff login
  login: oauth2                         # basic, where the site has RESTBasicAuth alone
  branches: {main: CPL, north: FPL}
  checkin: {by: sip, host: koha.example.org, port: 6001, tls: true, accounts: {main: koha_sip_main, north: koha_sip_north}}
  interlending: {item_type: ILL}        # other libraries' copies (NCIP's AcceptItem and DeleteItem)
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connectors.circulation.profile import Encoding, Shape
from connectors.circulation.remote.settings import RemoteSettings


class SipCheckin(Shape):
    """Return through Koha's SIP2 server. `accounts`: our branch to the connection with the SIP account's login and password; `*` is any other."""

    by: Literal["sip"] = "sip"
    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 6001
    tls: bool = False
    accounts: dict[str, str]
    institution: str = ""
    encoding: Encoding = "utf-8"


class RestCheckin(Shape):
    """Return through POST /checkins (Koha bug 24401), which is in development branches of 2026 and in no release that we know of."""

    by: Literal["rest"] = "rest"


class Interlending(Shape):
    """What another library's copy becomes (NCIP's AcceptItem): a title in this schema and framework, with one copy of this item type."""

    item_type: Annotated[str, Field(min_length=1)]
    marc: Literal["MARC21", "UNIMARC"] = "MARC21"
    framework: str = ""
    check_in: bool = Field(False, description="it is checked in where it comes, and waits for its patron at once; else staff do that")


class KohaSettings(RemoteSettings):
    """`confirm`: what Koha wants confirmed and self-service confirms for it; everything else that wants confirming is refused."""

    login: Literal["oauth2", "basic"] = "oauth2"
    checkin: Annotated[SipCheckin | RestCheckin, Field(discriminator="by")]
    confirm: frozenset[str] = frozenset({"PREVISSUE", "HIGHHOLDS", "BORRNOTSAMEBRANCH"})
    interlending: Interlending | None = Field(None, description="without it, other libraries' copies are neither taken in nor let go")
    payment_type: str = Field("SIP00", description="the payment type under which Koha books what a station took")
