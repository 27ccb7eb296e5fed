"""The parts of an erasure: looking for a person in bytes, requests that outlive a try, certificates."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.crypto.keys import MemoryKeyStore
from include.engine.erasure import request, snapshots
from include.engine.erasure.certificate import Certificate, Place, read, write
from include.engine.erasure.needles import national_forms, needles
from include.engine.erasure.request import Request
from include.engine.erasure.subject import Subject
from include.engine.errors import Tampered
from include.engine.privacy.pseudonym import Pseudonyms
from tests.house import stands_in

ANNE = needles(
    nationals=["010190-1234"],
    cards=["2990011223", "77"],
    contacts=["anne@holm.example", "12"],
    ids=["4711"],
    words=["Anne Holm", "Bo", "Åse Ærø"],
)


@pytest.mark.parametrize(
    "text",
    [
        "4711;x",
        "x;4711\r\n",
        '{"id":"4711"}',
        '{"id": 4711}',
        "<id>4711</id>",
        "\x1f4711\x1e",
        "note 010190-1234.",
        "(0101901234)",
        "010190 1234",
        "card:2990011223",
        "x,77,y",
        "mail anne@holm.example ",
    ],
)
def test_a_person_is_found_in_the_forms_in_which_systems_write_them(text: str) -> None:
    assert ANNE.found_in(text.encode())
    assert ANNE.found_in_stream(io.BytesIO(text.encode()))


@pytest.mark.parametrize(
    "text", ["14711;", "47110", "2026-4711-1", "10:4711:00", "x010190-12345", "29900112234", "77-11-01", "Anne Holm", "", "12"]
)
def test_what_only_looks_like_the_person_is_not_found(text: str) -> None:
    assert not ANNE.found_in(text.encode())


def test_names_count_where_records_are_known_to_be_of_patrons() -> None:
    assert ANNE.all().found_in(b"Anne Holm")
    assert ANNE.all().found_in("Åse Ærø".encode("latin-1"))
    assert ANNE.all().found_in(json.dumps({"name": "Åse Ærø"}).encode())
    assert ANNE.all().found_in("x Åse Ærø".encode("utf-16-le"))


def test_in_deliveries_of_titles_a_short_number_is_a_number() -> None:
    assert not ANNE.public().found_in(b";4711;")
    assert ANNE.public().found_in(b";010190-1234;")


def test_what_is_found_can_be_overwritten() -> None:
    assert ANNE.redacted("kort 2990011223 på 010190-1234".encode()) == "kort ********** på ***********".encode()
    assert "4711" not in repr(ANNE)


def test_a_person_on_the_edge_of_two_blocks_of_a_stream_is_found() -> None:
    body = b"x" * ((1 << 20) - 5) + b";010190-1234;" + b"y" * (1 << 20)
    assert ANNE.found_in_stream(io.BytesIO(body))
    assert not ANNE.found_in_stream(io.BytesIO(body.replace(b"1234", b"1233")))


def test_national_numbers_are_looked_for_with_and_without_their_signs() -> None:
    assert national_forms("010190-1234") >= {"010190-1234", "0101901234", "010190 1234"}
    assert national_forms("19900101-1239") >= {"199001011239", "900101-1239", "9001011239", "900101+1239"}
    assert national_forms("85.07.30-033.28") >= {"85073003328", "850730-033.28", "85.07.30-033.28"}
    assert national_forms("111222333") == {"111222333"}


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_field_is_found_between_any_bytes(before: bytes, after: bytes) -> None:
    assert ANNE.found_in(before + b";4711;" + after)


def test_a_request_is_sealed_kept_found_and_forgotten(tmp_path: Path) -> None:
    keys = MemoryKeyStore()
    reference = request.reference_of(keys, "lindeby", patron_id="4711")
    kept = Request(
        "lindeby",
        reference,
        request.new_number(),
        frozenset({"4711"}),
        frozenset({"77"}),
        frozenset({"ab"}),
        ANNE,
        (Place("x", 1, "y", "z"),),
    )
    request.keep(tmp_path, keys, kept)
    assert request.find(tmp_path, keys, "lindeby", reference) == kept
    assert request.find_by_pseudonym(tmp_path, keys, "lindeby", "ab") == kept
    assert request.find_by_pseudonym(tmp_path, keys, "lindeby", "cd") is None
    assert not stands_in("4711", repr(kept))
    sealed = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert b"4711" not in b"".join(path.read_bytes() for path in sealed)
    moved = sealed[0].with_stem("f" * 32)
    moved.write_bytes(sealed[0].read_bytes())
    with pytest.raises(Tampered):
        request.find(tmp_path, keys, "lindeby", "f" * 32)
    request.done(tmp_path, keys, kept)
    assert request.find(tmp_path, keys, "lindeby", reference) is None
    assert keys.find(request.PURPOSE, f"lindeby/{reference}") == []
    with pytest.raises(ValueError, match="letters and digits"):
        request.find(tmp_path, keys, "lindeby", "../x")


def test_references_of_cards_and_patrons_differ_and_neither_is_the_lakes_pseudonym() -> None:
    keys = MemoryKeyStore()
    by_id, by_card = request.reference_of(keys, "lindeby", patron_id="1"), request.reference_of(keys, "lindeby", card="1")
    assert len({by_id, by_card, Pseudonyms(keys, "lindeby", "lake").one("1")}) == 3


def certificate() -> Certificate:
    at = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    places = (Place("lake, table <patron>", 1200, "1,200 rows removed", "version 7"),)
    return Certificate(
        "E20261121-0a1b2c3d",
        "lindeby",
        "Lindeby & Omegn",
        "ab" * 16,
        "officer",
        at,
        at,
        places,
        ("delivery-1",),
        ("d1",),
        ("x",),
        ("sftp://y/z",),
        "file:c",
    )


def test_a_certificate_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, certificate())
    assert read(tmp_path, "lindeby", "E20261121-0a1b2c3d") == certificate()
    assert read(tmp_path, "lindeby", "E0") is None
    page = (tmp_path / "certificates" / "lindeby" / "E20261121-0a1b2c3d.html").read_text()
    assert "Lindeby &amp; Omegn" in page and "&lt;patron&gt;" in page and "1,200" in page
    assert "prefers-color-scheme" in page and "<script" not in page and "src=" not in page and "href=" not in page


def test_a_snapshot_without_a_row_for_nobody_loses_the_persons_facts(tmp_path: Path) -> None:
    keys = MemoryKeyStore()
    mine = Pseudonyms(keys, "lindeby", "bi").one("aa")
    folder = tmp_path / "bi" / "snapshots" / "s1" / "fact_loan" / "partner=lindeby" / "month=2026-10"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"patron_key": [mine, "other"], "loans": [1, 1]}), folder / "part-0.parquet")
    person = Subject("lindeby", frozenset({"aa"}), frozenset(), frozenset(), ANNE)
    assert snapshots.erase(tmp_path, keys, person) == [snapshots.Removed("s1", 1, 0)]
    assert pq.read_table(folder / "part-0.parquet").column("patron_key").to_pylist() == ["other"]
    assert snapshots.erase(tmp_path, keys, person) == []
    assert snapshots.erase(tmp_path / "elsewhere", keys, person) == []
