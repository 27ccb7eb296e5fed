"""`python -m include.engine.erasure ask PARTNER` and `... erase PARTNER REFERENCE --who NAME`.

The patron id, card number or prospect's number is asked for, never given as an argument: arguments end in shell histories and process lists.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence

from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.erasure.erase import ask, erase
from include.engine.errors import BinderyError


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m include.engine.erasure", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    asking = commands.add_parser("ask", aliases=["pseudonym"], help="note whom to erase; prints the reference to erase them by")
    asking.add_argument("partner")
    asking.add_argument("--card", action="store_true", help="the number is a card's, not the library system's patron id")
    asking.add_argument("--prospect", action="store_true", help="the number is one of the library's list of prospects")
    erasing = commands.add_parser("erase", help="erase; prints where the certificate is")
    erasing.add_argument("partner")
    erasing.add_argument("reference")
    erasing.add_argument("--who", required=True, help="who asked for it")
    given = parser.parse_args(arguments)
    try:
        engine = Engine.open(EnvironmentCredentials(), {})
        if given.command == "erase":
            print(erase(engine, given.partner, given.reference, who=given.who))
            return 0
        kind = "card" if given.card else "prospect" if given.prospect else "patron_id"
        print(ask(engine, given.partner, **{kind: _number(_PROMPTS[kind])}))
    except (BinderyError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


_PROMPTS = {"card": "Card number: ", "prospect": "Number in the list of prospects: ", "patron_id": "Patron id: "}


def _number(prompt: str) -> str:
    return (getpass.getpass(prompt) if sys.stdin.isatty() else sys.stdin.readline()).strip()


if __name__ == "__main__":
    raise SystemExit(main())
