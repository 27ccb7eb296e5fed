"""What a partner's YAML says of being harvested: who has no `oai_provider` is not served."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from include.engine.partner.settings import FlowSettings


def _tag(pattern: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z]{3}", pattern):
        raise ValueError(f"{pattern!r} is no MARC tag: three letters or digits, X for any, such as 952 or 9XX")
    return pattern


Tag = Annotated[str, AfterValidator(_tag)]


class OaiProvider(FlowSettings):
    """The partner's records may be harvested by anyone who can reach the provider. `enabled: false` withdraws them: each is then told of as deleted."""

    without: tuple[Tag, ...] | None = Field(
        None, description="MARC fields that stay here, X for any character; by default the local ones (09X, 59X, 69X, 9XX)"
    )
    rights: str | None = Field(None, description="what may be done with the records, said in each as dc:rights: words or a licence's URL")


FLOWS: dict[str, type[FlowSettings]] = {"oai_provider": OaiProvider}
