"""MARC against its peers: python -m tests.bench.marc [RECORDS] [--parts long compare] [--peers-records N] [--repeats 3]

Each way runs in a process of its own, start-up and imports in its time, so that its time, processor time and memory are its own; of the repeats the one
with the median time counts. `--parts` runs some ways only (`--help` names them); a ratio is told where both of its ways have run. The peers come from
PyPI into .bench/peers-3.12, through uv; yaz-marcdump is used where it is installed. docs/marc.md has the table and what it means.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.marc_data import FOLDER, catalogue
from tests.bench.row import row

PEERS = Path(".bench/peers-3.12")
OUT = FOLDER / "ours.out"
#: marctable's newest versions are for Python 3.12 and later; where uv finds none, PEERS_PYTHON is its path.
PYTHON = os.environ.get("PEERS_PYTHON", ">=3.12")
PACKAGES = ["pymarc", "marctable>=0.8", "mrrc", "polars-marc21", "bib2", "pyarrow"]
SIX = {"control_number": "001", "f008": "008", "author": "100$a", "title": "245$a", "subtitle": "245$b", "responsibility": "245$c"}


@dataclass(frozen=True)
class Measured:
    """Wall seconds, processor seconds, peak MiB, exit status, and what was said at the end."""

    seconds: float
    cpu: float
    peak: int
    status: int
    said: str


def long(file: Path, out: Path, block: int = 4 << 20) -> int:
    from include.marc import iso2709, parquet

    with file.open("rb", buffering=0) as stream:
        return parquet.write_long(iso2709.scan(stream, block=block), out).records


def scan(file: Path, out: Path) -> int:
    from include.marc import iso2709

    with file.open("rb", buffering=0) as stream:
        return sum(len(batch) for batch in iso2709.scan(stream))


def six(file: Path, out: Path) -> int:
    from include.marc import iso2709, parquet
    from include.marc.mapping import parse

    mapping = parse("bench", SIX)
    with file.open("rb", buffering=0) as stream:
        return parquet.write_wide(iso2709.scan(stream, fields=mapping.tags), out, mapping).records


def xml_to_long(file: Path, out: Path) -> int:
    from include.marc import marcxml, parquet

    with file.open("rb", buffering=0) as stream:
        return parquet.write_long(marcxml.scan(stream), out).records


def iso_to_xml(file: Path, out: Path) -> int:
    from include.marc import iso2709
    from include.marc.write import marcxml

    with file.open("rb", buffering=0) as stream, out.open("wb") as target:
        return marcxml.write(iso2709.scan(stream), target).records


def diff(file: Path, out: Path) -> int:
    from include.marc.compare import compare

    found = compare(file, catalogue_of_day_2(file))
    return found.unchanged + found.changed.num_rows + found.added.num_rows


def ils(file: Path, out: Path) -> int:
    """What ils_import's step `stage` reads: lake columns, items, MARCXML."""
    from connectors.ils.library import Library
    from connectors.ils.marc_reader import read_marc
    from connectors.ils.profile import load

    with file.open("rb") as stream:
        reads = read_marc(stream, "", "bibliographic", load("koha"), Library("DK-1", "Europe/Copenhagen"), where=file.name)
        return sum(part.rows.num_rows for part in reads if part.table == "bibliographic" and part.rows)


def catalogue_of_day_2(file: Path) -> Path:
    return file.with_name(file.name.replace("-day1-", "-day2-"))


OURS: dict[str, Callable[[Path, Path], int]] = {f.__name__: f for f in (long, scan, six, xml_to_long, iso_to_xml, diff, ils)}


def run(command: list[str], environment: dict[str, str] | None = None) -> Measured:
    """One process, from start to end."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | (environment or {}))
    assert process.stdout is not None
    said = process.stdout.read().decode(errors="replace")[-200:].strip()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10, process.returncode, said)


def median(found: list[Measured]) -> Measured:
    """The one with the median time, or one that failed."""
    by_time = sorted(found, key=lambda one: one.seconds)
    return next((one for one in by_time if one.status), by_time[len(by_time) // 2])


def peers() -> Path:
    """The Python that has the peers; made at the first call."""
    python = PEERS / "bin" / "python"
    if not python.exists():
        subprocess.run(["uv", "venv", "-q", "--python", PYTHON, str(PEERS)], check=True)
        subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), *PACKAGES], check=True)
    return python


def utf8_only(file: Path) -> Path:
    """The records that are UTF-8: polars-marc21 reads no other."""
    out = file.with_suffix(".utf8.mrc")
    if not out.exists():
        parts = file.read_bytes().split(b"\x1d")[:-1]
        out.write_bytes(b"".join(part + b"\x1d" for part in parts if part[9:10] == b"a"))
    return out


@dataclass(frozen=True)
class Way:
    """One thing to measure: `file` is made when it is asked for, and has so many `records` (0: count them); `command` reads it."""

    name: str
    words: str
    file: Callable[[], Path]
    records: int
    command: Callable[[Path], list[str]]
    environment: tuple[tuple[str, str], ...] = ()
    goal: str = ""


def ours(way: str) -> Callable[[Path], list[str]]:
    return lambda file: [sys.executable, "-m", "tests.bench.marc", "--one", way, str(file)]


def theirs(way: str) -> Callable[[Path], list[str]]:
    return lambda file: [str(peers()), "tests/bench/marc_peers.py", way, str(file), str(FOLDER / "peer.parquet")]


def xml_of(records: int) -> Path:
    """The catalogue as MARCXML. It is written in a process of its own: a child's peak is at least what its parent holds."""
    path = FOLDER / f"{records}.xml"
    if not path.exists():
        run(ours("iso_to_xml")(catalogue(records)))
        OUT.replace(path)
    return path


def both_days(records: int) -> Path:
    catalogue(records, day=2)
    return catalogue(records)


def ways(records: int, of_peers: int) -> list[Way]:
    """All that can be measured. What has no goal by the clock is measured over fewer records."""
    fewer, off = min(records, 200_000), (("BINDERY_MARC_KERNEL", "off"),)
    clean, some, small = (lambda: catalogue(records)), (lambda: catalogue(fewer)), (lambda: catalogue(of_peers))
    found = [
        Way("scan", "scan", clean, records, ours("scan")),
        Way("long", "long Parquet", clean, records, ours("long"), goal="at least 150,000"),
        Way("numpy", "long Parquet, NumPy only", some, fewer, ours("long"), off),
        Way(
            "damaged",
            "long Parquet, 2 % damaged",
            lambda: catalogue(records, bad=0.02),
            records,
            ours("long"),
            goal="at least half of clean",
        ),
        Way("six", "six columns", clean, records, ours("six"), goal="at least 250,000"),
        Way("compare", "two exports compared", lambda: both_days(records), 2 * records, ours("diff"), goal="2 x 1M under 4 s"),
        Way("to_xml", "ISO 2709 to MARCXML", some, fewer, ours("iso_to_xml")),
        Way("xml", "MARCXML to long Parquet", lambda: xml_of(fewer), fewer, ours("xml_to_long"), goal="at least 40,000"),
        Way("ils", "what ils_import reads", some, fewer, ours("ils")),
    ]
    for name, words in PEER_WAYS.items():
        found.append(Way(name, words, small, of_peers, theirs(name)))
    found.append(
        Way(
            "polars_marc21",
            "polars-marc21: six columns, UTF-8 only",
            lambda: utf8_only(catalogue(10 * of_peers)),
            0,
            theirs("polars_marc21"),
        )
    )
    if shutil.which("yaz-marcdump"):
        found.append(Way("yaz", "yaz-marcdump: lines", small, of_peers, lambda file: ["sh", "-c", f"exec yaz-marcdump {file} > /dev/null"]))
    return found


#: Which of our ways stands beside which peer's.
BESIDE = {"long": ("pymarc", "marctable", "mrrc", "bib2"), "six": ("polars_marc21",)}
PEER_WAYS = {
    "pymarc_iterate": "pymarc: iterate",
    "pymarc": "pymarc: long Parquet",
    "mrrc_iterate": "mrrc: iterate",
    "mrrc": "mrrc: long Parquet",
    "marctable": "marctable: Parquet",
    "bib2": "bib2: long Parquet",
}


def measure(way: Way, repeats: int) -> tuple[float, float] | None:
    """Records a second by the clock and a processor second, printed and told; None if it did not come to its end."""
    try:
        file = way.file()
        command = way.command(file)
    except (OSError, subprocess.SubprocessError) as error:  # a peer that cannot be had here
        print(f"| {way.words} | failed: {error} |", flush=True)
        return None
    records = way.records or file.read_bytes().count(b"\x1d")
    begun = os.getloadavg()[0]
    one = median([run(command, dict(way.environment)) for _ in range(repeats)])
    if one.status:
        print(f"| {way.words} | failed: {one.said} |", flush=True)
        return None
    rate, of_cpu = records / one.seconds, records / max(one.cpu, 1e-9)
    print(
        f"| {way.words} | {rate:,.0f} | {of_cpu:,.0f} | {one.seconds:.2f} | {one.cpu:.2f} | {one.peak:,} | {begun:.1f} | {one.said} |",
        flush=True,
    )
    row("marc", f"{way.words}: records a second", rate, "records/s", way.goal)
    row("marc", f"{way.words}: records a CPU second", of_cpu, "records/s")
    row("marc", f"{way.words}: whole command", one.seconds, "s", "4 s" if way.name == "compare" else "")
    row("marc", f"{way.words}: peak", one.peak, "MiB", "at most 300" if way.goal else "")
    return rate, of_cpu


def main(chosen: list[Way], repeats: int) -> int:
    """Measure these; returns how many did not come to their end."""
    print("| way | records/s | a CPU second | s | CPU s | peak MiB | load before | said |\n|---|---:|---:|---:|---:|---:|---:|---|")
    rates = {way.name: rates for way in chosen if (rates := measure(way, repeats))}
    for mine, others in BESIDE.items():
        for other in others:
            if mine in rates and other in rates:
                clock, cpu = (rates[mine][which] / rates[other][which] for which in (0, 1))
                print(f"{mine} beside {other}: {clock:.1f} times as fast by the clock, {cpu:.1f} times a CPU second")
                row("marc", f"{mine} beside {other}, by the clock", clock, "x as fast", GOALS.get(other, ""))
                row("marc", f"{mine} beside {other}, a CPU second", cpu, "x as fast")
    OUT.unlink(missing_ok=True)
    return len(chosen) - len(rates)


#: By how much we would be faster than these.
GOALS = {"pymarc": "30", "marctable": "60", "polars_marc21": "2.4"}


if __name__ == "__main__":
    names = [way.name for way in ways(1_000_000, 20_000)]
    parser = argparse.ArgumentParser(prog="python -m tests.bench.marc")
    parser.add_argument("records", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--peers-records", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--parts", nargs="+", choices=names, metavar="PART", help=f"only these: {', '.join(names)}")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "FILE"), help="run one of our ways in this process")
    given = parser.parse_args()
    if given.one:
        done = OURS[given.one[0]](Path(given.one[1]), OUT)
        print(json.dumps({"records": done}))
    else:
        asked = [way for way in ways(given.records, given.peers_records) if not given.parts or way.name in given.parts]
        sys.exit(main(asked, given.repeats))
