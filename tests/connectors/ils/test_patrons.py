"""Patrons as their systems write them."""

from __future__ import annotations

from datetime import date

from tests.connectors.ils.reading import Library, Result, read_all

HEAD = "bc1ty;bc1val;bc2ty;bc2val;bc3ty;bc3val;fn;vn;gebdat;geslacht;geblokkeerd\r\n"


def brocade(*rows: str) -> Result:
    return read_all(
        (HEAD + "".join(row + "\r\n" for row in rows)).encode("latin-1"),
        "patron",
        "brocade",
        library=Library("BE-MLD01", "Europe/Brussels"),
    )


def test_identifier_pairs_are_sorted_by_their_kind() -> None:
    row = brocade('"B";"2100001";"I";"L77";"B";"2100002";"De Prê";"An";"03/02/1990";"V";"N"').rows["patron"][0]
    assert (row["patron_id"], row["card_numbers"], row["national_id"], row["last_name"]) == ("L77", ["2100001", "2100002"], None, "De Prê")
    assert (row["birth_date"], row["gender"], row["blocked"], row["deleted"]) == (date(1990, 2, 3), "k", False, False)


def test_an_identifier_of_an_unknown_kind_is_passed_over_and_said() -> None:
    result = brocade("I;L1;Z;99;;;A;B;;;", "I;L2;R;90.01.01-123.45;;;C;D;;;J")
    assert [row["national_id"] for row in result.rows["patron"]] == [None, "90.01.01-123.45"]
    assert result.warnings["IDENTIFIER_UNKNOWN"] == 1


def test_the_record_that_anonymous_loans_are_moved_to_is_no_patron() -> None:
    result = read_all(b"borrowernumber,cardnumber,surname,firstname\n0,,Anonymous,\n5,77|78,Vang,Ib\n", "patron", "koha")
    assert [row["patron_id"] for row in result.rows["patron"]] == ["5"]
    assert result.rows["patron"][0]["card_numbers"] == ["77", "78"]
    assert result.filtered == {"ANONYMOUS_PATRON": 1}
