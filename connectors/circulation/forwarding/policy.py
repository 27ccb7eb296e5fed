"""What is done while the library system is away: the part `away` of ils.yaml.

away:
  services: [checkout, checkin, renew, fee]  # what is accepted; everything else is answered "does not answer"
  loans: 10                                 # of one card, since the library system went away
  cards: "[0-9]{10}"                        # a card that the copy does not know must look like this
  unknown_cards: accept                     # refuse: only cards in the copy
  hours: 48                                 # after so long nothing more is accepted
  tell_minutes: 30                          # after so long staff hear that something waits
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from connectors.circulation.profile import Pattern, Shape

Service = Literal["checkout", "checkin", "renew", "fee", "hold", "block"]

Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Breaker(Shape):
    """When the library system counts as away: after so many failures in a row. It is asked again every `probe_seconds`."""

    failures: Annotated[int, Field(ge=1, le=100)] = 3
    probe_seconds: Seconds = 10.0


class Policy(Shape):
    """See above. Patterns must match the whole of a card or barcode."""

    services: frozenset[Service] = frozenset({"checkout", "checkin", "renew", "fee"})
    loans: Count = Field(10, description="loans of one card while the library system is away")
    renewals: Count = Field(10, description="renewals of one card while it is away")
    cards: Pattern = ".+"
    items: Pattern = ".+"
    unknown_cards: Literal["accept", "refuse"] = "accept"
    unknown_items: Literal["accept", "refuse"] = "accept"
    hours: Annotated[float, Field(gt=0, le=24 * 14)] = 48
    tell_minutes: Annotated[float, Field(gt=0, le=24 * 60)] = Field(
        30, description="so long after it was accepted staff hear that a transaction still waits, and why; it goes on being tried"
    )
    set_aside: bool = Field(True, description="returns are set aside (alert 99): nobody knows who waits for them")
    waiting: Annotated[int, Field(ge=1)] = Field(20_000, description="transactions that may wait; then nothing more is accepted")
    tries: Annotated[int, Field(ge=1, le=100)] = Field(
        5, description="after so many failures of one transaction while others of its kind are done, staff get it"
    )
    settle_seconds: Annotated[float, Field(ge=0, le=600)] = Field(
        10.0, description="so long after a try that was not answered nothing is looked up: the library system may still be at it"
    )
    breaker: Breaker = Breaker()
