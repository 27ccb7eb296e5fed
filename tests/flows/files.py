"""Small deliveries, newly written: good ones, and ones named for their defect. The libraries, their patrons and their loans are made up."""

from __future__ import annotations

import io
import zipfile

LOANS = "issue_id,borrowernumber,itemnumber,issuedate,date_due,returndate,renewals_count,branchcode"
ITEMS = "itemnumber,biblionumber,barcode,homebranch,itype,dateaccessioned,price"
PATRONS = "borrowernumber,cardnumber,surname,firstname,dateofbirth,branchcode,categorycode,nationalid"


def loan(number: int, *, when: str = "2026-03-02 10:00:00", due: str = "2026-04-02", item: str = "", branch: str = "MAIN") -> str:
    """A row of Koha's table issues."""
    return f"{number},{number % 7 + 1},{item or number},{when},{due},,0,{branch}"


def loans(first: int, count: int) -> list[str]:
    return [loan(number) for number in range(first, first + count)]


def csv(header: str, rows: list[str], end: str = "\n") -> bytes:
    return "".join(row + end for row in [header, *rows]).encode()


def item(number: int, **more: str) -> str:
    return f"{number},{more.get('title', f't{number}')},B{number:05},{more.get('branch', 'MAIN')},BK,2020-01-0{number % 9 + 1},{more.get('price', '199.00')}"


def items(first: int, count: int) -> list[str]:
    return [item(number) for number in range(first, first + count)]


GOOD = csv(ITEMS, items(1, 5))
NEIGHBOUR = csv(ITEMS, items(9001, 3))


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name) if method == zipfile.ZIP_STORED else name, content)
    return raw.getvalue()


def damaged(content: bytes, old: bytes, new: bytes) -> bytes:
    """`content` with its first `old` replaced: a fault put where it is meant to be."""
    assert old in content
    return content.replace(old, new, 1)
