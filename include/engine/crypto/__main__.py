"""`python -m include.engine.crypto status` and `... rewrap --who NAME`: under which master key the data keys are, and a change of it.

The master keys are the passwords of the connections bindery_master and bindery_master_next, never arguments: arguments end in shell histories.
Steps: docs/production/master-key.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from include.engine.credentials import EnvironmentCredentials
from include.engine.crypto.master import Master
from include.engine.crypto.rewrap import rewrap, standing
from include.engine.engine import FOLLOWING, MASTER, Engine, following_key, master_key
from include.engine.errors import BinderyError, MissingCredential


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0; 1 with the reason on standard error; for `rewrap` also where keys are left that neither master key opens."""
    parser = argparse.ArgumentParser(prog="python -m include.engine.crypto", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("status", help="which master key counts, and how many data keys each of the given ones opens")
    changing = commands.add_parser(
        "rewrap", help="wrap every data key under the master key of bindery_master_next; goes on where it was cut off"
    )
    changing.add_argument("--who", required=True, help="who does it, for the audit")
    given = parser.parse_args(arguments)
    try:
        engine = Engine.open(EnvironmentCredentials(), {})
        return _status(engine) if given.command == "status" else _rewrap(engine, given.who)
    except BinderyError as error:
        print(error, file=sys.stderr)
        return 1


def _status(engine: Engine) -> int:
    master, following = master_key(engine.credentials), following_key(engine.credentials)
    found = standing(engine.ledger, master, *([following] if following else []))
    names = {Master(master).fingerprint: MASTER} | ({Master(following).fingerprint: FOLLOWING} if following else {})
    for fingerprint, connection in names.items():
        print(f"{connection} ({fingerprint}): opens {found.keys.get(fingerprint, 0):,} data keys")
    if unopened := found.keys.get(""):
        print(f"no key given: {unopened:,} data keys are opened by none of these")
    if found.counts is None:
        print("the master key was never changed")
    else:
        print(f"{found.counts} counts: {'the change to it is through' if found.finished else 'the change to it is not through'}")
    return 0


def _rewrap(engine: Engine, who: str) -> int:
    following = following_key(engine.credentials)
    if following is None:
        raise MissingCredential(f"the connection {FOLLOWING!r} is not there.", do="Give it the new master key: `openssl rand -base64 32`.")
    done = rewrap(engine.ledger, master_key(engine.credentials), following, who=who)
    print(f"from {done.before} to {done.after}: {done.wrapped:,} data keys wrapped anew, {done.already:,} were already")
    for key_id in done.unreadable:
        print(f"opened by neither master key, left as it is: {key_id}", file=sys.stderr)
    return 1 if done.unreadable else 0


if __name__ == "__main__":
    raise SystemExit(main())
