"""A library with a register of patrons in its lake, and a CRM over a real socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

from connectors.crm import outbound
from connectors.crm.settings import FLOWS
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import Delivery
from include.engine.dispatch.start import start
from include.engine.errors import BinderyError
from include.engine.lake.publish import publish
from include.engine.ledger import Ledger, manifests, parts
from include.engine.ledger.manifests import Versions
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from include.engine.privacy.pseudonym import Pseudonyms
from include.sandbox.servers.dataverse import DataverseServer, dataverse_server
from include.sandbox.servers.salesforce import SalesforceServer, salesforce_server
from tests import house as building

HEAD = """\
name: Lindeby Biblioteker
isil: DK-799001
timezone: Europe/Copenhagen
language: {language}
status: {status}
flows:
  crm_sync:
    schedule: "0 3 29 2 *"
    connection: lindeby_crm
    deep_link: "https://vsmart.lindeby.example/borrower/{{patron_id}}"
"""
SALESFORCE = """\
    system: salesforce
    objects:
      contact:
        object: Contact
        key: Bindery_Id__c
        fields:
          FirstName: first_name
          LastName: last_name
          Email: email
          Phone: phone
          MailingCity: city
          Patron_Category__c: category
          Patron_Number__c: patron_id
          Member_Until__c: valid_until
          Guardian__r.Bindery_Id__c: guardian
          Library_Record__c: deep_link
        values:
          Patron_Category__c: {adult: Voksen, child: Barn, "*": Andet}
        anonymous: {LastName: Anonymised}
      account:
        object: Account
        key: Bindery_Id__c
        fields: {Name: name, Phone: phone, Company_Number__c: company_number, Library_Record__c: deep_link}
        anonymous: {Name: Anonymised}
"""
DYNAMICS = """\
    system: dynamics
    objects:
      contact:
        object: contacts
        key: bindery_id
        fields:
          firstname: first_name
          lastname: last_name
          emailaddress1: email
          telephone1: phone
          bindery_category: category
          bindery_patronnumber: patron_id
          bindery_memberuntil: valid_until
          bindery_guardian@odata.bind: guardian
          bindery_libraryrecord: deep_link
        values:
          bindery_category: {adult: 1, child: 2, "*": 5}
        anonymous: {lastname: Anonymised}
      account:
        object: accounts
        key: bindery_id
        fields: {name: name, accountnumber: company_number, bindery_libraryrecord: deep_link}
        anonymous: {name: Anonymised}
"""
NOBODY = {
    "card_numbers": [], "national_id": None, "name": None, "first_name": "Ana", "last_name": "Holm", "email": None, "phone": None,
    "address": "Algade 1", "postal_code": "4000", "city": "Lindeby", "municipality": "0751", "birth_date": date(1980, 1, 2), "gender": "k",
    "category": "adult", "home_library": "hb", "institution": False, "guardian_id": None, "protected": False, "consent": True,
    "valid_until": date(2027, 5, 1), "blocked": False, "merged_into": None, "deleted": False,
}  # fmt: skip


@dataclass
class Library(building.House):
    """The installation of these tests. `register` is everybody in the lake now, by patron id."""

    register: dict[str, dict[str, Any]] = field(default_factory=dict)
    published: int = 0

    def settle(self, more: str = "", *, system: str = SALESFORCE, status: str = "live", language: str = "en") -> None:
        """Write the partner's YAML."""
        self.write(HEAD.format(language=language, status=status) + system + more)

    def connect(self, connection: str) -> None:
        """Set up the connection of the CRM."""
        assert isinstance(self.engine.credentials, EnvironmentCredentials)
        self.engine.credentials.environment["AIRFLOW_CONN_LINDEBY_CRM"] = quick(connection)  # type: ignore[index]

    def has(self, **people: dict[str, Any] | None) -> None:
        """The register becomes what it was with these changes: `has(p1={"email": "a@b.example"})`; None takes somebody out."""
        for name, values in people.items():
            if values is None:
                self.register.pop(name)
            else:
                self.register[name] = {**NOBODY, **self.register.get(name, {}), **values}
        self.deliver_register()

    def deliver_register(self) -> None:
        """All of the register, as a whole export brings it."""
        self.published += 1
        names = Pseudonyms(self.engine.keys, self.partner, "lake")
        contract = self.engine.contract("patron_identity")
        schema = pa.schema([(column.name, column.type) for column in contract.columns if column.name != "partner"])
        rows = [{**values, "patron_id": one, "patron": names.one(one), "key_id": names.key_id} for one, values in self.register.items()]
        table = pa.Table.from_pylist(rows, schema)
        made = publish(self.engine.lake, contract, self.partner, f"register-{self.published}", table.to_reader, "full", lambda: None)
        manifests.pin(self.engine.ledger, None, {"patron_identity": Versions(made.version_before, made.version_after)})

    def external(self, patron_id: str) -> str:
        """The patron's key in the CRM."""
        lake = Pseudonyms(self.engine.keys, self.partner, "lake").one(patron_id)
        return Pseudonyms(self.engine.keys, self.partner, "crm").one(lake)

    def begun(self, flow: str = "crm_sync") -> Delivery:
        """A delivery that a person starts, and dispatch claims."""
        made = start(self.engine, self.partner, flow, who="kirsten")
        assert [one.id for one in self.claimed()] == [made.id]
        return made

    def with_connector(self, connector: ModuleType) -> Library:
        """From now on deliveries are this connector's."""
        self.connector = connector
        return self

    def run(self, delivery_id: str) -> Delivery:
        """The four tasks, as Airflow runs them: after a failure only the last."""
        if not hasattr(self.connector, "select"):
            return super().run(delivery_id)
        for step in (select, render, send):
            try:
                step(self.engine, delivery_id, self.connector)
            except BinderyError:
                break
        confirm(self.engine, delivery_id, self.connector)
        return self.get(delivery_id)

    def sync(self, flow: str = "crm_sync") -> Delivery:
        """One delivery, all the way."""
        return self.run(self.begun(flow).id)

    def figures(self, delivery: Delivery) -> dict[str, int]:
        """What the CRM said, over all parts."""
        found: dict[str, int] = {}
        for part in parts.of(self.engine.ledger, delivery.id):
            for name in ("created", "updated", "removed", "gone", "refused"):
                found[name] = found.get(name, 0) + int(part.facts.get(name, 0))
        return {name: count for name, count in found.items() if count}

    def settled(self) -> dict[str, tuple[str, int]]:
        return {row["record"]: (row["outcome"], row["digest"]) for row in self.rows("settled", "record")}


def quick(connection: str) -> str:
    """The connection with hardly any pause between tries."""
    found = json.loads(connection)
    found["extra"] |= {"retry_seconds": 0.01, "poll_seconds": 0.01}
    return json.dumps(found)


@pytest.fixture(scope="session")
def one_org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SalesforceServer]:
    with salesforce_server(tmp_path_factory.mktemp("salesforce")) as org:
        yield org


@pytest.fixture
def org(one_org: SalesforceServer) -> SalesforceServer:
    """An empty Salesforce org."""
    one_org.state.reset()
    return one_org


@pytest.fixture(scope="session")
def one_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataverseServer]:
    with dataverse_server(tmp_path_factory.mktemp("dataverse")) as environment:
        yield environment


@pytest.fixture
def dataverse(one_environment: DataverseServer) -> DataverseServer:
    """An empty Dataverse environment."""
    one_environment.state.reset()
    one_environment.state.retry_after = 0.01
    return one_environment


@pytest.fixture
def library(tmp_path: Path, ledger: Ledger, org: SalesforceServer) -> Library:
    """A library whose CRM is Salesforce."""
    made = Library.build(tmp_path, ledger, outbound, FLOWS, "lindeby", {"AIRFLOW_CONN_LINDEBY_CRM": quick(org.connection())})
    made.settle()
    return made


@pytest.fixture
def dynamic(tmp_path: Path, ledger: Ledger, dataverse: DataverseServer) -> Library:
    """A library whose CRM is Dynamics."""
    made = Library.build(tmp_path, ledger, outbound, FLOWS, "lindeby", {"AIRFLOW_CONN_LINDEBY_CRM": quick(dataverse.connection())})
    made.settle(system=DYNAMICS)
    return made
