"""What one process of the harness does: a step as `dags/house/steps.py` runs it, or what happens around it.

python -m tests.crash.task receive lindeby__patron__20261121T0300__3fa9c2d1       (BINDERY_HOME and so on in the environment)
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from connectors import flow_models
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.errors import BinderyError, Held, Refused, StaleToken

CONNECTORS = {
    "ils_import": "connectors.ils.inbound",
    "oai_harvest": "connectors.oai_pmh.inbound",
    "circulation_journal": "connectors.circulation.lake.inbound",
}
STEPS = ("receive", "gate", "publish", "acknowledge")
DONE, TROUBLE, STOPPED, OVERTAKEN = 0, 1, 2, 3
"""How a process ends: well; in trouble that a retry may mend; refused or held, which no retry mends; by the fence."""


def step(name: str, engine: Engine, delivery: str) -> Any:
    """One of STEPS, as `_run` of dags/house/steps.py calls it."""
    from include.engine.ledger import deliveries

    connector = import_module(CONNECTORS[deliveries.get(engine.ledger, delivery).flow])
    return getattr(import_module(f"include.engine.inbound.{name}"), name)(engine, delivery, connector)


def begin(engine: Engine, partner: str, flow: str) -> str:
    """Start a partner's scheduled flow as a person does, and let dispatch claim it; returns the delivery's id."""
    from include.engine.dispatch.look import look as look_once
    from include.engine.dispatch.start import start

    made = start(engine, partner, flow, who="crash harness")
    assert made.id in [one.id for one in look_once(engine)]
    return made.id


def look(engine: Engine, hours: str = "0") -> list[str]:
    """A round of dispatch, `hours` from now; returns the deliveries whose runs are to be started."""
    import time_machine

    from include.engine import clock
    from include.engine.dispatch.look import look as look_once

    if float(hours) == 0:
        return [one.id for one in look_once(engine)]
    from datetime import timedelta

    with time_machine.travel(clock.now() + timedelta(hours=float(hours))):
        return [one.id for one in look_once(engine)]


def compact(engine: Engine, *tables: str) -> int:
    """Write the small files of `tables` together."""
    from include.engine.lake.maintenance import compact as compact_table

    return sum(compact_table(engine.lake, table) for table in tables)


def forget(engine: Engine, partner: str, table: str, row_hash: str) -> int:
    """What an erasure does to one table of the lake, whatever is at work; returns the rows that went."""
    import pyarrow.dataset as ds

    from include.engine.lake.maintenance import history_without
    from include.engine.ledger import manifests
    from include.engine.ledger.manifests import Versions

    gone = history_without(engine.lake, table, partner, ds.field("_row_hash") == int(row_hash), erasure="crash")
    manifests.pin(engine.ledger, None, {table: Versions(gone.version_before, gone.version_after)})
    return gone.rows


def erase(engine: Engine, partner: str, patron_id: str) -> str:
    """Erase one patron, as the DAG `erasure` does."""
    from include.engine.erasure.erase import ask
    from include.engine.erasure.erase import erase as erase_subject

    return erase_subject(engine, partner, ask(engine, partner, patron_id=patron_id), who="crash harness").number


def watch(engine: Engine, out: str) -> int:
    """A reader that pins the manifest again and again, until the file `<out>.stop` is there; each new state goes into `out`, a line each."""
    from tests.crash.state import pinned_state

    seen: list[dict[str, Any]] = []
    looks = 0
    with Path(out).open("w") as lines:
        while not Path(f"{out}.stop").exists():
            state = pinned_state(engine)
            looks += 1
            if not seen or state != seen[-1]:
                seen.append(state)
                lines.write(json.dumps(state) + "\n")
                lines.flush()
            time.sleep(0.02)
    return looks


ACTIONS: Mapping[str, Callable[..., Any]] = {
    "look": look,
    "begin": begin,
    "compact": compact,
    "forget": forget,
    "erase": erase,
    "watch": watch,
}


def run(name: str, arguments: list[str], environment: Mapping[str, str]) -> tuple[int, Any]:
    """Do it; the exit status, and what is to be told."""
    try:
        engine = Engine.open(EnvironmentCredentials(environment), flow_models(), environment)
        said = step(name, engine, *arguments) if name in STEPS else ACTIONS[name](engine, *arguments)
        return DONE, said if isinstance(said, list | int | str) else str(said)
    except StaleToken as fenced:
        return OVERTAKEN, str(fenced)
    except (Refused, Held) as stop:
        return STOPPED, str(stop)
    except BinderyError as trouble:
        traceback.print_exc()
        return TROUBLE, str(trouble)
    except Exception as error:
        traceback.print_exc()
        return TROUBLE, f"{type(error).__name__}: {error}"


def main() -> int:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    code, said = run(sys.argv[1], sys.argv[2:], os.environ)
    print(json.dumps(said))
    return code


if __name__ == "__main__":
    sys.exit(main())
