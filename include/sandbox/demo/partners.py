"""The demo's own copy of the partners' files, in which nothing falls due while it runs: what it shows must not depend on the hour."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from zoneinfo import ZoneInfo

from include.engine.engine import ROOT

GIVEN = ROOT / "include" / "partners"
_MOMENT = re.compile(r'"(?:daily|weekdays|monthly \d+|\w+day) \d\d:\d\d"')
_FILES = re.compile(r'files: "([^"]+)"')
_EXPECTED = re.compile(r', expected: "[^"]+"')
_ZONE = re.compile(r"^timezone: (\S+)", re.MULTILINE)


def copied(into: Path, now: datetime, without: Collection[str] = (), given: Path = GIVEN) -> Path:
    """The partners' files below `into`, less those `without`; each moment of a calendar is an hour ago, and so comes again in 23 hours."""
    shutil.copytree(given, into, ignore=shutil.ignore_patterns(*(f"{partner}.yaml" for partner in without)))
    for file in into.glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        zone = _ZONE.search(text)
        past = (now - timedelta(hours=1)).astimezone(ZoneInfo(zone[1] if zone else "UTC"))
        file.write_text(_MOMENT.sub(f'"daily {past:%H:%M}"', text), encoding="utf-8")
    return into


def expecting(folder: Path, comes: Mapping[str, Collection[str]]) -> None:
    """Only what the demo drops is expected: `comes` has the names of each partner's files. Else every library would stand there as late."""
    for partner, names in comes.items():
        file = folder / f"{partner}.yaml"
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        patterns = [found[1] for line in lines if (found := _FILES.search(line))]
        delivered = {next((one for one in patterns if fnmatchcase(name, one)), "") for name in names}  # the first that fits counts
        for number, line in enumerate(lines):
            if (found := _FILES.search(line)) and found[1] not in delivered:
                lines[number] = _EXPECTED.sub("", line)
        file.write_text("".join(lines), encoding="utf-8")
