"""The page that Prometheus reads, and the page that says what is on it."""

from __future__ import annotations

import re
from pathlib import Path

from connectors.circulation.forwarding import keeping
from connectors.circulation.metrics import Metrics
from include.engine.engine import ROOT


def test_every_metric_is_in_the_docs_and_every_one_of_the_docs_is_there() -> None:
    page = (ROOT / "docs" / "flows" / "circulation.md").read_text(encoding="utf-8")
    table = page.partition("## What is measured")[2].partition("\n## ")[0]
    told = set(re.findall(r"`((?:sip2|ncip|http|circulation)_\w+)`", table))
    source = Path(str(keeping.__file__)).read_text(encoding="utf-8")
    there = set(re.findall(r"^# TYPE (\w+) (?:counter|gauge|histogram)$", Metrics().page().decode(), re.MULTILINE))
    there = {name for name in there if not name.endswith("_created")} | set(re.findall(r'Gauge\("(\w+)"', source))
    assert told == there
