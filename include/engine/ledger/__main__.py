"""`python -m include.engine.ledger`: bring the ledger of this installation (BINDERY_LEDGER, BINDERY_HOME) to this version."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from include.engine.ledger.database import Ledger


def main(arguments: Sequence[str] | None = None) -> int:
    """Safe to run again, and by several at once."""
    argparse.ArgumentParser(prog="python -m include.engine.ledger", description=__doc__).parse_args(arguments)
    home = Path(os.environ.get("BINDERY_HOME", ".bindery")).absolute()
    ledger = Ledger(os.environ.get("BINDERY_LEDGER") or f"sqlite:///{home}/ledger.db")
    ledger.migrate()
    print(f"the ledger is at revision {ledger.revision()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
