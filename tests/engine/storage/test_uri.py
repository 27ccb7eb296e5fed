"""A place is one line of text without secrets, and cannot lead out of itself."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.errors import SettingsError
from include.engine.storage.uri import Location, parse


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("file:inbox/lindeby", Location("file", "", "inbox/lindeby")),
        ("file:///var/x", Location("file", "", "/var/x")),
        ("file:/var/x/", Location("file", "", "/var/x")),
        ("sftp://aarhus_inbox/exports", Location("sftp", "aarhus_inbox", "exports")),
        ("sftp://aarhus_inbox", Location("sftp", "aarhus_inbox", "")),
        ("sftp://aarhus_inbox/~/ud", Location("sftp", "aarhus_inbox", "~/ud")),
        ("smb://nas/share/ud%20l%C3%A5n", Location("smb", "nas", "share/ud lån")),
        ("s3://store/bucket/prefix/", Location("s3", "store", "bucket/prefix")),
    ],
)
def test_each_kind_of_place_is_read(text: str, location: Location) -> None:
    assert parse(text) == location
    assert parse(str(location)) == location


@given(
    scheme=st.sampled_from(["sftp", "smb", "ftp", "s3"]),
    parts=st.lists(
        st.text(st.characters(exclude_characters="/\\", exclude_categories=["Cc", "Cs"]), min_size=1).filter(
            lambda part: part not in {".", ".."}
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_writing_and_reading_a_place_gives_the_same_place(scheme: str, parts: list[str]) -> None:
    location = Location(scheme, "c", "/".join(parts))
    assert parse(str(location)) == location
    child = location.child("x/y.csv")
    assert child.parent() == (location.child("x"), "y.csv")


@pytest.mark.parametrize(
    "text",
    [
        "inbox",
        "http://x/y",
        "file://host/x",
        "file:../x",
        "sftp://c/../x",
        "sftp://c/%2e%2e/x",
        "sftp://User@host/x",
        "sftp://host.example/x",
        "sftp:c/x",
        "smb://c",
        "s3://c/",
        "file:a%0Ab",
        "smb://c/share/a%5Cb",
    ],
)
def test_what_is_no_place_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(text)
    assert caught.value.do


def test_a_password_written_into_a_uri_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        parse("sftp://me:hunter2@host/x")
    assert "hunter2" not in str(caught.value)


def test_a_relative_folder_is_under_home_and_needs_one() -> None:
    assert parse("file:inbox/x").local(Path("/home/b")) == Path("/home/b/inbox/x")
    assert parse("file:///abs").local(None) == Path("/abs")
    with pytest.raises(SettingsError, match="home"):
        parse("file:inbox").local(None)
    assert parse("file:x").parent() == (Location("file", "", ""), "x")
    assert parse("file:///x").parent() == (Location("file", "", "/"), "x")
