"""The catalogue as bytes: which fields carry a library's items, and which records are broken how."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from include.sandbox.world import ids
from include.sandbox.world.chance import Index
from include.sandbox.world.items import Items
from include.sandbox.world.loans import Flags
from include.sandbox.world.render import marc21, marcxml, unimarc
from include.sandbox.world.render.iso2709 import Charset, Field, record, subfields
from include.sandbox.world.render.lines import Tally
from include.sandbox.world.titles import Title, call_number, titles
from include.sandbox.world.world import World

CHARSETS: dict[str, Charset] = {"lindeby": "utf-8", "havnsund": "utf-8", "almvik": "marc-8", "molendal": "iso-8859-1"}
_CHUNK = 5_000
_KOHA_TYPES = ("BK", "AB", "DVD", "CD", "SER", "GAME", "MAP")

ItemsOf = Callable[[Index], Items]


@dataclass(frozen=True)
class Damage:
    """One way in which a MARC record is broken, as a change of its bytes; `code` is None where the reader mends it."""

    kind: str
    code: str | None
    change: Callable[[bytes], bytes]


DAMAGES = [
    Damage("no_control_number", "KEY_MISSING", lambda octets: octets[:24] + b"009" + octets[27:]),
    Damage("leader_not_digits", None, lambda octets: b"abcde" + octets[5:12] + b"fghij" + octets[17:]),
    Damage("directory_destroyed", "MARC_DIRECTORY_INVALID", lambda octets: octets[:24] + b"#" * 36 + octets[60:]),
]
XML_DAMAGES = [Damage("no_control_number", "KEY_MISSING", lambda octets: octets.replace(b'tag="001"', b'tag="009"', 1))]


def bibliographic(
    world: World, number: Index, items_of: ItemsOf | None, bad: float, tally: Tally, corrected: Flags | None = None, repairable: bool = True
) -> Iterator[bytes]:
    """The records of the titles `number`, in the library's own format. `items_of` gives the items of some of the
    library's own numbers; `repairable` says whether broken records that a reader mends are among the broken ones.
    """
    xml = world.library.id == "lindeby"
    charset = CHARSETS[world.library.id]
    damages = [damage for damage in (XML_DAMAGES if xml else DAMAGES) if damage.code or repairable]
    apart = round((1 - bad) / bad) if bad > 0 else 0
    by_title = _items_by_title(world) if items_of else None
    count = 0
    for start in range(0, len(number), _CHUNK):
        part = number[start : start + _CHUNK]
        carried = _carried(world, part, by_title, items_of) if by_title and items_of else {}
        out = []
        for place, title in enumerate(titles(world, part)):
            mended = bool(corrected is not None and corrected[start + place])
            out.append(_bytes(world, title, carried.get(title.number, []), charset, xml, mended))
            tally.good += 1
            count += 1
            if apart and count % apart == 0:
                damage = damages[(count // apart - 1) % len(damages)]
                tally.kinds[damage.kind] += 1
                if damage.code:
                    tally.codes[damage.code] += 1
                else:
                    tally.good, tally.repaired = tally.good + 1, tally.repaired + 1
                out.append(damage.change(_bytes(world, _copy(title), [], charset, xml, False)))
        yield b"".join(out)


def authorities(world: World, tally: Tally) -> Iterator[bytes]:
    """All name authorities of the library."""
    charset = CHARSETS[world.library.id]
    for heading in range(world.authorities):
        tally.good += 1
        if world.library.id == "molendal":
            yield record(unimarc.authority_leader(), unimarc.authority(world, heading), charset)
        elif world.library.id == "lindeby":
            yield marcxml.record(marc21.authority_leader(charset), marc21.authority(world, heading)).encode()
        else:
            yield record(marc21.authority_leader(charset), marc21.authority(world, heading), charset)


def _bytes(world: World, title: Title, extra: list[Field], charset: Charset, xml: bool, corrected: bool) -> bytes:
    status = "c" if corrected else "n"
    if world.library.id == "molendal":
        return record(unimarc.leader(title, status), unimarc.bibliographic(world, title, extra, corrected), charset)
    fields = marc21.bibliographic(world, title, extra, corrected)
    if xml:
        return marcxml.record(marc21.leader(title, charset, status), fields).encode()
    return record(marc21.leader(title, charset, status), fields, charset)


def _copy(title: Title) -> Title:
    """The same title under a number that no good one has."""
    return replace(title, number=title.number + 20_000_000)


def _items_by_title(world: World) -> tuple[Index, Index]:
    """(items in order of their title, their titles): the day's new items included."""
    everything = ids.numbers(0, world.items + world.items // 50 + 10)
    title = world.item_title(everything)
    order = np.argsort(title, kind="stable")
    return everything[order], title[order]


def _carried(world: World, number: Index, by_title: tuple[Index, Index], items_of: ItemsOf) -> dict[int, list[Field]]:
    """The item fields of every title."""
    items, owners = by_title
    rows = np.concatenate(
        [items[np.searchsorted(owners, n) : np.searchsorted(owners, n, side="right")] for n in number.tolist()] or [items[:0]]
    )
    stock = items_of(rows)
    fields: dict[int, list[Field]] = defaultdict(list)
    write = {"havnsund": _952, "almvik": _902, "molendal": _995}[world.library.id]
    ids_, barcodes, titles_ = stock.item_id.to_pylist(), stock.barcode.to_pylist(), stock.title.tolist()
    shelves = {title.number: call_number(world, title) for title in titles(world, number)}
    for row, title in enumerate(titles_):
        if world.library.id == "almvik" and not fields[title]:
            fields[title].append(_901(world, title, stock, row, shelves[title]))
        fields[title].append(write(world, stock, row, ids_[row], barcodes[row], shelves[title]))
    return fields


def _952(world: World, stock: Items, row: int, item: str, barcode: str, shelf: str) -> Field:
    """Koha's item field."""
    status, branch = int(stock.status[row]), world.library.branches[int(stock.branch[row])].code
    acquired = str(stock.acquired[row].astype("datetime64[D]"))
    due = "2026-09-15" if status == 1 else None
    return "952", subfields(
        "  ", ("0", "1" if status == 3 else "0"), ("1", "1" if status == 2 else "0"), ("8", world.library.departments[int(stock.department[row])]),
        ("9", item), ("a", branch), ("b", branch), ("c", "ABCDEF"[int(stock.sublocation[row])]), ("d", acquired), ("g", _price(stock, row, ".")),
        ("l", str(int(stock.loan_count[row]))), ("o", shelf), ("p", barcode), ("q", due), ("y", _KOHA_TYPES[int(stock.material[row])]),
    )  # fmt: skip


def _901(world: World, title: int, stock: Items, row: int, shelf: str) -> Field:
    branch = world.library.branches[int(stock.branch[row])].code
    return "901", subfields(
        "ff", ("a", f"ho{title + 1:08d}"), ("b", branch), ("l", world.library.departments[int(stock.department[row])]), ("h", shelf)
    )


def _902(world: World, stock: Items, row: int, item: str, barcode: str, shelf: str) -> Field:
    """The item field of the library's mapping profile for FOLIO's data export."""
    status = ["Available", "Checked out", "Declared lost", "Withdrawn", "In transit"][int(stock.status[row])]
    return "902", subfields(
        "ff", ("a", item), ("p", barcode), ("b", world.library.branches[int(stock.branch[row])].code),
        ("l", world.library.departments[int(stock.department[row])]), ("h", shelf),
        ("m", ["bok", "ljudbok", "film", "musik", "tidskrift", "spel", "karta"][int(stock.material[row])]), ("s", status),
    )  # fmt: skip


def _995(world: World, stock: Items, row: int, item: str, barcode: str, shelf: str) -> Field:
    """Recommandation 995, with the codes of include/profiles/brocade.yaml."""
    acquired = str(stock.acquired[row].astype("datetime64[D]")).replace("-", "")
    return "995", subfields(
        "  ", ("5", acquired), ("b", world.library.branches[int(stock.branch[row])].code), ("c", "ABCDEF"[int(stock.sublocation[row])]),
        ("e", world.library.departments[int(stock.department[row])]), ("f", barcode), ("j", item), ("k", shelf),
        ("o", str([0, 1, 2, 3, 4][int(stock.status[row])])), ("r", ["am", "i", "g", "j", "as", "r", "e"][int(stock.material[row])]),
    )  # fmt: skip


def _price(stock: Items, row: int, decimal: str) -> str:
    whole, part = divmod(int(stock.price[row]), 100)
    return f"{whole}{decimal}{part:02d}"
