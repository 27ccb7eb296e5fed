"""The sidecar's log: one JSON object a line on standard error, for whatever gathers logs; nothing in it says who somebody is.

`messages=True` adds every line of SIP2, both ways, to find out what a kiosk says: with its secrets left out and personal fields as shapes
(`AA#######`, `AEXxxx Xxxx`). What an exception says is masked too, and of its traceback only the places are written, never the values.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from include.engine.faults import places
from include.engine.privacy.mask import mask

MESSAGES = "bindery.circulation.messages"


class Lines(logging.Formatter):
    """A record as a line of JSON: when, how grave, which part of the sidecar, and what."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "what": mask(record.getMessage()),
        }
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            found["error"] = type(error).__name__
            found["said"] = mask(str(error))
            found["where"] = [f"{place} {name}" for place, name in places(error)]
        return json.dumps(found, ensure_ascii=False)


def begin(*, messages: bool = False) -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.disable(logging.NOTSET)
    for name, one in root.manager.loggerDict.items():
        if isinstance(one, logging.Logger) and name.partition(".")[0] == "bindery":  # whoever set logging up before may have silenced ours
            one.disabled, one.propagate = False, True
            one.setLevel(logging.NOTSET)
    logging.getLogger("bindery").setLevel(logging.INFO)
    logging.getLogger(MESSAGES).setLevel(logging.DEBUG if messages else logging.WARNING)
