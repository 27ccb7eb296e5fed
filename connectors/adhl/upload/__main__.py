"""`python -m connectors.adhl.upload forget lindeby 2025`: destroy the key of an epoch, so that nobody can tell whose its pseudonyms were."""

from __future__ import annotations

import argparse

from connectors import flow_models
from include.engine.credentials import EnvironmentCredentials
from include.engine.engine import Engine
from include.engine.ledger import audit
from include.engine.privacy.pseudonym import subject


def forget(engine: Engine, partner: str, epoch: str, *, who: str) -> int:
    """Destroy what made the pseudonyms of a partner's epoch (`2025`, `2025H1`, `2025Q3`, `2025-11`, `1`); returns how many keys there were."""
    keys = engine.keys.find("pseudonym-adhl", subject(partner, epoch))
    engine.keys.destroy_all(keys, why=f"epoch {epoch} of {partner}, asked for by {who}")
    audit.record(engine.ledger, who, "forget epoch", f"{partner}/adhl/{epoch}", {"keys": keys})
    return len(keys)


def main() -> None:
    """Say what was done."""
    parser = argparse.ArgumentParser(prog="python -m connectors.adhl.upload", description=__doc__)
    parser.add_argument("what", choices=["forget"])
    parser.add_argument("partner")
    parser.add_argument("epoch")
    parser.add_argument("--who", required=True, help="who asks for it: it stands in the audit")
    asked = parser.parse_args()
    found = forget(Engine.open(EnvironmentCredentials(), flow_models()), asked.partner, asked.epoch, who=asked.who)
    print(f"{found} keys destroyed" if found else "there is no such epoch, or its key is gone already")


if __name__ == "__main__":
    main()
