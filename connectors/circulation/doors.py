"""Who may ask over HTTP, and for what: the callers of NCIP, lånertjek and Netmusik, in one YAML file beside terminals.yaml.

agency: DK-710100                       # who we are in answers
branch: main
municipality: "101"                     # the library's own, for "lives in the municipality"
callers:
  dbc:
    agencies: [DK-190101]
    addresses: [192.0.2.0/28]
    password: "scrypt$..."              # what FromAgencyAuthentication holds, hashed
    services: [LookupUser]
    tells: [name, municipality]
netmusik: {addresses: [192.0.2.64/28]}
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from connectors.circulation.pins import is_hash
from connectors.circulation.profile import Shape
from include.engine import yamls

Network = IPv4Network | IPv6Network
Service = Literal[
    "AcceptItem", "AuthenticateUser", "CancelRequestItem", "CheckInItem", "CheckOutItem", "CreateUser", "CreateUserFiscalTransaction",
    "DeleteItem", "LookupItem", "LookupRequest", "LookupUser", "LookupVersion", "RenewItem", "RequestItem", "UpdateUser",
]  # fmt: skip
SERVICES: tuple[Service, ...] = get_args(Service)
Tells = Literal["name", "address", "birth_date", "language", "privilege", "blocks", "municipality", "loans", "holds", "fees"]

ISIL_SCHEME = "http://biblstandard.dk/isil/schemes/1.1/"
"""The scheme of agencies' names that Danish NCIP uses (biblstandard.dk): DK- and the library number."""


def _hash(text: str) -> str:
    if not is_hash(text):
        raise ValueError("a password stands here as its hash: python -m connectors.circulation hash")
    return text


Hash = Annotated[str, AfterValidator(_hash)]


class Caller(Shape):
    """Another system. Without a password it is known by its addresses alone; one of the two must be there."""

    agencies: frozenset[str] = Field(frozenset(), description="what it may call itself in FromAgencyId; nothing said is anything")
    addresses: tuple[Network, ...] = Field((), description="where it may ask from; nothing said is anywhere")
    password: Hash | None = Field(None, repr=False)
    services: frozenset[Service] = frozenset({"LookupUser", "LookupVersion"})
    tells: frozenset[Tells] = Field(frozenset(), description="what it may be told of a patron beside whether there is one")
    pin: Literal["given", "always", "never"] = Field(
        "given", description="given: a PIN is checked when one is sent; always: none is refused; never: it is not looked at"
    )
    card_alone: bool = Field(False, description="a PIN that cannot be checked, for none is kept of the patron, is let pass")
    mandates: bool = Field(False, description="MandatedAction is believed: it was done already, at the moment that it says")
    branch: str | None = None
    category: str = Field("", description="the category of patrons that it signs up (CreateUser)")

    @model_validator(mode="after")
    def _known_by_something(self) -> Self:
        if not self.addresses and self.password is None:
            raise ValueError("a caller is known by its addresses or by a password: write one of them, or both")
        return self

    def may_come_from(self, address: str) -> bool:
        """Whether that address is one of its own."""
        return not self.addresses or within(address, self.addresses)

    def may_be(self, agency: str) -> bool:
        """Whether it may call itself so."""
        return not self.agencies or _plain(agency) in {_plain(one) for one in self.agencies}


class Netmusik(Shape):
    """The borrower check for music: who may ask, and whether only residents are told ok."""

    addresses: Annotated[tuple[Network, ...], Field(min_length=1)]
    residents_only: bool = Field(False, description="a borrower of another municipality is answered borrower_not_in_municipality")


class Doors(Shape):
    """A library's own name among agencies, and who may ask."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)  # a password that is no hash is not shown

    agency: str
    scheme: str = ISIL_SCHEME
    branch: str = ""
    municipality: str = Field("", description="the library's own municipality, as patrons have theirs")
    callers: dict[str, Caller] = Field(default_factory=dict)
    netmusik: Netmusik | None = None

    def from_address(self, address: str) -> dict[str, Caller]:
        """The callers that may ask from there."""
        return {name: caller for name, caller in self.callers.items() if caller.may_come_from(address)}

    def is_ours(self, agency: str) -> bool:
        """Whether a message to that agency is for this library; one that names none is."""
        return not agency or _plain(agency).partition("_")[0] == _plain(self.agency)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Doors of a YAML file. SettingsError says what cannot be used."""
        return yamls.settings(cls, path, "the doors")


def within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address lies in one of the networks; an IPv4 address in IPv6's clothes counts as itself, and what is no address in none."""
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def _plain(agency: str) -> str:
    """An agency's name as it is compared: DK-710100, dk-710100 and 710100 are the same."""
    return agency.strip().casefold().removeprefix("dk-")
