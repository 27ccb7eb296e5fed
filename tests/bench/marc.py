"""MARC against its peers: python -m tests.bench.marc [RECORDS] [--peers-records N] [--repeats 3]

Each way runs in a process of its own, so that its time, processor time and memory are its own; the median of the repeats counts. The peers
come from PyPI into .bench/peers, through uv; yaz-marcdump is used where it is installed. docs/marc.md has the table and what it means.
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
#: marctable's newest versions are for Python 3.12 and later; where uv finds none, PEERS_PYTHON is its path.
PYTHON = os.environ.get("PEERS_PYTHON", ">=3.12")
PACKAGES = ["pymarc", "marctable>=0.8", "mrrc", "polars-marc21", "bib2", "pyarrow"]
SIX = {"control_number": "001", "f008": "008", "author": "100$a", "title": "245$a", "subtitle": "245$b", "responsibility": "245$c"}


@dataclass(frozen=True)
class Measured:
    """Wall seconds, processor seconds, peak MiB, and what was said at the end."""

    seconds: float
    cpu: float
    peak: int
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
    _, _, used = os.wait4(process.pid, 0)
    return Measured(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss >> 10, said)


def median(ways: list[Measured]) -> Measured:
    by_time = sorted(ways, key=lambda one: one.seconds)
    return by_time[len(by_time) // 2]


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


class Table:
    """Measures and prints line by line."""

    def __init__(self, repeats: int) -> None:
        self.repeats = repeats
        self.rates: dict[str, float] = {}

    def add(self, name: str, records: int, command: list[str], environment: dict[str, str] | None = None, goal: str = "") -> None:
        one = median([run(command, environment) for _ in range(self.repeats)])
        rate, of_cpu = records / one.seconds, records / max(one.cpu, 1e-9)
        self.rates[name] = of_cpu
        print(f"| {name} | {rate:,.0f} | {of_cpu:,.0f} | {one.peak:,} | {one.said} |", flush=True)
        row("marc", f"{name}: records a second", rate, "records/s", goal)
        row("marc", f"{name}: records a CPU second", of_cpu, "records/s")
        row("marc", f"{name}: peak", one.peak, "MiB", "at most 300" if goal else "")


def ours(way: str, file: Path) -> list[str]:
    return [sys.executable, "-m", "tests.bench.marc", "--one", way, str(file)]


def main(records: int, of_peers: int, repeats: int) -> None:
    """All ways, ours and the peers'."""
    table, small = Table(repeats), catalogue(of_peers)
    of_xml = min(records, 200_000)
    file, bad, xml = catalogue(records), catalogue(records, bad=0.02), FOLDER / f"{of_xml}.xml"
    catalogue(records, day=2)
    if not xml.exists():  # in a process of its own: a child's peak is at least what its parent holds
        run(ours("iso_to_xml", catalogue(of_xml)))
        (FOLDER / "ours.out").replace(xml)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {records:,} records, peers {of_peers:,}")
    print("| way | records/s | a CPU second | peak MiB | |\n|---|---:|---:|---:|---|")
    numpy_only = {"BINDERY_MARC_KERNEL": "off"}
    table.add("Bindery: scan", records, ours("scan", file))
    table.add("Bindery: long Parquet", records, ours("long", file), goal="at least 150,000")
    table.add("Bindery: long Parquet, NumPy only", records, ours("long", file), numpy_only, goal="at least 90,000")
    table.add("Bindery: long Parquet, 2 % damaged", records, ours("long", bad), goal="at least half of clean")
    table.add("Bindery: six columns", records, ours("six", file), goal="at least 250,000")
    table.add("Bindery: two exports compared", 2 * records, ours("diff", file), goal="2 x 1M under 4 s")
    table.add("Bindery: ISO 2709 to MARCXML", records, ours("iso_to_xml", file))
    table.add("Bindery: MARCXML to long Parquet", of_xml, ours("xml_to_long", xml), goal="at least 40,000")
    table.add("Bindery: what ils_import reads", records, ours("ils", file))
    theirs = lambda way, source: [str(peers()), "tests/bench/marc_peers.py", way, str(source), str(FOLDER / "peer.parquet")]  # noqa: E731
    for way, name in (("pymarc_iterate", "pymarc: iterate"), ("pymarc", "pymarc: long Parquet"), ("mrrc_iterate", "mrrc: iterate"),
                      ("mrrc", "mrrc: long Parquet"), ("marctable", "marctable: Parquet"), ("bib2", "bib2: long Parquet")):  # fmt: skip
        table.add(name, of_peers, theirs(way, small))
    utf8 = utf8_only(small)
    table.add("polars-marc21: six columns, UTF-8 only", utf8.read_bytes().count(b"\x1d"), theirs("polars_marc21", utf8))
    if shutil.which("yaz-marcdump"):
        table.add("yaz-marcdump: to line", of_peers, ["sh", "-c", f"exec yaz-marcdump {small} > /dev/null"])
    for peer in ("pymarc: long Parquet", "marctable: Parquet", "mrrc: long Parquet", "bib2: long Parquet"):
        ratio = table.rates["Bindery: long Parquet"] / table.rates[peer]
        print(f"long Parquet, a CPU second: {ratio:.0f} x {peer}")
        row("marc", f"long Parquet beside {peer}, a CPU second", ratio, "x as fast")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.marc")
    parser.add_argument("records", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--peers-records", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "FILE"), help="run one of our ways only")
    given = parser.parse_args()
    if given.one:
        done = OURS[given.one[0]](Path(given.one[1]), FOLDER / "ours.out")
        print(json.dumps({"records": done}))
    else:
        main(given.records, given.peers_records, given.repeats)
