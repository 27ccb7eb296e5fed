"""Loans selected, as lines, and files encrypted to outside: python -m tests.bench.adhl_upload [--rows 1000000] [--mb 500] [--loans 1000000]

Selection: see adhl_select.py.

Lines: both forms, beside Python's csv row by row. Encryption: each scheme, beside GnuPG and OpenSSL, in both directions: the independent tool
opens what we made and we open what it made. Each is a process of its own; memory is its peak above what it has when everything is imported.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.adhl.upload import lines
from connectors.adhl.upload.rendering import ordered
from include.engine.crypto.envelope import decrypt, encrypting, recipient
from tests.bench import adhl_select
from tests.bench.row import row
from tests.engine.crypto.envelope.keys import NOW, Key, certificate
from tests.engine.crypto.envelope.peak import Children, peak
from tests.engine.crypto.envelope.tools import gnupg

MB = 1 << 20


def loans(rows: int, seed: int = 1) -> pa.Table:
    """Home loans of a month by one borrower for 20 of them."""
    chance = np.random.default_rng(seed)
    names = pa.array([f"{number:032x}" for number in range(max(1, rows // 20))])
    return pa.table(
        {
            "loan_date": pa.array(chance.integers(20_000, 20_030, rows).astype("int32")).cast(pa.date32()),
            "borrower": names.take(pa.array(chance.integers(0, len(names), rows))),
            "sex": pa.array(["m", "k"]).take(pa.array(chance.integers(0, 2, rows))),
            "birth_year": pa.array(chance.integers(1940, 2015, rows).astype("int16")),
            "local_id": pa.array(chance.integers(10_000_000, 99_999_999, rows)).cast(pa.string()),
        }
    )


def plainly(table: pa.Table) -> bytes:
    """The peer: the same lines by Python's csv, unsorted, a line a loan."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for batch in table.to_batches(max_chunksize=50_000):
        for day, *rest in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            writer.writerow((f"{day:%Y%m%d}", *rest))
    return out.getvalue().encode()


def bench_lines(rows: int) -> None:
    """Seconds of the clock and of the processor, medians of three."""
    table = loans(rows)
    ways: dict[str, Callable[[], bytes]] = {
        "a line a loan": lambda: lines.render(table, many_titles=False),
        "a line a borrower and day": lambda: lines.render(table, many_titles=True),
        "Python's csv, unsorted": lambda: plainly(table),
    }
    for name, work in ways.items():
        taken = [_timed(work) for _ in range(3)]
        clock, core = (statistics.median(one[at] for one in taken) for at in (0, 1))
        print(f"lines, {name}: {rows / clock / 1e6:.2f}M loans/s ({rows / core / 1e6:.2f}M a second of a core)")
        row("adhl_upload", f"lines, {name}", rows / clock, "loans/s", "" if "csv" in name else "1,000,000")
    found = _child("memory", {"rows": 5 * rows})
    print(
        f"lines of {5 * rows:,} loans, 500,000 sorted at a time: {found['above_mb']:.0f} MB above the interpreter, {found['clock']:.1f} s"
    )
    row("adhl_upload", f"memory, lines of {5 * rows:,} loans", found["above_mb"], "MB", "bounded")


def _timed(work: Callable[[], bytes]) -> tuple[float, float]:
    clock, core = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - core


def bench_encryption(mb: int) -> None:
    """Our side and the independent tool, each encrypting and decrypting, and each opening the other's."""
    with tempfile.TemporaryDirectory(prefix="adhl") as name:
        folder = Path(name)
        block = np.random.default_rng(1).bytes(MB)
        with (folder / "plain").open("wb") as out:
            for _ in range(mb):
                out.write(block)
        _openpgp(folder, mb)
        _cms(folder, mb)


def _openpgp(folder: Path, mb: int) -> None:
    with gnupg() as (gpg, key):
        _keep(folder, key)
        quick = [*gpg, "--compress-algo", "none"]
        _tool("gpg encrypts", [*quick, "-r", key.fingerprint, "-o", str(folder / "theirs"), "-e", str(folder / "plain")], mb)
        _ours("openpgp", folder, mb)
        _tool("gpg decrypts ours", [*gpg, "-o", str(folder / "opened"), "-d", str(folder / "ours")], mb)
    _same(folder)


def _cms(folder: Path, mb: int) -> None:
    key = certificate()
    _keep(folder, key)
    (folder / "cert.pem").write_bytes(key.public)
    for name in ("ours", "theirs", "opened", "again"):
        (folder / name).unlink(missing_ok=True)
    cms = ["openssl", "cms", "-binary", "-in"]
    whole = ["-encrypt", "-stream", "-aes256", "-outform", "DER", "-out", str(folder / "theirs"), str(folder / "cert.pem")]
    _tool("openssl encrypts", [*cms, str(folder / "plain"), *whole], mb)
    _ours("cms", folder, mb)
    keys = ["-inkey", str(folder / "secret"), "-recip", str(folder / "cert.pem")]
    _tool("openssl decrypts ours", [*cms, str(folder / "ours"), "-decrypt", "-inform", "DER", *keys, "-out", str(folder / "opened")], mb)
    _same(folder)


def _keep(folder: Path, key: Key) -> None:
    (folder / "secret").write_bytes(key.secret)
    (folder / "public").write_bytes(key.public)
    (folder / "fingerprint").write_text(key.fingerprint)


def _ours(scheme: str, folder: Path, mb: int) -> None:
    for what, goal in (("encrypt", "64 MB"), ("decrypt", "")):
        found = _child(what, {"scheme": scheme, "folder": str(folder)})
        memory = found["above_mb"] + found["child_mb"]
        print(
            f"{scheme}: we {what} {mb} MB: {found['clock']:.2f} s, {found['core']:.2f} s of a core; "
            f"{found['above_mb']:.0f} MB above the interpreter, and a child of {found['child_mb']:.0f} MB"
        )
        row("adhl_upload", f"{scheme}, we {what} {mb} MB", found["clock"], "s")
        row("adhl_upload", f"{scheme}, memory to {what}", memory, "MB", goal)


def _tool(name: str, command: list[str], mb: int) -> None:
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    clock, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    core = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{name} {mb} MB: {clock:.2f} s, {core:.2f} s of a core")
    row("adhl_upload", f"{name} {mb} MB", clock, "s")


def _same(folder: Path) -> None:
    plain = _digest(folder / "plain")
    assert _digest(folder / "opened") == plain, "the tool opened something else than we sealed"
    assert _digest(folder / "again") == plain, "we opened something else than the tool sealed"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _child(what: str, asked: dict[str, Any]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.adhl_upload", "--child", what, json.dumps(asked)], check=True, stdout=subprocess.PIPE
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def child(what: str, asked: dict[str, Any]) -> None:
    """One measurement in this process."""
    if what == "memory":
        table = loans(100_000)
        times = asked["rows"] // 100_000

        def stream() -> pa.RecordBatchReader:
            batches = (batch for number in range(times) for batch in _later(table, number).to_batches())
            return pa.RecordBatchReader.from_batches(table.schema, batches)

        with _measured():
            for part in ordered(stream, 500_000):
                lines.render(part, many_titles=True)
        return
    folder, scheme = Path(asked["folder"]), asked["scheme"]
    key = Key((folder / "public").read_bytes(), (folder / "secret").read_bytes(), (folder / "fingerprint").read_text())
    to = [recipient(scheme, "key", key.public, key.fingerprint, at=NOW)]
    with _measured():
        if what == "encrypt":
            with (folder / "plain").open("rb") as plain, (folder / "ours").open("wb") as out, encrypting(scheme, out, to) as sealed:
                while block := plain.read(MB):
                    sealed.write(block)
        else:
            with (folder / "theirs").open("rb") as theirs:
                decrypt(scheme, theirs, key.secret, folder / "again")


def _later(table: pa.Table, days: int) -> pa.Table:
    """The same loans on other days."""
    shifted = pc.add(table.column("loan_date").cast(pa.int32()), pa.scalar(30 * days, pa.int32())).cast(pa.date32())
    return table.set_column(0, "loan_date", shifted)


@contextmanager
def _measured() -> Any:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew (Linux, proc(5))
    before, clock, core = peak(), time.perf_counter(), time.process_time()
    with Children() as watched:
        yield
    clock, core = time.perf_counter() - clock, time.process_time() - core
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    core += children.ru_utime + children.ru_stime
    print(json.dumps({"clock": clock, "core": core, "above_mb": peak() - before, "child_mb": watched.mb}))


def main() -> None:
    """Print each figure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.adhl_upload", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--mb", type=int, default=500)
    parser.add_argument("--loans", type=int, default=1_000_000)
    parser.add_argument("--child", nargs=2)
    asked = parser.parse_args()
    if asked.child:
        child(asked.child[0], json.loads(asked.child[1]))
        return
    print(f"load {os.getloadavg()[0]:.1f}")
    if asked.loans:
        adhl_select.run(asked.loans)
    if asked.rows:
        bench_lines(asked.rows)
    if asked.mb:
        bench_encryption(asked.mb)


if __name__ == "__main__":
    main()
