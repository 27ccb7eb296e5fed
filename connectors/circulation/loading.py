"""Fill the embedded store from files that a person can write: CSV by table, or one YAML with everything.

    patrons.csv   patron;name;category;pin;cards ...       columns by the names of the store (embedded/schema.sql), and:
    library.yaml  patrons: [...]  items: [...]  loans: [...]  holds: [...]  fees: [...]  rules: {...}  terminals: {...}  doors: {...}

`cards` of a patron are blanks apart; `pin` and `password` are given as they are typed in and kept as hashes (a hash stays as it is), which
takes its time: first everything is read, so that a mistake is told before; moments are ISO 8601, amounts in the currency's unit. Times without a zone are UTC.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import yaml

from connectors.circulation.domain import ItemStatus
from connectors.circulation.doors import Doors
from connectors.circulation.embedded.direct import COLUMNS
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.store import Store
from connectors.circulation.hashing import Told, hash_of, hashes
from connectors.circulation.terminals import Terminals
from connectors.circulation.words import LANGUAGES
from connectors.circulation.words import table as reasons
from include.engine.errors import Refused, SettingsError

TABLES = {"patrons": "patron", "items": "item", "loans": "loan", "holds": "hold", "fees": "fee"}
SETTINGS = ("terminals", "rules", "doors")
_MOMENTS = {"loaned_at", "due", "placed", "expires"}
_FLAGS = {"magnetic", "ready"}
_DAYS = {"valid_until", "birth_date"}
_NEEDED = {
    "patron": (),
    "item": (),
    "loan": ("patron", "loaned_at", "due"),
    "hold": ("patron", "title_id", "placed"),
    "fee": ("patron", "outstanding"),
}
_FORMS = {"outstanding": "an amount such as 12.50", "renewals": "a number"}
_FORMS |= dict.fromkeys(_MOMENTS, "a moment such as 2026-11-22T10:00:00+01:00") | dict.fromkeys(_DAYS, "a day such as 2026-11-22")


def load(files: Iterable[Path], folder: Path, store: Store, told: Told = lambda _done, _all: None) -> dict[str, int]:
    """Put everything into the store and the settings' files of `folder`; returns how many rows of what. Refused names file and row.
    `told` hears how many PINs are hashed."""
    counts: dict[str, int] = {}
    patrons: list[dict[str, Any]] = []
    for file in files:
        for name, content in _parts(file):
            if name in SETTINGS:
                _keep_settings(name, content, folder, file)
                counts[name] = counts.get(name, 0) + 1
                continue
            table = TABLES[name]
            for number, row in enumerate(content or (), start=1):
                try:
                    found = _row(table, row)
                    if cards := found.pop("cards", None):
                        store.fill("card", [{"card": card, "patron": found["patron"]} for card in cards])
                    if table == "patron":
                        patrons.append(found)
                    else:
                        store.fill(table, [found])
                except ValueError as error:
                    raise Refused(f"row {number} of {name} cannot be read: {error}", where=str(file), do="Mend the row.") from None
                counts[name] = counts.get(name, 0) + 1
    with_pin = [found for found in patrons if "pin" in found]
    for found, pin in zip(with_pin, hashes([found["pin"] for found in with_pin], told), strict=True):
        found["pin"] = pin
    for found in patrons:
        store.fill("patron", [found])
    return counts


def _parts(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"byte {error.start:,} is no UTF-8.", where=str(file), do="Save the file as UTF-8.") from None
    if file.suffix in (".yaml", ".yml"):
        content = _yaml(text, file)
        if unknown := content.keys() - TABLES.keys() - set(SETTINGS):
            raise Refused(f"nothing is called {', '.join(sorted(unknown))}; there are {', '.join((*TABLES, *SETTINGS))}", where=str(file))
        yield from content.items()
        return
    name = next((known for known in TABLES if file.stem.casefold().startswith((known, TABLES[known]))), None)
    if name is None:
        raise Refused(f"{file.name} does not say what it holds: its name begins with {', '.join(TABLES)}", where=str(file))
    first = text.split("\n", 1)[0]
    yield name, csv.DictReader(io.StringIO(text), delimiter=max(",;\t", key=first.count))


def _yaml(text: str, file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:  # whose own words repeat what stands there
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise Refused(
            f"it is no YAML: {line}{getattr(error, 'problem', None) or 'it cannot be read'}.", where=str(file), do="Mend the line."
        ) from None
    if not isinstance(content, dict):
        raise Refused(f"it does not say what it holds: there are {', '.join((*TABLES, *SETTINGS))}", where=str(file))
    return content


def _row(table: str, row: Any) -> dict[str, Any]:
    """A row as the store has it. ValueError says which column is wrong, and never what stands in it."""
    if not isinstance(row, Mapping):
        raise ValueError("it is no row of names and values")
    columns, found = (*COLUMNS[table], *(("cards",) if table == "patron" else ())), dict[str, Any]()
    if columns[0] not in map(str.strip, map(str, row)):  # perhaps a first line with the names is missing: what stands there is not repeated
        raise ValueError(f"it has no {columns[0]}")
    for name, value in row.items():
        if value is None or value == "" or (name is None and not any(value)):
            continue
        if name is None:
            raise ValueError("it has more values than the first line has names")
        name = str(name).strip()
        if name not in columns:
            raise ValueError(f"nothing is called {name}; there are {', '.join(columns)}")
        try:
            found[name] = _value(name, value)
        except (ValueError, TypeError, ArithmeticError):
            raise ValueError(f"{name} is not {_FORMS[name]}" if name in _FORMS else f"{name} cannot be used") from None
    for name, known in (("status", get_args(ItemStatus)), ("language", LANGUAGES)):
        if found.get(name, known[0]) not in known:
            raise ValueError(f"{name} is one of {', '.join(known)}")
    if set(found.get("block", "").split()) - reasons().keys():
        raise ValueError("block is reasons of words.yaml, such as CARD_BLOCKED")
    for name in (COLUMNS[table][0], *_NEEDED[table]):
        if found.get(name) in (None, ""):
            raise ValueError(f"it has no {name}")
    if table == "loan":
        found.setdefault("renewals", 0)
    return found


def _value(name: str, value: Any) -> Any:
    if name == "cards":
        return [str(card) for card in value] if isinstance(value, list) else str(value).split()
    if name in _MOMENTS:
        return _moment(value)
    if name in _FLAGS:
        return int(str(value).strip().casefold() in ("1", "true", "y", "yes"))
    if name == "outstanding":
        return int(Decimal(str(value).replace(",", ".")).scaleb(2).to_integral_value())
    if name == "renewals":
        return int(value)
    if name in _DAYS:
        return (value if isinstance(value, date) else date.fromisoformat(str(value))).isoformat()
    return str(value)


def _moment(value: Any) -> int:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _hashed_password(caller: Any) -> Any:
    given = caller.get("password") if isinstance(caller, dict) else None
    return caller if given is None else caller | {"password": hash_of(str(given))}


_SHAPES: dict[str, Any] = {"terminals": Terminals, "rules": Rules, "doors": Doors}


def _keep_settings(name: str, content: Any, folder: Path, file: Path) -> None:
    """Write the file that `serve` reads, once it is known to be right."""
    path = folder / f"{name}.yaml"
    several = {"terminals": "terminals", "doors": "callers"}.get(name, "")
    if isinstance(content, dict) and isinstance(content.get(several), dict):
        content = content | {several: {login: _hashed_password(one) for login, one in content[several].items()}}
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
    try:
        _SHAPES[name].load(part)
    except SettingsError as error:  # its lines are those of what was written, which nobody has seen
        raise SettingsError(re.sub(r"line \d+: ", "", error.what), where=f"{file}, {name}", do=error.do) from None
    else:
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
