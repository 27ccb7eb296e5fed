"""What the demo drops: which files of which made-up library, over which transport, in which order, and what must come of each.

for drop in prepare(folder, day=1):        # writes the files, returns them in the order in which they are to be delivered
    transport(drop).put(drop.path, drop.file, drop.way)
    ...
    compare(ledger's figures, drop.answer)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Literal

from include.sandbox.world import LAST_DAY, Answer, Sheet, load, make
from include.sandbox.world.libraries import LIBRARIES

Transport = Literal["local", "sftp", "smb"]
Way = Literal["plain", "done_file", "rename"]

TRANSPORTS: dict[str, Transport] = {"lindeby": "local", "havnsund": "local", "almvik": "sftp", "molendal": "smb"}
"""As include/partners says of each inbox."""
WAYS: dict[str, Way] = {"lindeby": "plain", "havnsund": "done_file", "almvik": "rename", "molendal": "plain"}
"""plain: as it is; done_file: then `<name>.done` beside it; rename: under `<name>.part`, then renamed (include/partners, `ready`)."""

LOANS, SEED, BAD = 3_000, 1, 0.02
_ORDER = ("bibliographic", "authority", "item", "patron", "loan", "hold", "fee")


@dataclass(frozen=True, eq=False)
class Drop:
    """One file to deliver. `path` is where it lies now; `file` the name it gets in the inbox."""

    library: str
    transport: Transport
    way: Way
    path: Path
    file: str
    answer: Answer


def prepare(
    folder: Path,
    *,
    day: Literal[1, 2] = 1,
    loans: int = LOANS,
    seed: int = SEED,
    bad: float = BAD,
    last: date = LAST_DAY,
    trouble: bool = True,
) -> list[Drop]:
    """The drops of a day, library by library, in an order that makes every figure certain: titles and items before the loans that name them.

    The files of both days are written to `folder` unless they are there already. With `trouble` the second day has files that no engine may take in.
    """
    drops: list[Drop] = []
    for library in LIBRARIES:
        sheet = made(folder, library, loans=loans, seed=seed, bad=bad, last=last)
        answers = [answer for answer in sheet.files if answer.day == day]
        if trouble and day == 2:
            answers += _trouble(library, folder / library / "day2", sheet)
        for answer in sorted(answers, key=lambda answer: (answer.outcome == "duplicate", _ORDER.index(answer.table))):
            path = folder / library / f"day{day}" / answer.file
            drops.append(Drop(library, TRANSPORTS[library], WAYS[library], path, answer.file, answer))
    return drops


def made(folder: Path, library: str, *, loans: int = LOANS, seed: int = SEED, bad: float = BAD, last: date = LAST_DAY) -> Sheet:
    """The library's two days under `folder`; what lies there from the same arguments is left as it is."""
    sheet = folder / library / "answers.json"
    if sheet.is_file():
        known = load(sheet)
        if (known.loans, known.seed, known.bad, known.last) == (loans, seed, bad, last.isoformat()):
            return known
    return make(library, loans, folder, seed=seed, bad=bad, last=last)


def _trouble(library: str, folder: Path, sheet: Sheet) -> list[Answer]:
    """Files that are refused whole: an empty one, a cut-off archive, a spreadsheet's text."""
    name = f"{date.fromisoformat(sheet.last) + timedelta(days=1):%Y%m%d}"
    later = f"{date.fromisoformat(sheet.last) + timedelta(days=2):%Y%m%d}"
    if library == "lindeby":
        whole = (folder / f"loans_{name}.zip").read_bytes()
        return [
            _refused(folder, f"fees_{name}.csv", "fee", b"", "FILE_EMPTY"),
            _refused(
                folder, f"loans_{later}.zip", "loan", whole[: len(whole) * 2 // 3], "ARCHIVE_TRUNCATED", mode="append", loans="events"
            ),
        ]
    if library == "havnsund":
        text = "reserve_id,borrowernumber,biblionumber,reservedate,branchcode\n1,2,3,2026-08-30,HSMAIN\n"
        return [_refused(folder, f"holds_{name}.csv", "hold", text.encode("utf-16"), "CHARSET_REFUSED")]
    return []


def _refused(
    folder: Path,
    file: str,
    table: str,
    octets: bytes,
    reason: str,
    mode: Literal["full", "append"] = "full",
    loans: Literal["events"] | None = None,
) -> Answer:
    (folder / file).write_bytes(octets)
    answer = Answer(file=file, day=2, table=table, mode=mode, records=0, good=0, loans=loans, outcome="blocked", reason=reason)
    return replace(answer, bytes=len(octets), sha256=hashlib.sha256(octets).hexdigest())
