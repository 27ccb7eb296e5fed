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
    `last` when it was last sent or looked up, `why` what went wrong then; `reported` the conflict by which staff know that it waits."""

    number: int
    kind: str
    asked: Json
    said: Json
    at: str
    tried: str = ""
    last: str = ""
    tries: int = 0
    why: str = ""
    reported: int = 0


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

    `doubts` are requests that a machine was told "no" to though the library system may have done them. `told` is, of items whose
    loan was told after it had happened, when it had happened and when it was told.
    """

    applied: int = 0
    waiting: dict[int, Waiting] = field(default_factory=dict)
    conflicts: dict[int, Conflict] = field(default_factory=dict)
    done: dict[str, tuple[str, Json]] = field(default_factory=dict)
    asking: dict[str, str] = field(default_factory=dict)
    doubts: dict[int, Waiting] = field(default_factory=dict)
    told: dict[str, list[str]] = field(default_factory=dict)

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
            case "doubted":
                self._cleared(entry["asked"].get("key", ""))
                self.doubts[number] = Waiting(number, entry["of"], entry["asked"], entry["said"], at, entry["tried"], at)
            case "sending":
                waiting = self.waiting[entry["number"]]
                waiting.tried, waiting.last = waiting.tried or at, at
            case "failed":
                waiting = self.waiting[entry["number"]]
                waiting.last, waiting.tries, waiting.why = at, waiting.tries + 1, entry["why"]
            case "closed":
                self.conflicts.pop(entry["number"], None)
            case "waits":
                self.waiting[entry["waits"]].reported = number
                self.conflicts[number] = reported(number, entry)
            case _ if "said" in entry:
                if "cleared" in entry:
                    self.doubts.pop(entry["cleared"], None)
                elif "replayed" in entry:
                    self._told(entry, self.waiting.pop(entry["replayed"]).at)
                    if "closes" in entry:
                        self.conflicts.pop(entry["closes"], None)
                else:
                    self._finished(key, at, entry["said"])
                    self._told(entry)
                if entry.get("report"):
                    self.conflicts[number] = reported(number, entry)
            case _ if entry.get("conflict"):
                self.conflicts[number] = reported(number, entry)

    def _told(self, entry: Mapping[str, Any], accepted: str = "") -> None:
        asked = entry["asked"]
        happened = asked["at"] if asked.get("no_block") else accepted
        if entry["kind"] == "checkout" and entry["ok"] and happened and not asked.get("undo"):
            self.told[asked["item"]] = [happened, entry["at"]]

    def _finished(self, key: str, at: str, said: Json) -> None:
        if key:
            self.asking.pop(key, None)
            self._cleared(key)
            if said.get("ok"):
                self.done[key] = (at, said)

    def _cleared(self, key: str) -> None:
        """The machine has asked again: its first time is no doubt of its own any more."""
        if key and self.doubts:
            self.doubts = {number: one for number, one in self.doubts.items() if one.asked.get("key") != key}

    def forget(self, before: datetime) -> None:
        """Drop the memory of requests that nobody repeats any more."""
        limit = before.isoformat()
        self.done = {key: value for key, value in self.done.items() if value[0] >= limit}
        self.asking = {key: at for key, at in self.asking.items() if at >= limit}
        self.told = {item: times for item, times in self.told.items() if times[1] >= limit}

    def snapshot(self) -> Json:
        """All of it, for the entry "forwarding"."""
        return {
            "waiting": [asdict(one) for one in self.waiting.values()],
            "conflicts": [asdict(one) for one in self.conflicts.values()],
            "done": [[key, at, said] for key, (at, said) in self.done.items()],
            "asking": self.asking,
            "doubts": [asdict(one) for one in self.doubts.values()],
            "told": self.told,
        }

    def restore(self, found: Mapping[str, Any]) -> None:
        """The state that a snapshot holds."""
        self.waiting = {one["number"]: Waiting(**one) for one in found["waiting"]}
        self.conflicts = {one["number"]: Conflict(**one) for one in found["conflicts"]}
        self.done = {key: (at, said) for key, at, said in found["done"]}
        self.asking = dict(found["asking"])
        self.doubts = {one["number"]: Waiting(**one) for one in found.get("doubts", ())}
        self.told = found["told"] if isinstance(found["told"], dict) else {}  # a list of items until November 2026

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
    return Conflict(number, entry["at"], entry.get("of", entry["kind"]), report["reason"], entry["asked"], report["said"], report["found"])


def rebuilt(entries: Iterable[tuple[int, Mapping[str, Any]]]) -> State:
    """The state after these entries; those of others are passed over."""
    state = State()
    for number, entry in entries:
        state.apply(number, entry)
    return state
