"""A day at a desk, word for word: what a machine asks, what it is answered, and some of what that says. Every message of SIP2 is in it.

The library is `conftest.py`'s with what `furnish` adds. It ends as it began, so that another machine can have the same conversation after it.
"""

from __future__ import annotations

from typing import NamedTuple

from connectors.circulation.embedded.backend import Embedded

NOW = "20261120    130000"
_NONE = " " * 18


class Exchange(NamedTuple):
    """A line, its answer, and what is to be read out of the answer: fixed fields by their names, others by their codes."""

    asked: str
    answered: str
    says: dict[str, str | list[str]]


EXCHANGES = (
    Exchange("9300CN{login}|COsecret|CPhall|", "941", {"ok": "1"}),
    Exchange(
        "9900802.00",
        f"98YYYYYY030003{NOW}2.00AOlindeby|AMLindeby|BXYYYYYYYYYYYYYYYY|ANhall|",
        {"online": "Y", "timeout period": "030", "retries allowed": "003", "protocol version": "2.00", "BX": "Y" * 16, "AM": "Lindeby"},
    ),
    Exchange(
        f"23009{NOW}AOlindeby|AAc1|AC|AD1234|",
        f"24              009{NOW}AOlindeby|AAc1|AEÅse Blåbærsø|BLY|CQY|BHDKK|BV12.50|PCadult|",
        {"patron status": _NONE[:14], "language": "009", "AE": "Åse Blåbærsø", "BL": "Y", "CQ": "Y", "BV": "12.50"},
    ),
    Exchange(
        f"11NN{NOW}{_NONE}AOlindeby|AAc1|ABb1|AC|CHslidt ryg|AD1234|BON|BIN|",
        f"121NNY{NOW}AOlindeby|AAc1|ABb1|AJFrøken Müllers café|AH20261218    235900|CK001|CHæske, 2 cd'er|",
        {"ok": "1", "renewal ok": "N", "desensitize": "Y", "AH": "20261218    235900", "AJ": "Frøken Müllers café", "CH": "æske, 2 cd'er"},
    ),
    Exchange(
        f"63009{NOW}  Y       AOlindeby|AAc1|AC|AD1234|BP1|BQ5|",
        f"64              009{NOW}000000000001000100000000AOlindeby|AAc1|AEÅse Blåbærsø|BZ0002|CB0004|BLY|CQY|BHDKK|BV12.50|CC100|AUb1|"
        "BDMøllevej 3|BEåse@example.org|BF5550100|PCadult|",
        {"charged items count": "0001", "fine items count": "0001", "AU": ["b1"], "BD": "Møllevej 3", "BE": "åse@example.org", "CC": "100"},
    ),
    Exchange(
        f"17{NOW}AOlindeby|ABb1|AC|",
        f"18040201{NOW}CF0|AH20261218    235900|ABb1|AJFrøken Müllers café|BGmain|CK001|AQmain|APmain|CHæske, 2 cd'er|CRbook|CS86-096 Å|",
        {"circulation status": "04", "security marker": "02", "fee type": "01", "CF": "0", "BG": "main", "CS": "86-096 Å", "CR": "book"},
    ),
    Exchange(
        f"29NN{NOW}{_NONE}AOlindeby|AAc1|AD1234|ABb1|AC|BON|",
        f"301YNN{NOW}AOlindeby|AAc1|ABb1|AJFrøken Müllers café|AH20261218    235900|CK001|CHæske, 2 cd'er|",
        {"ok": "1", "renewal ok": "Y", "AB": "b1", "AH": "20261218    235900"},
    ),
    Exchange(
        f"65{NOW}AOlindeby|AAc1|AD1234|AC|BON|",
        f"66100010000{NOW}AOlindeby|BMb1|",
        {"ok": "1", "renewed count": "0001", "unrenewed count": "0000", "BM": ["b1"], "BN": []},
    ),
    Exchange(
        f"15+{NOW}BSÅby|BY2|AOlindeby|AAc2|ABb1|AC|",
        f"161N{NOW}BR1|BSÅby|AOlindeby|AAc2|ABb1|",
        {"ok": "1", "available": "N", "BR": "1", "BS": "Åby"},
    ),
    Exchange(
        f"09N{NOW}{NOW}APmain|AOlindeby|ABb1|AC|BIN|",
        f"101YNY{NOW}AOlindeby|ABb1|AQmain|AJFrøken Müllers café|CL7|AFSomebody waits for it: Åby|CRbook|CS86-096 Å|CTÅby|CV02|CYp2|DAReader Two|",
        {"ok": "1", "resensitize": "Y", "alert": "Y", "CL": "7", "CT": "Åby", "CV": "02", "CY": "p2", "DA": "Reader Two",
         "AF": ["Somebody waits for it: Åby"]},
    ),
    Exchange(f"15-{NOW}BY2|AOlindeby|AAc2|ABb1|AC|", f"161N{NOW}AOlindeby|AAc2|ABb1|", {"ok": "1", "BR": []}),
    Exchange(
        f"37{NOW}0100DKKBV1.00|AOlindeby|AAc3|AC|BKkvittering 7|",
        f"38Y{NOW}AOlindeby|AAc3|BKkvittering 7|",
        {"payment accepted": "Y", "BK": "kvittering 7"},
    ),
    Exchange(
        f"19{NOW}AOlindeby|ABb2|AC|CHlöst omslag, 3 flækker|",
        f"201{NOW}ABb2|AJOne book|CHlöst omslag, 3 flækker|",
        {"item properties ok": "1", "AB": "b2", "CH": "löst omslag, 3 flækker"},
    ),
    Exchange(
        f"01Y{NOW}AOlindeby|ALglömt kort|AAc2|AC|",
        f"24YYYY          001{NOW}AOlindeby|AAc2|AEReader Two|BLY|AFThe card was kept by a machine: ask the staff|PCchild|",
        {"patron status": "YYYY          ", "BL": "Y", "AF": ["The card was kept by a machine: ask the staff"]},
    ),
    Exchange(f"25{NOW}AOlindeby|AAc2|AC|", f"26              001{NOW}AOlindeby|AAc2|AEReader Two|BLY|", {"AE": "Reader Two", "BL": "Y"}),
    Exchange(f"35{NOW}AOlindeby|AAc1|AC|AD1234|", f"36Y{NOW}AOlindeby|AAc1|", {"end session": "Y", "AA": "c1"}),
    Exchange("97", f"36Y{NOW}AOlindeby|AAc1|", {"end session": "Y"}),
    Exchange("XX hvad så?", "96", {}),
)  # fmt: skip

PROFILE = {
    "policy": {"messages": ["01", "09", "11", "15", "17", "19", "23", "25", "29", "35", "37", "63", "65"]},
    "sort_bins": [{"bin": "7"}],
}


def furnish(library: Embedded) -> None:
    """What the conversation speaks of, with letters that UTF-8, Latin-1 and CP850 all have."""
    store = library.store
    reader = {"name": "Åse Blåbærsø", "email": "åse@example.org", "phone": "5550100", "address": "Møllevej 3"}
    book = {"title": "Frøken Müllers café", "properties": "æske, 2 cd'er", "call_number": "86-096 Å"}
    store.apply([["patron", store.get("patron", "p1") | reader], ["item", store.get("item", "b1") | book]])
    store.fill(
        "fee",
        [
            {"fee": "f1", "patron": "p1", "outstanding": 1250, "title": "Försening"},
            {"fee": "f3", "patron": "p3", "outstanding": 9000, "title": "Gebyr"},
        ],
    )
    store.commit()
