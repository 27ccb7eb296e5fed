"""The sidecar's log: one JSON object a line on standard error, for whatever gathers logs; nothing in it says who somebody is.

`messages=True` adds every line of SIP2, both ways, to find out what a kiosk says: with its secrets left out and personal fields as shapes
(`AA#######`, `AEXxxx Xxxx`). Of a fault that nobody foresaw its kind and places are written and not its text, as in the log of a task.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType

from include.engine.errors import BinderyError
from include.engine.faults import shown, told
from include.engine.privacy.mask import mask

MESSAGES = "bindery.circulation.messages"


class Lines(logging.Formatter):
    """A record as a line of JSON: when, how grave, which part of the sidecar, and what."""

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        what = record.getMessage()
        if error is not None and not shown():
            what = what.partition("\n")[0]  # behind it the event loop's own message has the fault's text
        found: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "what": mask(what),
        }
        if error is not None:
            found["error"] = type(error).__name__
            found["fault"] = told(error)
        if isinstance(error, BinderyError):
            found["said"] = mask(str(error))
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
    sys.excepthook, threading.excepthook = _uncaught, _uncaught_in_a_thread


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the process is told as any other fault is; Python itself would write its text."""
    if isinstance(error, Exception):
        logging.getLogger("bindery.circulation").critical("the process ends", exc_info=error)
    else:
        sys.__excepthook__(kind, error, trace)


def _uncaught_in_a_thread(of: threading.ExceptHookArgs) -> None:
    if isinstance(of.exc_value, Exception):
        logging.getLogger("bindery.circulation").critical("a thread ends", exc_info=of.exc_value)
    else:
        threading.__excepthook__(of)
