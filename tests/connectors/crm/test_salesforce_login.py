"""Into an org over TLS: whom we trust, and what is told when it goes wrong."""

from __future__ import annotations

import json

import pytest

from connectors.crm.salesforce.login import address
from connectors.crm.salesforce.org import Org
from include.engine.credentials import Connection, from_json
from include.engine.errors import Refused, SettingsError, Unreachable
from include.sandbox.servers.tls import certificates


def org_of(connection: str, **more: str) -> Org:
    found = json.loads(connection)
    found["extra"] |= more
    return Org(from_json("crm", json.dumps(found)), pause=0.01)


@pytest.mark.parametrize("way", ["jwt", "client_credentials", "soap"])
def test_one_call_logs_in_and_the_session_serves_for_the_rest(org, way) -> None:
    client = org_of(org.connection(way))
    for _ in range(3):
        client.call("GET", "limits")
    assert org.state.door.logins == [way]


def test_a_server_whose_authority_is_not_ours_is_not_spoken_to(org, tmp_path) -> None:
    with pytest.raises(Unreachable, match="a certificate that is not trusted"):
        org_of(org.connection(), ca_file=str(certificates(tmp_path).authority)).call("GET", "limits")


def test_the_environment_does_not_overrule_the_connection_s_authority(org, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates(tmp_path).authority))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert org_of(org.connection()).call("GET", "limits").status_code == 200


def test_a_session_that_has_ended_is_renewed_once_a_call(org) -> None:
    client = org_of(org.connection())
    client.call("GET", "limits")
    org.state.faults.set("session_expires")
    assert client.call("GET", "limits").status_code == 200
    org.state.faults.set("session_expires", 20)
    with pytest.raises(Unreachable, match="session that ends at once"):
        client.call("GET", "limits", again=False)


def test_nobody_there_is_told_by_kind_and_tried_again(org) -> None:
    found = json.loads(org.connection())
    client = Org(from_json("crm", json.dumps({**found, "port": 9})), pause=0.0)
    with pytest.raises(Unreachable, match="ConnectionError"):
        client.call("GET", "limits")


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"login": "telepathy"}, SettingsError, "telepathy"),
        ({"private_key": "no key"}, SettingsError, "private key"),
        ({"consumer_key": "somebody else"}, Refused, "CRM_LOGIN_REFUSED"),
    ],
)
def test_a_wrong_setting_is_told_without_the_secret(org, more, error, said) -> None:
    with pytest.raises(error, match=said) as told:
        org_of(org.connection(), **more).call("GET", "limits")
    assert "BEGIN PRIVATE KEY" not in str(told.value)


def test_an_address_is_always_https() -> None:
    assert address(Connection("crm", "http", "x.my.salesforce.com")) == "https://x.my.salesforce.com"
    assert address(Connection("crm", "http", "https://x.my.salesforce.com", 8443)) == "https://x.my.salesforce.com:8443"
    with pytest.raises(SettingsError, match="host"):
        address(Connection("crm", "http"))


def test_a_query_is_read_over_many_pages(org) -> None:
    for number in range(25):
        org.state.org.insert("Contact", {"LastName": f"O'Brien {number}", "Bindery_Id__c": f"k{number}"})
    org.state.page_rows = 4
    client = org_of(org.connection())
    assert len(list(client.query("SELECT Id, LastName FROM Contact WHERE LastName != null ORDER BY LastName"))) == 25
    [one] = client.query("SELECT LastName FROM Contact WHERE LastName = 'O\\'Brien 7'")
    assert one["LastName"] == "O'Brien 7"


def test_a_call_that_the_org_refuses_is_told_by_its_code_alone(org) -> None:
    with pytest.raises(Refused, match="400 MALFORMED_QUERY") as told:
        list(org_of(org.connection()).query("SELECT secret FROM Nothing"))
    assert told.value.code == "CRM_CALL_REFUSED"


@pytest.mark.parametrize(
    ("way", "fault"), [("jwt", "login_unavailable"), ("soap", "login_unavailable"), ("client_credentials", "login_later")]
)
def test_a_login_that_is_out_of_order_is_tried_again_and_not_held_for_refused(org, way, fault) -> None:
    org.state.faults.set(fault)
    assert org_of(org.connection(way)).call("GET", "limits").status_code == 200
    assert org.state.faults.taken[fault] == 1
    org.state.faults.set(fault, 20)
    with pytest.raises(Unreachable, match="to the login"):
        org_of(org.connection(way)).call("GET", "limits")
