"""The demo's own copy of the partners' files, in which nothing falls due while it runs: what it shows must not depend on the hour."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from include.engine.engine import ROOT

GIVEN = ROOT / "include" / "partners"
_MOMENT = re.compile(r'"(?:daily|weekdays|monthly \d+|\w+day) \d\d:\d\d"')
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
