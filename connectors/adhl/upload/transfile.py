"""The transfile, by which posthus finds a data file: a line `key=value,...` for each, and `slut`. The names that both may have.

Source: DBCDK/dataio, gatekeeper (docs/flows/adhl_upload.md): the transfile is complete once it holds its end marker; its name begins with the
library's six digits and ends in .trans or .trs; a data file's name matches `^[-\\p{L}0-9._%]*$`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from connectors.adhl.settings import Posthus
from include.engine.errors import SettingsError

KEYS = "bftcomMij"
ENDS = ("slut", "finish")
DATA_FILE = re.compile(r"[-\w.%]+")
_DIGITS = re.compile(r"\d{6}")


@dataclass(frozen=True)
class Names:
    """What a delivery's two files are called."""

    data: str
    trans: str


def names(agency: str | None, delivery_id: str, day: str, suffix: str) -> Names:
    """The names of a delivery's files: the agency, ADHL, the day (ÅÅÅÅMMDD) and the end of the delivery's id, so that each delivery has its own."""
    if agency is None or not _DIGITS.fullmatch(agency):
        raise SettingsError(
            f"a library that delivers to DBC has a library number of six digits, not {agency!r}.",
            do="Put it into the partner's YAML: agency.",
        )
    stem = f"{agency}.adhl.{day}.{delivery_id[-8:]}"
    return Names(f"{stem}.{suffix}", f"{stem}.trans")


def render(data_file: str, posthus: Posthus) -> bytes:
    """The transfile for one data file."""
    values = {"b": posthus.b, "f": data_file, "t": posthus.t, "c": posthus.c, "o": posthus.o} | ({"m": posthus.m} if posthus.m else {})
    return ",".join(f"{key}={value}" for key, value in values.items()).encode("ascii") + b"\nslut\n"


def parse(content: bytes) -> list[dict[str, str]]:
    """The lines of a transfile as posthus reads them. ValueError, in posthus's own words, for one that it refuses."""
    lines = [line.strip() for line in content.decode("latin-1").splitlines() if line.strip()]
    if not lines:
        raise ValueError("Transfil har intet indhold")
    if lines[-1] not in ENDS:
        raise ValueError("Transfil mangler slut-linje")
    found = []
    for line in lines[:-1]:
        fields = dict(field.partition("=")[::2] for field in line.split(","))
        if unknown := [key for key in fields if len(key) != 1 or key not in KEYS]:
            raise ValueError(f"Transfil har ukendt nøgle: {unknown[0]}")
        if "f" not in fields:
            raise ValueError("Datafil angivelse mangler i transfilen")
        if not DATA_FILE.fullmatch(fields["f"]):
            raise ValueError(f"Datafilnavn {fields['f']} indeholder ulovlige tegn")
        found.append(fields)
    if not found:
        raise ValueError("Datafil angivelse mangler i transfilen")
    return found
