"""What store and forward knows: what waits, what was done, and what staff must look at. The journal is its memory.

Each entry of the journal that is ours changes it by `apply`, at work and at the next start alike. Now and then all of it is one entry
("forwarding"), so that a start reads no further back than that, and older segments may be retired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]
KEPT = timedelta(hours=26)
"""How long a request is known again: a machine that was off overnight still repeats itself."""


@dataclass
class Waiting:
    """A transaction that was accepted while the library system was away. `tried` is since when it may have been done there,
    `last` when it was last sent."""

    number: int
    kind: str
    asked: Json
    said: Json
    at: str
    tried: str = ""
    last: str = ""
    tries: int = 0


@dataclass
class Conflict:
    """What the machine said and what the library system says: `reason` is a code of words.yaml, or DUE_DIFFERS, ILS_FAILS."""

    number: int
    at: str
    kind: str
    reason: str
    asked: Json
    said: Json
    found: Json


@dataclass
class State:
    """`done` is the outcome of a request by its key, with its time; `asking` are requests on their way, by key, since when.

    `told` are items whose loan was told late while others still waited.
    """

    applied: int = 0
    waiting: dict[int, Waiting] = field(default_factory=dict)
    conflicts: dict[int, Conflict] = field(default_factory=dict)
    done: dict[str, tuple[str, Json]] = field(default_factory=dict)
    asking: dict[str, str] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def apply(self, number: int, entry: Mapping[str, Any]) -> None:
        """Make an entry's difference."""
        self.applied = number
        key, at = entry.get("key", ""), entry["at"]
        match entry["kind"]:
            case "forwarding":
                self.restore(entry["state"])
            case "asking":
                self.asking[key] = at
            case "accepted":
                self.waiting[number] = Waiting(
                    number, entry["of"], entry["asked"], entry["said"], at, entry.get("tried", ""), at if entry.get("tried") else ""
                )
                self._finished(key, at, entry["said"])
            case "sending":
                waiting = self.waiting[entry["number"]]
                waiting.tried, waiting.last = waiting.tried or at, at
            case "closed":
                self.conflicts.pop(entry["number"], None)
            case _ if "said" in entry:
                if "replayed" in entry:
                    self._replayed(self.waiting.pop(entry["replayed"]), ok=entry["ok"])
                else:
                    self._finished(key, at, entry["said"])
                if entry.get("report"):
                    self.conflicts[number] = reported(number, entry)
            case _ if entry.get("conflict"):
                self.conflicts[number] = reported(number, entry)

    def _replayed(self, waiting: Waiting, *, ok: bool) -> None:
        if ok and waiting.kind == "checkout":
            self.told.add(waiting.asked["item"])
        if not self.waiting:
            self.told.clear()

    def _finished(self, key: str, at: str, said: Json) -> None:
        if key:
            self.asking.pop(key, None)
            if said.get("ok"):
                self.done[key] = (at, said)

    def forget(self, before: datetime) -> None:
        """Drop the memory of requests that nobody repeats any more."""
        limit = before.isoformat()
        self.done = {key: value for key, value in self.done.items() if value[0] >= limit}
        self.asking = {key: at for key, at in self.asking.items() if at >= limit}

    def snapshot(self) -> Json:
        """All of it, for the entry "forwarding"."""
        return {
            "waiting": [asdict(one) for one in self.waiting.values()],
            "conflicts": [asdict(one) for one in self.conflicts.values()],
            "done": [[key, at, said] for key, (at, said) in self.done.items()],
            "asking": self.asking,
            "told": sorted(self.told),
        }

    def restore(self, found: Mapping[str, Any]) -> None:
        """The state that a snapshot holds."""
        self.waiting = {one["number"]: Waiting(**one) for one in found["waiting"]}
        self.conflicts = {one["number"]: Conflict(**one) for one in found["conflicts"]}
        self.done = {key: (at, said) for key, at, said in found["done"]}
        self.asking = dict(found["asking"])
        self.told = set(found["told"])

    def touches(self, card: str, item: str) -> bool:
        """Whether something waits for this patron or this item: what comes after it must not overtake it."""
        return any(
            (card and one.asked.get("patron") == card) or (item and one.asked.get("item") == item) for one in self.waiting.values()
        )  # fmt: skip

    def waiting_of(self, card: str, kind: str) -> list[Waiting]:
        """What waits of one card."""
        return [one for one in self.waiting.values() if one.kind == kind and one.asked.get("patron") == card]


def reported(number: int, entry: Mapping[str, Any]) -> Conflict:
    """The conflict of an entry: of store and forward (`report`), or of the embedded back end (`conflict`), whose machine has done it by itself."""
    report = entry.get("report") or {
        "reason": entry["conflict"], "said": {"ok": True}, "found": {"ok": entry["ok"], "reason": entry["reason"]}
    }  # fmt: skip
    return Conflict(number, entry["at"], entry["kind"], report["reason"], entry["asked"], report["said"], report["found"])


def rebuilt(entries: Iterable[tuple[int, Mapping[str, Any]]]) -> State:
    """The state after these entries; those of others are passed over."""
    state = State()
    for number, entry in entries:
        state.apply(number, entry)
    return state
