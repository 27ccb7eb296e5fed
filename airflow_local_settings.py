"""Airflow imports this in each of its processes. In the scheduler, whose workers are forked for each task, it warms up what every task needs.

Great Expectations takes 6.5 s to import: imported here once, a gate's task begins at once. Importing is all that is safe before a fork: polars
and deltalake, once used, hang the child.
"""

from __future__ import annotations

import sys
from importlib import import_module

if "scheduler" in sys.argv:
    for module in ("connectors.bi.feed", "connectors.ils.inbound", "include.engine.dispatch.look"):
        import_module(module)
    for step in ("receive", "gate", "publish", "acknowledge"):
        import_module(f"include.engine.inbound.{step}")
