"""Connections are read from the environment as Airflow reads them, in its URI and its JSON form, and their secrets are never shown."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.credentials import Connection, EnvironmentCredentials
from include.engine.errors import MissingCredential, SettingsError

text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
host = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)


def resolve(value: str, name: str = "partner_inbox") -> Connection:
    return EnvironmentCredentials({f"AIRFLOW_CONN_{name.upper()}": value}).get(name)


@given(
    login=text,
    password=text,
    where=host,
    port=st.none() | st.integers(1, 65535),
    schema=text,
    extra=st.dictionaries(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), text, max_size=3),
)
def test_the_uri_form_and_the_json_form_mean_the_same(
    login: str, password: str, where: str, port: int | None, schema: str, extra: dict[str, str]
) -> None:
    # Airflow's own rule (Connection.get_uri): each part percent-encoded with nothing safe, extras as the query
    uri = f"sftp://{quote(login, safe='')}:{quote(password, safe='')}@{where}{f':{port}' if port else ''}/{quote(schema, safe='')}"
    if extra:
        uri += "?" + urlencode(extra)
    as_json = json.dumps(
        {"conn_type": "sftp", "login": login, "password": password, "host": where, "port": port, "schema": schema, "extra": extra}
    )
    assert resolve(uri) == resolve(as_json) == Connection("partner_inbox", "sftp", where, port, login, password, schema, extra)


@given(extra=st.dictionaries(text, st.none() | st.booleans() | st.integers() | text | st.lists(text, max_size=2), min_size=1, max_size=3))
def test_extras_that_are_no_text_come_through_the_extra_parameter_and_json_in_json(extra: dict[str, Any]) -> None:
    uri = f"sftp://h/?{urlencode({'__extra__': json.dumps(extra)})}"
    assert resolve(uri).extra == extra
    assert resolve(json.dumps({"conn_type": "sftp", "host": "h", "extra": json.dumps(extra)})).extra == extra


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("my-type://host", Connection("c", "my_type", "host")),
        ("postgresql://u@h/db", Connection("c", "postgres", "h", None, "u", "", "db")),
        ("http://https://example.org:8443/a", Connection("c", "http", "https://example.org", 8443, "", "", "a")),
        ("sftp://@:2222", Connection("c", "sftp", "", 2222)),
        ("sftp://user@HOST.example/", Connection("c", "sftp", "host.example", None, "user")),
        ("sftp://u:p%40ss%3A%2F@[::1]:22/", Connection("c", "sftp", "::1", 22, "u", "p@ss:/")),
        ("samba://h/a%2Fb", Connection("c", "samba", "h", None, "", "", "a/b")),
        (
            "generic://h/?endpoint_url=http://127.0.0.1:9000",
            Connection("c", "generic", "h", extra={"endpoint_url": "http://127.0.0.1:9000"}),
        ),
    ],
)
def test_the_documented_uri_forms_are_read(uri: str, expected: Connection) -> None:
    assert resolve(uri, "c") == expected


def test_a_missing_connection_is_named_with_what_to_set() -> None:
    with pytest.raises(MissingCredential, match=r"aarhus_inbox.*AIRFLOW_CONN_AARHUS_INBOX") as caught:
        EnvironmentCredentials({}).get("aarhus_inbox")
    assert caught.value.code == "CREDENTIAL_MISSING"


def test_the_process_environment_is_read_when_no_other_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_HERE", "sftp://h")
    assert EnvironmentCredentials().get("here").host == "h"


@pytest.mark.parametrize(
    "value",
    [
        "hunter2-no-uri",
        "sftp://u:hunter2@h:port/",
        "sftp://u:hunter2@h:99999/",
        "a://b://c://hunter2",
        '{"conn_type": "sftp", "password": "hunter2"',
        '{"conn_type": "sftp", "password": "hunter2", "port": "ssh"}',
        '{"conn_type": "sftp", "password": "hunter2", "pasword": ""}',
        '{"conn_type": "sftp", "password": "hunter2", "extra": "no json"}',
        '{"conn_type": "sftp", "password": "hunter2", "extra": [1]}',
    ],
)
def test_an_unusable_connection_is_named_and_its_secret_is_not_shown(value: str) -> None:
    with pytest.raises(SettingsError, match="partner_inbox") as caught:
        resolve(value)
    assert "hunter2" not in str(caught.value)


def test_a_json_connection_may_hold_a_uri() -> None:
    assert resolve('{"uri": "sftp://u@h"}').login == "u"


def test_secrets_are_not_in_the_representation() -> None:
    shown = repr(resolve("sftp://u:hunter2@h/?private_key=geheim"))
    assert "hunter2" not in shown and "geheim" not in shown
    assert "hunter2" not in repr(EnvironmentCredentials({"AIRFLOW_CONN_X": "sftp://u:hunter2@h"}))


@pytest.mark.parametrize(("value", "meaning"), [("true", True), ("True", True), ("1", True), ("false", False), ("", False)])
def test_a_flag_of_a_uri_reads_as_yes_or_no(value: str, meaning: bool) -> None:
    connection = resolve(f"sftp://h/?no_host_key_check={value}")
    assert connection.flag("no_host_key_check") is meaning
    assert connection.flag("absent", True) is True
    assert connection.text("absent") == ""
