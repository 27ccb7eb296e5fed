"""`python -m include.engine.gate docs < RESULTS.json > PAGE.html`: a delivery's rule results as Great Expectations' Data Docs.

A process of its own, because Great Expectations takes seconds and 260 MB to load, which a server of pages does not spend. The input is
{"contract", "folder", "delivery", "today", "at", "rows", "results": [{"rule", "severity", "reason", "checked", "failed", "passed"}, ...]}.
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime
from typing import Any

from include.engine.contract.loading import load
from include.engine.gate.docs import data_docs
from include.engine.gate.result import RuleResult, Verdict


def page(asked: dict[str, Any]) -> str:
    """The page for the figures in `asked`; there is no value of a row among them."""
    results = tuple(RuleResult(**one) for one in asked["results"])
    failed = sum(one.failed for one in results if one.severity == "quarantine")
    passed = all(one.passed for one in results)
    verdict = Verdict(passed, None, "", results, rows_in=asked["rows"], accepted=asked["rows"] - failed, quarantined=failed)
    contract = load(asked["contract"], asked["folder"])
    return data_docs(
        contract, verdict, delivery=asked["delivery"], today=date.fromisoformat(asked["today"]), at=datetime.fromisoformat(asked["at"])
    )


if __name__ == "__main__":
    if sys.argv[1:] != ["docs"]:
        print("python -m include.engine.gate docs < RESULTS.json > PAGE.html", file=sys.stderr)
        sys.exit(2)
    sys.stdout.write(page(json.load(sys.stdin)))
