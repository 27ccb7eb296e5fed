"""The text step of a reader: values of many records decoded, and records found whose declared character set is not theirs.

- Declared as something else, and every value beyond ASCII is UTF-8: read as UTF-8, and said. Other sets are hardly ever UTF-8 by chance.
- Declared as UTF-8 and not valid: read as MARC-8 (MARC 21) or ISO 5426 (UNIMARC) if each diacritic makes one character with the letter behind
  it, and said. Latin-1 is often valid MARC-8 by its bytes, but hardly ever by that rule.
- What still cannot be read refuses its record, or, if asked, becomes U+FFFD with an issue.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from include.marc.batch import Bools, Family, Ints
from include.marc.charsets import marc8, single, unimarc, utf8
from include.marc.charsets.codecs import NAMES, to_text

Reason = tuple[str, str | None]
_SHIFTS = frozenset(unimarc.SHIFTS)
UTF8 = NAMES.index("utf-8")
#: What a record may be that says UTF-8 and is not: the set, the bytes that are its diacritics, and the reason.
OTHERWISE: Mapping[Family, tuple[str, re.Pattern[bytes], str]] = {
    "marc21": ("marc-8", re.compile(rb"[\xe0-\xfe].?", re.DOTALL), "MARC_MARC8_DECLARED_UTF8"),
    "unimarc": ("iso-5426", re.compile(rb"[\xc0-\xdf].?", re.DOTALL), "MARC_ISO5426_DECLARED_UTF8"),
}


@dataclass(frozen=True)
class Texts:
    """`value`: as many as were given. `charset`: for each record an index in NAMES, what it was read in.

    `repaired`: record -> reasons, each with its detail. `refused`: record -> why; what its values are says nothing.
    """

    value: pa.StringArray
    charset: npt.NDArray[np.uint8]
    repaired: Mapping[int, tuple[Reason, ...]]
    refused: Mapping[int, Reason]


def decode(
    values: pa.BinaryArray, rec: npt.NDArray[np.int32], declared: npt.NDArray[np.uint8], *, family: Family, overrule: bool, replace: bool
) -> Texts:
    """Values that are not plain ASCII (others may be among them) into text; value i is of record `rec[i]`, rising, whose set is `declared[rec[i]]`.

    `overrule`: the bytes may overrule what a record declares. `replace`: what cannot be read becomes U+FFFD, and the record is repaired;
    else the record is refused.
    """
    step = _Step(values, rec, declared.copy(), family, replace)
    if overrule:
        step.overrule()
    return step.texts()


@dataclass
class _Step:
    values: pa.BinaryArray
    rec: Ints
    charset: npt.NDArray[np.uint8]
    family: Family
    replace: bool
    repaired: dict[int, list[Reason]] = field(default_factory=dict)
    refused: dict[int, Reason] = field(default_factory=dict)

    def overrule(self) -> None:
        """Change `charset` of the records whose bytes say that they are in another."""
        says_utf8 = self.charset[self.rec] == UTF8
        for record in self._in_utf8(~says_utf8):
            self._change(record, UTF8)
        mine = np.flatnonzero(says_utf8)
        values = self.values.take(pa.array(mine))
        if self.family in OTHERWISE and not utf8.whole(values):
            bad = mine[[not utf8.valid(value) for value in values.to_pylist()]]
            for record in dict.fromkeys(self.rec[bad].tolist()):
                self._try_otherwise(record)

    def _in_utf8(self, asked: Bools) -> list[int]:
        """The records of the rows asked for whose every value is UTF-8 and some value is more than ASCII."""
        against = np.zeros(len(self.charset), np.bool_)
        against[self.rec[utf8.surely_not(self.values)]] = True
        rows = np.flatnonzero(asked & ~against[self.rec])
        beyond = set()
        for record, value in zip(self.rec[rows].tolist(), self.values.take(pa.array(rows)).to_pylist(), strict=True):
            if not utf8.valid(value) or not _SHIFTS.isdisjoint(value):
                against[record] = True
            elif not value.isascii():
                beyond.add(record)
        return sorted(record for record in beyond if not against[record])

    def _change(self, record: int, charset: int) -> None:
        said, self.charset[record] = NAMES[self.charset[record]], charset
        if said == "marc-8":
            self._say(record, "MARC_UTF8_DECLARED_MARC8")
        elif said != "danmarc2":  # which no record declares: it is only what danMARC2 is in if nobody says otherwise
            self._say(record, "MARC_UTF8_DECLARED_OTHER", said)

    def _try_otherwise(self, record: int) -> None:
        name, diacritics, reason = OTHERWISE[self.family]
        start, stop = np.searchsorted(self.rec, (record, record + 1))
        values = self.values.slice(start, stop - start)
        if not to_text(values, name).faults and all(composes(value, name, diacritics) for value in values.to_pylist()):
            self.charset[record] = NAMES.index(name)
            self._say(record, reason)

    def _say(self, record: int, reason: str, detail: str | None = None) -> None:
        self.repaired.setdefault(record, []).append((reason, detail))

    def texts(self) -> Texts:
        """All values by the sets of their records."""
        of_row = self.charset[self.rec]
        parts, order = [], []
        for number in np.unique(of_row).tolist():
            rows = np.flatnonzero(of_row == number)
            parts.append(self._decoded(rows, NAMES[number]))
            order.append(rows)
        value = pa.concat_arrays(parts) if parts else pa.array([], pa.string())
        if len(parts) > 1:
            value = value.take(pa.array(np.argsort(np.concatenate(order))))
        return Texts(value, self.charset, {record: tuple(found) for record, found in self.repaired.items()}, self.refused)

    def _decoded(self, rows: Ints, name: str) -> pa.StringArray:
        whole = len(rows) == len(self.values)
        found = to_text(self.values if whole else self.values.take(pa.array(rows)), name)
        for at, words in found.faults.items():
            record = int(self.rec[rows[at]])
            if self.replace:
                self._say(record, "MARC_CHARACTER_REPLACED", words)
            else:
                self.refused.setdefault(record, ("MARC_CHARSET_WRONG", words))
        return found.texts


def composes(value: bytes, name: str, diacritics: re.Pattern[bytes]) -> bool:
    """Whether each diacritic of the value stands before a letter with which it makes one character."""
    decoded = marc8.decode if name == "marc-8" else single.iso5426().decode
    return all(len(unicodedata.normalize("NFC", decoded(found))) == 1 for found in diacritics.findall(value))
