"""What a provider is to its harvesters, and its limits."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from include.engine.errors import SettingsError

KEY_BYTES = 32
_DOMAIN = re.compile(r"[a-zA-Z][a-zA-Z0-9-]*(\.[a-zA-Z][a-zA-Z0-9-]*)+")
_MAIL = re.compile(r"\S+@(\S+\.)+\S+")


@dataclass(frozen=True)
class Repository:
    """One provider. `keys`: the first signs tokens, all are known (so that a key can be changed). `page` is in records, `token_life` in seconds.

    `rate` is requests a second and client over time, with twice as many at once; 0 is no limit. `busy` requests may wait at once.
    """

    name: str
    base_url: str
    admin: str
    domain: str
    index: Path
    keys: tuple[bytes, ...] = field(repr=False)
    page: int = 500
    token_life: int = 24 * 3600
    rate: float = 50.0
    busy: int = 64

    @classmethod
    def of_environment(
        cls, environment: Mapping[str, str], index: Path, *, keys: tuple[bytes, ...], url: str, page: int, rate: float
    ) -> Repository:
        """`BINDERY_OAI_NAME`, `_URL` (by default `url`), `_ADMIN` and `_DOMAIN`. SettingsError names what is missing or cannot be used."""
        found = {name: environment.get(f"BINDERY_OAI_{name}", "").strip() for name in ("NAME", "URL", "ADMIN", "DOMAIN")}
        _needed(
            "ADMIN",
            _MAIL.fullmatch(found["ADMIN"]) is not None,
            "the mail address of who answers harvesters, such as drift@library.example",
        )
        _needed(
            "DOMAIN",
            _DOMAIN.fullmatch(found["DOMAIN"]) is not None,
            "the domain name that identifiers carry for good, such as library.example",
        )
        address = found["URL"] or url
        parts = urlsplit(address)
        _needed("URL", parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.query, "the address that harvesters see")
        return cls(found["NAME"] or found["DOMAIN"], address, found["ADMIN"], found["DOMAIN"].lower(), index, keys, page, rate=rate)


def keys_of(text: str) -> tuple[bytes, ...]:
    """The keys of `BINDERY_OAI_KEY`: 32 bytes in base64 each, separated by commas."""
    try:
        keys = tuple(base64.b64decode(part.strip(), validate=True) for part in text.split(","))
    except binascii.Error:
        keys = ()
    _needed(
        "KEY",
        bool(keys) and all(len(key) == KEY_BYTES for key in keys),
        "32 random bytes in base64 (openssl rand -base64 32), several with commas",
    )
    return keys


def _needed(name: str, right: bool, what: str) -> None:
    if not right:
        raise SettingsError(f"BINDERY_OAI_{name} is not set, or cannot be used.", where="environment", do=f"Set it to {what}.")
