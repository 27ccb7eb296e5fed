"""What a partner's YAML says of the flow `adhl_upload`: which loans, in which form, encrypted to whom, and how posthus gets them.

What DBC has not published (the values b, t and o of a transfile, the guide to encryption) is a setting, marked *assumption* in
docs/flows/adhl_upload.md.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from include.engine.outbound.settings import OutboundFlow
from include.engine.partner.settings import FlowSettings, Shape
from include.engine.partner.when import Duration

_CONNECTION = r"^[a-z0-9_]+$"
_WORD = r"^[^\s,=]+$"


class Key(Shape):
    """A receiver's public key: the connection that holds it (its password, or the extra `key`; for CMS a list of revoked certificates in the
    extra `crl`), and the fingerprint that was agreed with the receiver."""

    connection: str = Field(pattern=_CONNECTION)
    fingerprint: str = Field(
        pattern=r"^[0-9A-Fa-f: ]{40,}$", description="of an OpenPGP key, or SHA-256 of a certificate; blanks and colons do not count"
    )


class Posthus(Shape):
    """How posthus is reached, and what a transfile says. b, t and o are agreed with DBC (assumption: they are not public)."""

    connection: str = Field("posthus", pattern=_CONNECTION, description="FTP; extra tls: true for FTPS, timeout in seconds")
    folder: str = Field("datain", pattern=r"^[^\s]*$")
    b: str = Field("adhl", pattern=_WORD, description="the base that the file is for")
    t: str = Field("adhl", pattern=_WORD, description="the kind of data")
    o: str = Field("adhl", pattern=_WORD, description="the format")
    c: str = Field("latin-1", pattern=_WORD, description="the character set; the lines are plain ASCII")
    m: str | None = Field(None, pattern=r"^[^@\s,=]+@[^@\s,=]+$", description="whom posthus writes to when something is wrong")
    mailbox: str | None = Field(None, pattern=_CONNECTION, description="IMAP: where those mails are read; extra folder, tls")
    answers_within: Duration = Field(timedelta(days=14), description="how long after a delivery a mail is taken for an answer to it")


class AdhlUpload(OutboundFlow):
    """The loans of one library for "andre der har lånt"."""

    grouping: Literal["one_title", "many_titles"] = Field("many_titles", description="a line a loan, or a line a patron and day")
    encryption: Literal["openpgp", "cms"] = "openpgp"
    keys: tuple[Key, ...] = Field(min_length=1, description="several while the receiver's keys rotate: each of them can open the file")
    epoch: Literal["never", "year", "half_year", "quarter", "month"] = Field(
        "year", description="how long a patron keeps one pseudonym; with the next epoch everybody gets a new one"
    )
    unknown: Literal["filter", "send"] = Field(
        "filter", description="loans of patrons whose sex or birth year nobody knows: left out, or sent with the field empty"
    )
    since: date | None = Field(None, description="the first day of loans that are sent; by default as far back as `late` reaches")
    late: Duration = Field(timedelta(days=400), description="how long after its day a loan may come to us and still be sent")
    most_loans: int = Field(5_000, gt=0, description="home loans in a year above which a card is taken for an institution's")
    posthus: Posthus = Posthus()

    @property
    def looks_back(self) -> timedelta:
        """A loan that is older is not selected, whatever became of it."""
        return self.late

    @model_validator(mode="after")
    def _keys_are_distinct(self) -> Self:
        if len({re.sub(r"[ :]", "", key.fingerprint).lower() for key in self.keys}) < len(self.keys):
            raise ValueError("the same key is named twice")
        return self


FLOWS: dict[str, type[FlowSettings]] = {"adhl_upload": AdhlUpload}
