"""Everything a step needs, put together once a process: ledger, keys, credentials, partners, contracts, storage, lake."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from include.engine import yamls
from include.engine.contract.loading import load
from include.engine.contract.model import Contract
from include.engine.credentials import Credentials
from include.engine.crypto.keys import KeyStore
from include.engine.crypto.ledger_keys import LedgerKeyStore
from include.engine.errors import MissingCredential, SettingsError
from include.engine.lake.table import Lake
from include.engine.ledger.database import Ledger
from include.engine.partner.loading import FlowModels, Partners, load_partner, load_partners
from include.engine.partner.settings import Partner
from include.engine.storage.filesystem import Store, open_store

ROOT = Path(__file__).resolve().parents[2]
MASTER = "bindery_master"
"""The connection whose password is the master key: 32 bytes, base64."""
FOLLOWING = "bindery_master_next"
"""The same of the master key to which the installation is being changed; not there, or without a password, at all other times."""


@dataclass(frozen=True)
class Engine:
    """One installation as a process sees it. `home` is the shared root of landing, staging, quarantine, lake and BI."""

    home: Path
    ledger: Ledger
    credentials: Credentials
    flows: FlowModels
    partners_folder: Path = ROOT / "include" / "partners"
    contracts_folder: Path = ROOT / "data_contracts"

    @classmethod
    def open(cls, credentials: Credentials, flows: FlowModels, environment: Mapping[str, str] | None = None) -> Engine:
        """The engine that `BINDERY_HOME`, `BINDERY_LEDGER` (SQLite in the home by default) and `BINDERY_PARTNERS` describe; migrated."""
        found = os.environ if environment is None else environment
        home = Path(found.get("BINDERY_HOME") or ROOT / ".bindery").absolute()
        ledger = Ledger(found.get("BINDERY_LEDGER") or f"sqlite:///{home}/ledger.db")
        ledger.migrate()
        partners = Path(found.get("BINDERY_PARTNERS") or ROOT / "include" / "partners")
        return cls(home, ledger, credentials, flows, partners)

    @cached_property
    def keys(self) -> KeyStore:
        """The key store under the master key. MissingCredential names the connection when it is not set up."""
        return LedgerKeyStore(self.ledger, master_key(self.credentials), lambda: following_key(self.credentials))

    @cached_property
    def lake(self) -> Lake:
        """The Delta tables."""
        return Lake(str(self.home / "lake"), ledger=self.ledger)

    def partners(self) -> Partners:
        """Every partner whose YAML is right, and what is wrong with the others; read afresh, so that a mended file counts at once."""
        return load_partners(self.partners_folder, self.flows)

    def partner(self, partner: str) -> Partner:
        """One partner, read afresh. SettingsError lists what is wrong with its YAML."""
        file = self.partners_folder / f"{partner}.yaml"
        if not file.exists():
            raise SettingsError(f"there is no partner {partner!r}.", do=f"Add {file.name} to {file.parent.name}/.")
        found = load_partner(file, self.flows)
        if isinstance(found, Partner):
            return found
        raise SettingsError(
            "; ".join(map(str, found)), where=f"partner {partner}", do="Mend the file; `make check-partners` tells when it is right."
        )

    def partner_name(self, partner: str) -> str:
        """What the partner is called, also where the rest of its YAML cannot be used; its id where even that is not said."""
        try:
            said = yamls.load((self.partners_folder / f"{partner}.yaml").read_text(encoding="utf-8"))
            return str(said["name"])
        except (OSError, ValueError, KeyError, TypeError, yamls.NotYaml):
            return partner

    def contract(self, name: str) -> Contract:
        """The contract `name` of data_contracts/."""
        return load(name, self.contracts_folder)

    def store(self, uri: str) -> Store:
        """The folder at `uri`, opened with this engine's credentials."""
        return open_store(uri, self.credentials, self.home)


def master_key(credentials: Credentials) -> bytes:
    """The 32 bytes that wrap every data key, from the connection `bindery_master`."""
    return _decoded(MASTER, credentials.get(MASTER).password)


def following_key(credentials: Credentials) -> bytes | None:
    """The 32 bytes of the connection `bindery_master_next`; None where there is none."""
    try:
        given = credentials.get(FOLLOWING).password
    except MissingCredential:
        return None
    return _decoded(FOLLOWING, given) if given else None


def _decoded(connection: str, password: str) -> bytes:
    try:
        found = base64.b64decode(password, validate=True)
    except binascii.Error:
        found = b""
    if len(found) != 32:
        raise SettingsError(
            f"the password of the connection {connection!r} is no key.", do="Give it 32 random bytes in base64: `openssl rand -base64 32`."
        )
    return found
