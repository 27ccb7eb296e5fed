"""`python -m include.engine.ledger`: bring the ledger of this installation (BINDERY_LEDGER, BINDERY_HOME) to this version."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from include.engine.ledger.database import Ledger


def main() -> int:
    """Safe to run again, and by several at once."""
    home = Path(os.environ.get("BINDERY_HOME", ".bindery")).absolute()
    ledger = Ledger(os.environ.get("BINDERY_LEDGER") or f"sqlite:///{home}/ledger.db")
    ledger.migrate()
    print(f"the ledger is at revision {ledger.revision()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
