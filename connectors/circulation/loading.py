"""Fill the embedded store from files that a person can write: CSV by table, or one YAML with everything.

    patrons.csv   patron;name;category;pin;cards ...       columns by the names of the store (embedded/schema.sql), and:
    library.yaml  patrons: [...]  items: [...]  loans: [...]  holds: [...]  fees: [...]  rules: {...}  terminals: {...}  doors: {...}

`cards` of a patron are blanks apart; `pin` and `password` are given as they are typed in and kept as hashes (a hash stays as it is); moments
are ISO 8601, amounts in the currency's unit. Times without a zone are UTC.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from connectors.circulation.doors import Doors
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.store import Store
from connectors.circulation.pins import hashed, is_hash
from connectors.circulation.terminals import Terminals
from include.engine.errors import Refused

TABLES = {"patrons": "patron", "items": "item", "loans": "loan", "holds": "hold", "fees": "fee"}
SETTINGS = ("terminals", "rules", "doors")
_MOMENTS = {"loaned_at", "due", "placed", "expires"}
_FLAGS = {"magnetic", "ready"}


def load(files: Iterable[Path], folder: Path, store: Store) -> dict[str, int]:
    """Put everything into the store and the settings' files of `folder`; returns how many rows of what. Refused names file and row."""
    counts: dict[str, int] = {}
    for file in files:
        for name, content in _parts(file):
            if name in SETTINGS:
                _keep_settings(name, content, folder, file)
                counts[name] = counts.get(name, 0) + 1
                continue
            table = TABLES[name]
            for number, row in enumerate(content, start=1):
                try:
                    found = _row(table, row)
                    if cards := found.pop("cards", None):
                        store.fill("card", [{"card": card, "patron": found["patron"]} for card in cards])
                    store.fill(table, [found])
                except (ValueError, InvalidOperation, KeyError, TypeError) as error:
                    raise Refused(f"row {number} of {name} cannot be read: {error}", where=str(file), do="Mend the row.") from error
                counts[name] = counts.get(name, 0) + 1
    return counts


def _parts(file: Path) -> Iterator[tuple[str, Any]]:
    text = file.read_text(encoding="utf-8-sig")
    if file.suffix in (".yaml", ".yml"):
        content = yaml.safe_load(text) or {}
        if unknown := content.keys() - TABLES.keys() - set(SETTINGS):
            raise Refused(f"nothing is called {', '.join(sorted(unknown))}; there are {', '.join((*TABLES, *SETTINGS))}", where=str(file))
        yield from content.items()
        return
    name = next((known for known in TABLES if file.stem.casefold().startswith((known, TABLES[known]))), None)
    if name is None:
        raise Refused(f"{file.name} does not say what it holds: its name begins with {', '.join(TABLES)}", where=str(file))
    first = text.split("\n", 1)[0]
    yield name, csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count))


def _row(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the store has it."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        name = name.strip()
        if value is None or value == "":
            continue
        if name == "cards":
            found[name] = [str(card) for card in value] if isinstance(value, list) else str(value).split()
        elif name in _MOMENTS:
            found[name] = _moment(value)
        elif name in _FLAGS:
            found[name] = int(str(value).strip().casefold() in ("1", "true", "y", "yes"))
        elif name == "outstanding":
            found[name] = int(Decimal(str(value).replace(",", ".")).scaleb(2).to_integral_value())
        elif name == "renewals":
            found[name] = int(value)
        elif name == "pin":
            found[name] = _hash(str(value))
        elif name in ("valid_until", "birth_date"):
            found[name] = (value if isinstance(value, date) else date.fromisoformat(str(value))).isoformat()
        else:
            found[name] = str(value)
    key = table  # each table's key has its name, but for the loan's, which is its item
    if not found.get("item" if key == "loan" else key):
        raise ValueError(f"it has no {'item' if key == 'loan' else key}")
    if table == "loan":
        found.setdefault("renewals", 0)
    return found


def _moment(value: Any) -> int:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _hash(text: str) -> str:
    return text if is_hash(text) else hashed(text)


def _hashed_password(caller: Mapping[str, Any]) -> dict[str, Any]:
    given = caller.get("password")
    return dict(caller) | ({"password": _hash(str(given))} if given is not None else {})


_SHAPES: dict[str, Any] = {"terminals": Terminals, "rules": Rules, "doors": Doors}


def _keep_settings(name: str, content: Any, folder: Path, file: Path) -> None:
    """Write the file that `serve` reads, once it is known to be right."""
    path = folder / f"{name}.yaml"
    if name == "terminals":
        content = dict(content)
        content["terminals"] = {
            login: dict(one) | {"password": _hash(str(one["password"]))} for login, one in content.get("terminals", {}).items()
        }
    if name == "doors":
        callers = {caller: _hashed_password(one) for caller, one in (content.get("callers") or {}).items()}
        content = dict(content) | {"callers": callers}
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    try:
        _SHAPES[name].load(part)
    except Exception:
        part.unlink()
        raise
    part.replace(path)
