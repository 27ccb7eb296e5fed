"""Where records begin and end among the tokens; which of them are spelled plainly, and what is no record.

An element `record` in which no field begins, but other elements do, is an envelope (OAI-PMH, SRU), not a MARC record; what it holds is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from include.marc.batch import Bools, Ints
from include.marc.marcxml import compiled
from include.marc.marcxml.dialect import Dialect, Kind, words
from include.marc.marcxml.tokens import Tokens

#: Which token may follow which inside a record that is spelled plainly.
FOLLOWS = {
    Kind.RECORD: (Kind.LEADER,),
    Kind.LEADER: (Kind.LEADER_END,),
    Kind.LEADER_END: (Kind.CONTROL, Kind.DATA),
    Kind.CONTROL: (Kind.CONTROL_END,),
    Kind.CONTROL_END: (Kind.CONTROL, Kind.DATA, Kind.RECORD_END),
    Kind.DATA: (Kind.SUBFIELD,),
    Kind.SUBFIELD: (Kind.SUBFIELD_END,),
    Kind.SUBFIELD_END: (Kind.SUBFIELD, Kind.DATA_END),
    Kind.DATA_END: (Kind.CONTROL, Kind.DATA, Kind.RECORD_END),
}
KINDS = len(Kind)
MAY_FOLLOW = np.zeros(KINDS * KINDS, np.bool_)
for _kind, _next in FOLLOWS.items():
    MAY_FOLLOW[[_kind * KINDS + one for one in _next]] = True


@dataclass(frozen=True)
class Spans:
    """Pieces in the order of the stretch, each from byte `start` to byte `stop`.

    `first` and `last`: the numbers of its first and last token (of `<record>` and `</record>` if it is a record); `plain`: a record that is
    spelled plainly; `fault`: a reason code why it is none, or empty. `used`: all bytes before this one are dealt with.
    """

    start: Ints
    stop: Ints
    first: Ints
    last: Ints
    plain: Bools
    fault: list[str]
    used: int
    any_record: bool


def spans(buffer: Ints, end: int, found: Tokens, dialect: Dialect, *, last: bool, cut_short: str = "MARC_TRUNCATED") -> Spans:
    """The pieces of buffer[:end]. `last`: nothing comes behind; what does not end here gets the fault `cut_short`."""
    at, kind = found.at, found.kind
    begins, ends = np.flatnonzero(kind == Kind.RECORD), np.flatnonzero(kind == Kind.RECORD_END)
    if not last:  # what may go on behind this stretch is left for the next: all from the last end of a record
        limit = int(np.searchsorted(at, found.hidden_from))
        ends = ends[ends < limit]
        upto = int(ends[-1]) + 1 if len(ends) else 0
        begins = begins[begins < upto]
    else:
        upto = len(at)
    which = np.searchsorted(ends, begins)
    closed = which < len(ends)
    close = ends[np.minimum(which, max(len(ends) - 1, 0))] if len(ends) else np.zeros(len(begins), np.int64)
    following = np.append(begins[1:], upto)
    whole = closed & (close < following)
    wrong = misplaced(kind)
    plain = whole & (np.searchsorted(wrong, close) == np.searchsorted(wrong, begins))
    used = _end_of_tag(buffer, int(at[upto - 1]), end) if upto and not last else (end if last else 0)
    eight = words(buffer)
    if plain.all() and not found.trace(eight, dialect, _between(begins, close, upto)).any():
        stop = _ends_of_tags(buffer, at[close], end)
        return Spans(at[begins], stop, begins, close, plain, [""] * len(begins), used, bool(len(begins)))
    trace = found.trace(eight, dialect, np.arange(len(at)))
    return _Pieces(buffer, end, found, trace, cut_short if last else "XML_UNREADABLE").all(begins, ends, close, whole, plain, upto, used)


def misplaced(kind: Ints) -> Ints:
    """The tokens behind which another stands that may not follow in a record that is spelled plainly."""
    library = compiled.functions()
    if library is not None:
        return compiled.misplaced(library, kind, MAY_FOLLOW)
    pairs = kind[:-1] * np.int8(KINDS) + kind[1:]  # below 128
    return np.flatnonzero(~MAY_FOLLOW[pairs])


def _between(begins: Ints, close: Ints, upto: int) -> Ints:
    """Which of the first `upto` tokens are in no record. All records are whole."""
    ends, starts = np.append(0, close + 1), np.append(begins, upto)
    if np.array_equal(ends[1:], starts[1:]):  # one record behind the other
        return np.arange(starts[0])
    edge = np.zeros(upto + 1, np.int8)
    edge[begins] += 1
    edge[close + 1] -= 1
    return np.flatnonzero(np.cumsum(edge[:-1]) == 0)


def _ends_of_tags(buffer: Ints, at: Ints, end: int) -> Ints:
    """Behind the `>` of each closing tag: it is nearly always as long as the first one."""
    if not len(at):
        return at
    length = _end_of_tag(buffer, int(at[0]), end) - int(at[0])
    stop = at + length
    for odd in np.flatnonzero(buffer[stop - 1] != 0x3E).tolist():
        stop[odd] = _end_of_tag(buffer, int(at[odd]), end)
    return stop


def _end_of_tag(buffer: Ints, at: int, end: int) -> int:
    found = buffer[at:end].tobytes().find(b">") if end - at < 4096 else buffer[at : at + 4096].tobytes().find(b">")
    return at + found + 1 if found >= 0 else end


class _Pieces:
    """The slow way, piece by piece, where a stretch is not just records."""

    def __init__(self, buffer: Ints, end: int, found: Tokens, trace: Bools, cut_short: str) -> None:
        self.buffer, self.end, self.found, self.cut_short = buffer, end, found, cut_short
        self.traces = np.concatenate([np.zeros(1, np.int64), np.cumsum(trace)])
        self.rows: list[tuple[int, int, int, int, bool, str]] = []

    def all(self, begins: Ints, ends: Ints, close: Ints, whole: Bools, plain: Bools, upto: int, used: int) -> Spans:
        """Records, those that lost an end, and what lies between."""
        place = 0  # the next token that is not dealt with
        for index, begin in enumerate(begins.tolist()):
            self._gap(place, begin)
            following = int(begins[index + 1]) if index + 1 < len(begins) else upto
            if whole[index]:
                place = int(close[index]) + 1
                self._record(begin, place - 1, bool(plain[index]))
            else:
                place = following
                self._unended(begin, following, following == upto)
        self._gap(place, upto)
        start, stop, first, final = (np.array([row[column] for row in self.rows], np.int64) for column in range(4))
        spelled = np.array([row[4] for row in self.rows], np.bool_)
        return Spans(start, stop, first, final, spelled, [row[5] for row in self.rows], used, bool(len(begins)))

    def _fields(self, begin: int, stop: int) -> bool:
        return bool(self.traces[stop] > self.traces[begin])

    def _record(self, begin: int, close: int, plain: bool) -> None:
        others = (self.found.kind[begin + 1 : close] == Kind.OTHER).any()
        if self._fields(begin + 1, close) or not others:
            at = self.found.at
            self.rows.append((int(at[begin]), _end_of_tag(self.buffer, int(at[close]), self.end), begin, close, plain, ""))

    def _gap(self, begin: int, stop: int) -> None:
        """Tokens that are in no record: if a field begins or ends there, a record lost its start, and has its end where one is."""
        for end in [*(np.flatnonzero(self.found.kind[begin:stop] == Kind.RECORD_END) + begin + 1).tolist(), stop]:
            if begin < end and self._fields(begin, end):
                self.rows.append((self._behind(begin), self._until(end), begin, end, False, "XML_UNREADABLE"))
            begin = end

    def _unended(self, begin: int, following: int, at_end: bool) -> None:
        """A record element that has no end before the next one begins: an envelope around that one, or a record cut short."""
        others = (self.found.kind[begin + 1 : following] == Kind.OTHER).any()
        if self._fields(begin + 1, following) or (at_end and not others):
            fault = self.cut_short if at_end else "XML_UNREADABLE"
            self.rows.append((int(self.found.at[begin]), self._until(following), begin, following, False, fault))

    def _behind(self, token: int) -> int:
        """Where what belongs to this token begins: at the token, or, behind the end of a record, at the text before it."""
        before = self.found.at[token - 1] if token else 0
        if token and self.found.kind[token - 1] != Kind.RECORD_END:
            return int(self.found.at[token])
        start = _end_of_tag(self.buffer, int(before), self.end) if token else 0
        text = self.buffer[start : int(self.found.at[token])].tobytes()
        return start + len(text) - len(text.lstrip())

    def _until(self, token: int) -> int:
        """Where what goes before this token ends: behind the end of a record, or at the token."""
        if token and self.found.kind[token - 1] == Kind.RECORD_END:
            return _end_of_tag(self.buffer, int(self.found.at[token - 1]), self.end)
        return int(self.found.at[token]) if token < len(self.found.at) else self.end
