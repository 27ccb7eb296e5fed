"""The stand-ins of the CRMs behave as the real ones do where an integration can tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from include.sandbox.servers.dataverse import DataverseServer, dataverse_server
from include.sandbox.servers.salesforce import SalesforceServer, salesforce_server

DATA = "services/data/v59.0"


@pytest.fixture(scope="module")
def org(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SalesforceServer]:
    with salesforce_server(tmp_path_factory.mktemp("salesforce")) as server:
        yield server


@pytest.fixture
def session(org: SalesforceServer) -> requests.Session:
    """A session that is logged in to an empty org."""
    org.state.reset()
    made = requests.Session()
    made.trust_env, made.verify = False, str(org.tls.authority)
    made.headers["Authorization"] = f"Bearer {org.state.door.enter('test')}"
    return made


def job(org: SalesforceServer, session: requests.Session, body: str, **more: str) -> str:
    asked = {"object": "Contact", "operation": "upsert", "externalIdFieldName": "Bindery_Id__c", "contentType": "CSV", **more}
    made = session.post(f"{org.state.address}/{DATA}/jobs/ingest", json=asked).json()["id"]
    assert session.put(f"{org.state.address}/{DATA}/jobs/ingest/{made}/batches", data=body.encode()).status_code == 201
    session.patch(f"{org.state.address}/{DATA}/jobs/ingest/{made}", json={"state": "UploadComplete"})
    return str(made)


def state(org: SalesforceServer, session: requests.Session, made: str) -> dict[str, object]:
    found: dict[str, object] = session.get(f"{org.state.address}/{DATA}/jobs/ingest/{made}").json()
    return found


def results(org: SalesforceServer, session: requests.Session, made: str, kind: str) -> list[str]:
    return session.get(f"{org.state.address}/{DATA}/jobs/ingest/{made}/{kind}").content.decode().splitlines()


def test_a_job_goes_from_open_over_in_progress_to_complete_and_gives_three_files(org, session) -> None:
    made = job(org, session, "Bindery_Id__c,LastName\na,Holm\nb,\n")
    assert [state(org, session, made)["state"] for _ in range(2)] == ["InProgress", "JobComplete"]
    assert results(org, session, made, "successfulResults")[1].endswith('"true","a","Holm"')
    assert "REQUIRED_FIELD_MISSING:Required fields are missing: [LastName]:LastName --" in results(org, session, made, "failedResults")[1]
    assert len(results(org, session, made, "unprocessedrecords")) == 1


def test_an_external_id_twice_in_a_file_fails_in_all_its_rows(org, session) -> None:
    made = job(org, session, "Bindery_Id__c,LastName\na,Holm\nA,Lund\nb,Skov\n")
    state(org, session, made), state(org, session, made)
    assert len(results(org, session, made, "failedResults")) == 3
    assert [one["LastName"] for one in org.state.org.all("Contact")] == ["Skov"]


def test_a_second_upload_is_refused_and_so_is_one_to_a_closed_job(org, session) -> None:
    made = job(org, session, "Bindery_Id__c,LastName\na,Holm\n")
    answer = session.put(f"{org.state.address}/{DATA}/jobs/ingest/{made}/batches", data=b"x")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALIDJOBSTATE")


def test_a_line_end_that_is_not_the_job_s_fails_the_job(org, session) -> None:
    made = job(org, session, "Bindery_Id__c,LastName\r\na,Holm\r\n")
    state(org, session, made)
    found = state(org, session, made)
    assert (found["state"], "LineEnding" in str(found["errorMessage"])) == ("Failed", True)


def test_an_ambiguous_external_id_answers_with_300(org, session) -> None:
    for name in ("one", "other"):
        org.state.org.insert("Contact", {"LastName": name, "Bindery_Id__c": "k"})
    answer = session.patch(f"{org.state.address}/{DATA}/sobjects/Contact/Bindery_Id__c/k", json={"LastName": "x"})
    assert (answer.status_code, len(answer.json())) == (300, 2)


def test_without_a_session_or_over_the_day_s_calls_nothing_is_answered(org, session) -> None:
    assert (
        requests.get(f"{org.state.address}/{DATA}/limits", verify=str(org.tls.authority), timeout=30).json()[0]["errorCode"]
        == "INVALID_SESSION_ID"
    )
    org.state.daily = 0
    assert session.get(f"{org.state.address}/{DATA}/limits").json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_a_record_has_a_page_with_a_button_for_its_deep_link(org, session) -> None:
    made = org.state.org.insert("Contact", {"LastName": "<Holm>", "Library_Record__c": "https://vsmart.example/borrower/1"})
    text = session.get(f"{org.state.address}/lightning/r/Contact/{made}/view").text
    assert '<a class="open" href="https://vsmart.example/borrower/1">Open Borrower in V-smart</a>' in text
    assert "&lt;Holm&gt;" in text


def test_a_fault_that_is_none_is_told(org) -> None:
    with pytest.raises(ValueError, match="no fault"):
        org.state.faults.set("tuesday")


@pytest.fixture(scope="module")
def dataverse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataverseServer]:
    with dataverse_server(tmp_path_factory.mktemp("dataverse")) as server:
        yield server


def patch(dataverse: DataverseServer, key: str, **headers: str) -> requests.Response:
    dataverse.state.tokens.add("t")
    address = f"{dataverse.state.address}/api/data/v9.2/contacts(bindery_id='{key}')"
    given = {"Authorization": "Bearer t", **headers}
    return requests.patch(address, json={"lastname": "Holm"}, headers=given, verify=str(dataverse.tls.authority), timeout=30)


def test_if_match_and_if_none_match_keep_to_updates_and_inserts(dataverse) -> None:
    dataverse.state.reset()
    assert patch(dataverse, "k", **{"If-Match": "*"}).status_code == 404
    assert patch(dataverse, "k", **{"If-None-Match": "*"}).status_code == 204
    assert patch(dataverse, "k", **{"If-None-Match": "*"}).status_code == 412
    assert patch(dataverse, "k", Prefer="return=representation").status_code == 200


def test_a_change_set_is_all_or_nothing(dataverse) -> None:
    dataverse.state.reset()
    dataverse.state.tokens.add("t")

    def operation(number: int, body: str) -> str:
        head = f"--c\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {number}\r\n\r\n"
        return f"{head}PATCH /api/data/v9.2/contacts(bindery_id='k{number}') HTTP/1.1\r\nContent-Type: application/json\r\n\r\n{body}\r\n"

    inside = operation(1, '{"lastname": "Holm"}') + operation(2, '{"lastname": ""}') + "--c--\r\n"
    body = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{inside}--b--\r\n"
    headers = {"Authorization": "Bearer t", "Content-Type": "multipart/mixed; boundary=b"}
    answer = requests.post(
        f"{dataverse.state.address}/api/data/v9.2/$batch", data=body, headers=headers, verify=str(dataverse.tls.authority), timeout=30
    )
    assert "0x80040203" in answer.text
    assert dataverse.state.environment.all("contacts") == []


def test_certificates_of_each_run_are_their_own(tmp_path: Path) -> None:
    from include.sandbox.servers.tls import certificates

    first, second = certificates(tmp_path / "a"), certificates(tmp_path / "b")
    assert first.authority.read_bytes() != second.authority.read_bytes()
    assert first.key.stat().st_mode & 0o077 == 0
