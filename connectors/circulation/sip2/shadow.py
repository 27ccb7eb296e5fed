"""What we would have answered: a recording's questions asked again of a server of ours, and its answers held against the old system's.

Dates are held against the date of their own answer: "in 28 days" is the same answer today and a year ago. Words on the screen (AF, AG) are
compared only when asked for. A PIN is in no recording, so nothing that rests on one (CQ) is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from zoneinfo import ZoneInfo

from connectors.circulation.sip2.client import Client
from connectors.circulation.sip2.codec import Parsed, Unreadable, delimiter_of, parse, write
from connectors.circulation.sip2.dates import moment, stamp
from connectors.circulation.sip2.masking import UNSAID
from connectors.circulation.sip2.recording import Said
from connectors.circulation.sip2.table import FIELDS, MESSAGES
from include.engine import clock

WORDS = frozenset({"AF", "AG"})
_NEVER = frozenset({"AY", "AZ", "CQ"})
_NOT_ASKED = frozenset({"93", "97", "96"})
"""Login and resends are each connection's own matter."""
_STAMPS = ("transaction date", "date and time")


class Pair(NamedTuple):
    """A question of a machine, and the old system's answer."""

    asked: str
    answered: str


class Difference(NamedTuple):
    """What differs in an answer: a field's code or a fixed field's name ("answer": another message), theirs and ours."""

    what: str
    theirs: str
    ours: str


@dataclass
class Report:
    """What came of it, by message: how many were asked, how many were answered alike, and what differed how often, with its first example."""

    asked: Counter[str] = field(default_factory=Counter)
    alike: Counter[str] = field(default_factory=Counter)
    differences: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], Difference] = field(default_factory=dict)
    only_theirs: set[str] = field(default_factory=set)
    only_ours: set[str] = field(default_factory=set)
    both: set[str] = field(default_factory=set)

    def count(self, code: str, found: list[Difference]) -> None:
        """One more answer, and what differed in it."""
        self.asked[code] += 1
        self.alike[code] += not found
        for one in found:
            self.differences[code, one.what] += 1
            self.examples.setdefault((code, one.what), one)


def pairs(said: Iterable[Said]) -> Iterator[Pair]:
    """Each question with the answer that followed it on its connection, in the order of the questions' answers."""
    waiting: dict[int, str] = {}
    for one in said:
        if one.by == "machine":
            waiting[one.connection] = one.line
        elif (asked := waiting.pop(one.connection, None)) is not None and asked[:2] in MESSAGES and asked[:2] not in _NOT_ASKED:
            yield Pair(asked, one.line)


async def ask_again(given: Iterable[Pair], client: Client, zone: ZoneInfo, *, words: bool = False) -> Report:
    """Ask a server of ours, whose store is as the old system was when the recording began; it lends and takes back what was lent then."""
    report = Report()
    for pair in given:
        try:
            asked, theirs = (parse(line, delimiter_of(line)) for line in pair)
        except Unreadable:
            continue
        ours = await client.line(_asked_now(asked, zone))
        report.count(asked.code, differences(theirs, ours, zone, words=words))
        report.only_theirs |= theirs.fields.keys() - _NEVER
        report.only_ours |= ours.fields.keys() - _NEVER
    report.both = report.only_theirs & report.only_ours
    report.only_theirs -= report.both
    report.only_ours -= report.both
    return report


def differences(theirs: Parsed, ours: Parsed, zone: ZoneInfo, *, words: bool = False) -> list[Difference]:
    """What differs between two answers to one question."""
    if theirs.code != ours.code:
        return [Difference("answer", theirs.code, ours.code)]
    found = [
        Difference(name, value, ours.fixed.get(name, ""))
        for name, value in theirs.fixed.items()
        if name not in _STAMPS and value != ours.fixed.get(name)
    ]
    for code in sorted((theirs.fields.keys() | ours.fields.keys()) - _NEVER - (frozenset() if words else WORDS)):
        one, other = (_compared(answer, code, zone) for answer in (theirs, ours))
        if one != other:
            found.append(Difference(code, one, other))
    return found


def _compared(answer: Parsed, code: str, zone: ZoneInfo) -> str:
    """A field's values as they are compared: without order, a date as days from the answer's own. What is empty is as good as not there."""
    values = sorted(value for value in answer.every(code) if value)
    stamp = next((answer.fixed[name] for name in _STAMPS if name in answer.fixed), "")
    if code == "AH" and (now := moment(stamp, zone)):
        values = [
            f"in {(due.astimezone(zone).date() - now.astimezone(zone).date()).days} days" if (due := moment(value, zone)) else value
            for value in values
        ]
    return ", ".join(values)


def shown(difference: Difference) -> tuple[str, str]:
    """Theirs and ours, for the screen: a person's data is told by its length."""
    known = FIELDS.get(difference.what)
    if known is None or known.kind not in ("personal", "secret"):
        return difference.theirs or "-", difference.ours or "-"
    return tuple(f"({len(text)} characters)" if text else "-" for text in (difference.theirs, difference.ours))  # type: ignore[return-value]


def proposed(said: Iterable[Said], report: Report) -> dict[str, object]:
    """The beginning of a profile, from how the machines spoke and which fields they were given: to be read by a person, not taken as it is."""
    lines = list(said)
    ends = Counter(one.end for one in lines if one.by == "machine")
    answers = [one for one in lines if one.by == "system"]
    checked = sum(one.checked for one in answers)
    framing = {
        "encoding": "utf-8" if all(one.utf8 for one in lines) else "latin-1",
        "terminator": ends.most_common(1)[0][0] if ends else "cr",
        "error_detection": "always" if answers and checked == len(answers) else "asked" if checked else "never",
    }
    delimiters = Counter(delimiter_of(one.line) for one in lines if one.by == "machine" and not one.line[-1:].isalnum())
    if delimiters and (delimiter := delimiters.most_common(1)[0][0]) != "|":
        framing["delimiter"] = delimiter
    hidden = sorted(code for code in report.only_ours if code not in WORDS)
    return {"framing": framing} | ({"output": {"hidden": hidden}} if hidden else {})


def _asked_now(asked: Parsed, zone: ZoneInfo) -> str:
    """The question as if it were asked today: with its old date it would be taken for one that a machine repeats. What a machine did while
    it was alone keeps its date."""
    fixed = (
        asked.fixed
        if asked.yes("no block") or "transaction date" not in asked.fixed
        else asked.fixed | {"transaction date": stamp(clock.now(), zone)}
    )
    return write(asked.code, fixed, {code: [value for value in asked.every(code) if value != UNSAID] or None for code in asked.fields})
